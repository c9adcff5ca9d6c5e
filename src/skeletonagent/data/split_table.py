"""Table of an archive's splits: ids of the training and the test samples of each, by name."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_text import brief, printable_line
from skeletonagent.core.sequences import Split


def read_splits(
    meta: Mapping[str, Any], sample_ids: tuple[str, ...], path: Path, require_split: bool = True
) -> dict[str, Split]:
    """Return the splits of an archive by name.

    Args:
        meta: The archive's JSON.
        sample_ids: Names of the samples in the archive.
        path: The JSON's path, for the message.
        require_split: Whether there must be at least one split, and none may have an empty part.

    Raises:
        DataError: If a split is no table of two lists, has an empty part, or names a sample twice
            or one that the archive lacks.
    """
    archived = set(sample_ids)
    splits: dict[str, Split] = {}
    for key, parts in meta.get("split", {}).items():
        name = printable_line(key)
        test = _test_part(name, parts, path)
        chosen = [_samples(name, part, parts[part], archived, path) for part in ("train", test)]
        empty = [part for part, ids in zip(("train", test), chosen, strict=True) if not ids]
        if empty and require_split:
            raise DataError(f"split {name!r} has no sample in its part {empty[0]}", path=path)
        splits[name] = Split(train=chosen[0], test=chosen[1])
    if not splits and require_split:
        raise DataError("has no split", path=path)
    default = printable_line(meta.get("default_split", next(iter(splits), "")))
    if splits and default not in splits:
        raise DataError(f"default_split {default!r} is not one of {', '.join(splits)}", path=path)
    return splits


def _test_part(name: str, parts: Any, path: Path) -> str:
    """Return which part of a split is the test set."""
    if not isinstance(parts, dict) or "train" not in parts or not {"val", "test"} & parts.keys():
        raise DataError(
            f"split {name!r} must have the parts train and val, got "
            f"{brief(sorted(map(str, parts)) if isinstance(parts, dict) else parts)}",
            path=path,
        )
    unused = sorted(map(str, parts.keys() - {"train", "test" if "test" in parts else "val"}))
    if unused:
        listed = ", ".join(f"{part} ({_length(parts[part])} samples)" for part in unused)
        warnings.warn(
            f"{path}: split {name!r} has further parts, which are not used: "
            f"{printable_line(listed)}; its test set is "
            f"{'test' if 'test' in parts else 'val'}",
            stacklevel=2,
        )
    return "test" if "test" in parts else "val"


def _length(part: Any) -> int:
    return len(part) if isinstance(part, list | tuple) else 0


def _samples(name: str, part: str, ids: Any, archived: Set[str], path: Path) -> tuple[str, ...]:
    """Return the sample ids of a part of a split."""
    if not isinstance(ids, list | tuple):
        raise DataError(
            f"split {name!r} ({part}) must be a list of sample ids, got {brief(ids)}", path=path
        )
    odd = next((sample for sample in ids if not isinstance(sample, str | int)), None)
    if odd is not None:
        raise DataError(
            f"split {name!r} ({part}) must be a list of sample ids, got {brief(odd)} in it",
            path=path,
        )
    samples = tuple(printable_line(sample) for sample in ids)
    unknown = [sample for sample in samples if sample not in archived]
    if unknown:
        raise DataError(
            f"split {name!r} ({part}) names {len(unknown)} sample(s) the archive lacks",
            path=path,
            sample=unknown[0],
        )
    if len(set(samples)) < len(samples):
        twice = [sample for sample, count in Counter(samples).items() if count > 1]
        raise DataError(
            f"split {name!r} ({part}) names {len(twice)} sample(s) more than once; name each once",
            path=path,
            sample=twice[0],
        )
    return samples
