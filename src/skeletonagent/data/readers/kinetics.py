"""Reader of Kinetics-Skeleton: a pickle with the table of contents, and kpfiles with skeletons.

The table lists the clips and the frame of each skeleton; a kpfile has the skeletons of some
clips, ``{frame_dir: {"keypoint": (n, 17, 3)}}``, with x, y and confidence as last axis.
Source: spec section 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.core.errors import DataError
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.benchmarks import BENCHMARKS
from skeletonagent.data.convert.pipeline import DatasetReader
from skeletonagent.data.readers.pyskl import Annotation, read_annotation
from skeletonagent.data.readers.pyskl_pickle import PysklPickle, pickle_splits, read_pyskl_pickle
from skeletonagent.data.readers.safe_pickle import load_restricted

_MAX_PERSONS = 2
"""Number of bodies kept of each frame, as the benchmark's recognizers use."""


@dataclass(frozen=True)
class KineticsEntry:
    """Entry of a clip in the table of contents.

    Args:
        kpfile: File with the skeletons of the clip.
        sample_id: Name of the clip.
        label: Class index.
        frames: Frame of each skeleton, int32 as bytes: a quarter of a million entries are kept,
            compared and sent to other processes.
        img_shape: Height and width of the image in pixels.
    """

    kpfile: Path
    sample_id: str
    label: int
    frames: bytes
    img_shape: Any = None


def kinetics_reader(pickle: Path, kpfiles: Path) -> DatasetReader:
    """Return a reader of the clips of Kinetics-Skeleton, kpfile after kpfile.

    Args:
        pickle: Table of contents, ``k400_hrnet.pkl``.
        kpfiles: Folder of kpfiles.

    Raises:
        DataError: If the folder is missing or the table is damaged.
    """
    if not kpfiles.is_dir():
        raise DataError("no such folder; unpack kpfiles.zip and name its folder", path=kpfiles)
    table = read_pyskl_pickle(pickle)
    benchmark = BENCHMARKS["kinetics-skeleton"]
    return DatasetReader(
        name=benchmark.name,
        title=benchmark.title,
        layout=benchmark.layout,
        class_names=benchmark.class_names,
        items=sorted(_entries(table, kpfiles), key=lambda clip: clip.kpfile),
        read=read_clip,
        splits=partial(pickle_splits, table.split_parts),
        default_split=next(iter(table.split_parts)),
        has_confidence=benchmark.has_confidence,
    )


def _entries(table: PysklPickle, kpfiles: Path) -> Iterator[KineticsEntry]:
    """Yield the clips of a table, whose paths of kpfiles are replaced by those in a folder."""
    for fields in table.annotations:
        name, frames = fields["frame_dir"], fields.get("frame_inds")
        raw_file = fields.get("raw_file")
        file = PurePath(raw_file).name if isinstance(raw_file, str) else ""
        if not (file and isinstance(frames, np.ndarray) and frames.dtype.kind in "iu"):
            raise DataError("has no raw_file or frame_inds", path=table.path, sample=name)
        numbers = frames.astype(np.int32).tobytes()
        yield KineticsEntry(
            kpfiles / file, name, int(fields["label"]), numbers, fields.get("img_shape")
        )


def read_clip(clip: KineticsEntry) -> SkeletonSequence:
    """Return the skeletons of a clip in pixels, with keypoint confidence, as float16.

    Raises:
        DataError: If its kpfile is missing or damaged or does not fit the table of contents.
    """
    try:
        content = _kpfile(clip.kpfile).get(clip.sample_id)
    except DataError as error:  # the error of a kpfile concerns each clip in it
        problem = str(error).removeprefix(f"{clip.kpfile}: ")
        raise DataError(f"{clip.kpfile.name}: {problem}", sample=clip.sample_id) from error
    keypoint = content.get("keypoint") if isinstance(content, Mapping) else None
    frames = np.frombuffer(clip.frames, dtype=np.int32)
    if not isinstance(keypoint, np.ndarray) or keypoint.dtype.kind != "f":
        raise DataError("is not in its kpfile", path=clip.kpfile, sample=clip.sample_id)
    if keypoint.shape != (len(frames), 17, 3) or not len(frames):
        raise DataError(
            f"has skeletons of shape {keypoint.shape}, expected ({len(frames)}, 17, 3), at least 1",
            path=clip.kpfile,
            sample=clip.sample_id,
        )
    joints = scatter_persons(keypoint, frames, _MAX_PERSONS).astype(np.float16)
    annotation = Annotation(
        clip.sample_id, clip.label, joints[..., :2], joints[..., 2], clip.img_shape
    )
    return read_annotation(annotation, has_confidence=True)


def scatter_persons(
    keypoint: Float[np.ndarray, "n v 3"], frames: Int[np.ndarray, " n"], persons: int
) -> Float[np.ndarray, "m t v 3"]:
    """Return skeletons as an array of persons and frames, without frames of nobody.

    The person of a skeleton is its number within its frame. If any frame has more skeletons than
    ``persons``, those of all frames are first sorted by summed confidence, and only the first
    ``persons`` of a frame are kept.

    Args:
        keypoint: Skeletons, with the keypoint confidence as last channel.
        frames: Frame of each skeleton.
        persons: Largest number of persons.
    """
    frame = np.unique(frames, return_inverse=True)[1]
    crowded = np.bincount(frame).max() > persons
    confidence = keypoint[..., 2].sum(axis=1, dtype=np.float32)
    order = np.lexsort((-confidence, frame)) if crowded else np.argsort(frame, kind="stable")
    frame = frame[order]
    person = np.arange(len(frame)) - np.searchsorted(frame, frame)
    kept = person < persons
    joints = np.zeros((person[kept].max() + 1, frame[-1] + 1, *keypoint.shape[1:]), keypoint.dtype)
    joints[person[kept], frame[kept]] = keypoint[order[kept]]
    return joints


@lru_cache(maxsize=1)
def _kpfile(path: Path) -> Mapping[str, Any]:
    """Return the clips of a kpfile; the last file is cached, as its clips are read one by one."""
    if not path.is_file():
        raise DataError("no such kpfile", path=path)
    clips = load_restricted(path)
    if not isinstance(clips, Mapping):
        raise DataError("is no kpfile: a dictionary of clips is expected", path=path)
    return clips
