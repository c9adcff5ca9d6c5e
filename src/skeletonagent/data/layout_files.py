"""Layout files: a skeleton written down in YAML or JSON, and the layout of a name or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.joint_names import canonical_name
from skeletonagent.core.layout import SkeletonLayout, layout_by_name
from skeletonagent.core.outside_files import read_outside_text
from skeletonagent.core.outside_text import brief, printable_line
from skeletonagent.core.yaml_text import parse_yaml

_FIELDS = frozenset({"name", "joints", "bones", "center", "root", "pairs"})
_LARGEST = 1 << 20
_EXAMPLE = "joints: [hip, chest], bones: [[chest, hip]], center: hip"


def find_layout(name_or_path: str | Path | SkeletonLayout) -> SkeletonLayout:
    """Return the layout of a name, or of a layout file; a layout stays as it is.

    Args:
        name_or_path: Name such as ``body-25``, or the path of a YAML or JSON file.

    Raises:
        ConfigError: If it is neither the name of a layout nor a file.
        DataError: If the file describes no skeleton.
    """
    if isinstance(name_or_path, SkeletonLayout):
        return name_or_path
    path = Path(name_or_path).expanduser()
    if path.is_file() or path.suffix.lower() in (".yaml", ".yml", ".json"):
        return read_layout_file(path)
    try:
        return layout_by_name(str(name_or_path))
    except ConfigError as error:
        raise ConfigError(f"{error}, or give the path of a layout file") from error


def read_layout_file(path: Path) -> SkeletonLayout:
    """Return the layout in a YAML or JSON file.

    It has the fields ``joints``, ``bones`` as pairs (child, parent), ``center`` or ``root``, and
    at will ``name`` and ``pairs`` as (left, right). Joints are given by name or counted from 0.

    Raises:
        DataError: If it cannot be read or describes no skeleton.
    """
    value = _read_fields(path)
    unknown = sorted(map(str, value.keys() - _FIELDS))
    if unknown:
        raise DataError(
            f"has the unknown field(s) {printable_line(', '.join(unknown), 200)}; "
            f"there are {', '.join(sorted(_FIELDS))}",
            path=path,
        )
    try:
        joints = _joints(value.get("joints"))
        pairs = value.get("pairs")
        return SkeletonLayout(
            name=_name(value.get("name")) or path.stem,
            joints=joints,
            bones=_index_pairs(value.get("bones"), joints, "bones"),
            center=_index(value.get("center", value.get("root", 0)), joints, "center"),
            given_pairs=None if pairs is None else _index_pairs(pairs, joints, "pairs"),
        )
    except ValueError as error:
        raise DataError(f"describes no skeleton: {error}", path=path) from error


def _read_fields(path: Path) -> Mapping[str, Any]:
    text = read_outside_text(path, _LARGEST, "a layout")
    try:
        value = parse_yaml(text, "it")
    except ConfigError as error:
        raise DataError(f"cannot be read as a layout: {error}", path=path) from error
    if not isinstance(value, Mapping):
        raise DataError(f"describes no skeleton; write for instance {_EXAMPLE}", path=path)
    return value


def _name(value: object) -> str:
    return " ".join(printable_line(value).split()) if isinstance(value, str | int | float) else ""


def _joints(value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ValueError(f"joints must be a list of names; write for instance {_EXAMPLE}")
    odd = next((name for name in value if not isinstance(name, str | int | float)), None)
    if odd is not None:
        raise ValueError(f"joints must be a list of names, got {brief(odd)} in it")
    return tuple(" ".join(printable_line(name).split()) for name in value)


def _index(value: object, joints: Sequence[str], field: str) -> int:
    """Return the index of a joint that is given by its name or index."""
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value < len(joints):
            return value
        raise ValueError(f"{field} names joint {value}; joints are counted 0..{len(joints) - 1}")
    name = " ".join((printable_line(value) if isinstance(value, str) else brief(value)).split())
    if name in joints:
        return joints.index(name)
    alike = [n for n, other in enumerate(joints) if canonical_name(other) == canonical_name(name)]
    if len(alike) != 1:
        raise ValueError(f"{field} names {name!r}, which is none of the joints")
    return alike[0]


def _index_pairs(value: object, joints: Sequence[str], field: str) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"{field} must be a list of pairs of joints")
    pairs = []
    for pair in value:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(f"{field} must be pairs of joints, got {brief(pair)}")
        pairs.append((_index(pair[0], joints, field), _index(pair[1], joints, field)))
    return tuple(pairs)
