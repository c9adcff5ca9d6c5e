"""Confirmation of a layout that was assumed from the number of joints alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import LAYOUTS
from skeletonagent.data.bone_check import check_bones, choose_layout
from skeletonagent.data.convert.pipeline import DatasetReader

MOST_SAMPLES_READ = 40
"""Samples that are read to confirm a layout, evenly spread."""


def confirm_layout(reader: DatasetReader) -> tuple[DatasetReader, str | None]:
    """Return a reader whose layout the data confirm, and why; None where nothing was assumed.

    A layout that was given, and that the data contradict, is kept with a warning.

    Raises:
        DataError: If the layout was assumed from the number of joints, and the data contradict
            all known layouts of that number or fit two of them; or if a data set was taken for a
            benchmark, whose layout the data contradict.
    """
    if not (reader.layout_assumed or reader.layout_given or reader.identity):
        return reader, None
    clips = list(_some_clips(reader))
    if reader.identity and not reader.layout_given:
        check = check_bones(clips, reader.layout)
        if check and check.problems:
            raise DataError(
                f"was taken for {reader.title} ({reader.identity}), but its joints are not in that "
                f"order: {check.problems[0]}. Add --benchmark {reader.name} to take it all the "
                "same, or --layout"
            )
        return reader, None
    if reader.layout_given:
        check = check_bones(clips, reader.layout)
        for problem in check.problems if check else ():
            warnings.warn(f"layout {reader.layout.name}: {problem}", stacklevel=2)
        return reader, None
    v = reader.layout.num_joints
    candidates = [layout for layout in LAYOUTS.values() if layout.num_joints == v]
    layout, why = choose_layout(clips, candidates)
    if layout is None:
        raise DataError(
            f"has {v} joints, which do not say what skeleton it is: {why}. Name it by --layout, a "
            "known name or a layout file; 'skeletonagent data import' finds bones by itself"
        )
    return replace(reader, layout=layout, layout_assumed=False), f"{v} joints: {why}"


def _some_clips(reader: DatasetReader) -> Iterator[Float[np.ndarray, "_ _ v c"]]:
    step = max(1, len(reader.items) // MOST_SAMPLES_READ)
    for item in reader.items[::step]:
        with suppress(DataError):
            joints = reader.read(item).joints
            coordinates = joints.shape[-1] - reader.has_confidence
            if joints.shape[2] == reader.layout.num_joints and coordinates in (2, 3):
                yield joints[..., :coordinates]
