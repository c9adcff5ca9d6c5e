"""Layout that an archive's JSON describes, compared with the known layout of that name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import LAYOUTS, SkeletonLayout
from skeletonagent.core.outside_text import brief, printable_line
from skeletonagent.core.skeleton_layout import joint_index


def read_layout(meta: Mapping[str, Any], path: Path, keypoint: np.ndarray) -> SkeletonLayout:
    """Return the layout that an archive's JSON describes; a built-in one by its name.

    Raises:
        DataError: If the JSON does not describe a skeleton, contradicts the layout that it names,
            or ``keypoint`` has other joints.
    """
    names = tuple(printable_line(name) for name in meta["joint_names"])
    if keypoint.ndim == 3 and keypoint.shape[1] != len(names):
        raise DataError(
            f"names {len(names)} joints, but the archive's keypoint has {keypoint.shape[1]}",
            path=path,
        )
    name = printable_line(meta.get("layout", meta.get("name", path.stem)))
    try:
        layout = SkeletonLayout(
            name=name,
            joints=names,
            bones=_index_pairs(meta["bones"]),
            center=joint_index(meta.get("root_joint", 0)),
            given_pairs=None if meta.get("pairs") is None else _index_pairs(meta["pairs"]),
        )
    except (TypeError, ValueError) as error:
        raise DataError(
            f"does not describe a skeleton: {printable_line(error, 200)}", path=path
        ) from error
    builtin = LAYOUTS.get(name)
    if builtin is None or builtin.joints != names:
        return layout
    if set(layout.bones) != set(builtin.bones):
        raise DataError(
            f"says layout {name}, whose bones are others; correct bones, or name the layout "
            "otherwise",
            path=path,
        )
    return builtin


def _index_pairs(value: object) -> tuple[tuple[int, int], ...]:
    pairs = value if isinstance(value, Sequence) else ()
    for pair in pairs:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(f"bones and pairs are of two joints, got {brief(pair)}")
    if pairs is not value or isinstance(value, str):
        raise ValueError(f"bones and pairs are lists of two joints each, got {brief(value)}")
    return tuple((joint_index(first), joint_index(second)) for first, second in pairs)
