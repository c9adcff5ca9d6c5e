"""Archives of many samples as CTR-GCN, InfoGCN and SkateFormer make them from NTU RGB+D.

``x_train`` and ``x_test`` are (N, T, M V C), bodies of 25 joints in space one after another and
filled up with zeros; ``y_train`` and ``y_test`` are (N, classes), 1 at the class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import KINECT_25
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.benchmarks import BENCHMARKS
from skeletonagent.data.keypoints.source import KeypointSource

_PARTS = ("train", "val", "test")
_NTU_BODIES = 2


def read_flat_samples(
    content: Mapping[str, np.ndarray], source: KeypointSource
) -> list[KeypointRecording]:
    """Return the samples of an archive, named by their part and number, such as ``train/00012``.

    Raises:
        DataError: If arrays do not fit each other, or the number of joints is open.
    """
    recordings: list[KeypointRecording] = []
    for part in _PARTS:
        x, y = content.get(f"x_{part}"), content.get(f"y_{part}")
        if x is None:
            continue
        if x.ndim != 3 or x.dtype.kind != "f" or (y is not None and len(y) != len(x)):
            raise DataError(
                f"x_{part} is {x.dtype} {x.shape}, y_{part} {None if y is None else y.shape}; "
                "(N, T, M V C) and (N, classes) are expected",
                path=source.path,
            )
        labels: list[str | None] = [None] * len(x) if y is None else _labels(y)
        recordings += _part(part, x, labels, source)
    return recordings


def _part(
    part: str, x: Float[np.ndarray, "n t k"], labels: list[str | None], source: KeypointSource
) -> Iterator[KeypointRecording]:
    joints, columns = source.num_joints or KINECT_25.num_joints, x.shape[2]
    bodies, rest = divmod(columns, joints * 3)
    if rest or (source.num_joints is None and bodies != _NTU_BODIES):
        raise DataError(
            f"x_{part} has {columns} numbers a frame, not those of {_NTU_BODIES} bodies with 25 "
            "joints in space; give the layout",
            path=source.path,
        )
    width = len(str(len(x) - 1))
    for number, (sample, label) in enumerate(zip(x, labels, strict=True)):
        filled = np.flatnonzero(sample.any(axis=1))
        frames = 1 + int(filled[-1]) if len(filled) else 1
        body = sample[:frames].reshape(frames, bodies, joints, 3).transpose(1, 0, 2, 3)
        kept = body.any(axis=(1, 2, 3)) if len(filled) else np.arange(bodies) == 0
        body = body[kept].astype(np.float32)
        body[(body == 0).all(axis=-1)] = np.nan
        yield KeypointRecording(
            name=f"{part}/{number:0{width}d}",
            joints=body,
            layout=KINECT_25 if source.num_joints is None else None,
            person_ids=tuple(str(m) for m in np.flatnonzero(kept)),
            source=source.path,
            label=label,
        )


def _labels(y: np.ndarray) -> list[str | None]:
    """Return the class of each sample, by its name where it is one of NTU RGB+D's 60 or 120."""
    numbers = y.argmax(axis=1) if y.ndim == 2 else y.astype(np.int64)
    classes = y.shape[1] if y.ndim == 2 else 0
    names = BENCHMARKS[f"ntu{classes}"].class_names if classes in (60, 120) else None
    return [str(number) if names is None else names[number] for number in numbers.tolist()]
