"""Recordings from arrays and files, with the joints and channels that a recognizer takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.collected_warnings import collected_warnings
from skeletonagent.core.errors import DataError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.joint_matching import match_joints
from skeletonagent.core.joint_names import canonical_name
from skeletonagent.core.layout import COCO_17, COCO_20, SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.core.tensor_like import TensorLike, as_numpy
from skeletonagent.data.keypoints.reading import read_keypoints
from skeletonagent.inference.samples import (
    DEPTH_LEFT_OUT,
    ImageSize,
    Joints,
    holds_samples,
    read_samples,
    sample_from_array,
)
from skeletonagent.pose.estimate import PoseOptions
from skeletonagent.pose.videos import recording_of_video
from skeletonagent.video.reading import is_video

RecordingSource = KeypointRecording | Joints | str | Path


@dataclass(frozen=True)
class InputRecording:
    """Recording whose joints and channels are those that a recognizer takes.

    Args:
        name: Name of the recording.
        joints: Channels of M bodies in T frames; NaN where a joint was not seen.
        persons: Name of each body.
        source: File or folder that it comes from, None if it was in memory.
        fps: Frames a second; None if unknown.
        image_size: Width and height of the image in pixels, where coordinates are its pixels.
        warnings: What had to be assumed, in words.
    """

    name: str
    joints: Float[np.ndarray, "m t v c"]
    persons: tuple[str, ...]
    source: Path | None = None
    fps: float | None = None
    image_size: ImageSize | None = None
    warnings: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def num_frames(self) -> int:
        """Number of frames, T."""
        return int(self.joints.shape[1])

    def seen(self, coordinates: int, least_joints: int) -> Bool[np.ndarray, "m t"]:
        """Return whether each body counts as seen in each frame."""
        visible = ~np.isnan(self.joints[..., :coordinates]).any(axis=-1)
        enough: np.ndarray = visible.sum(axis=-1) >= min(least_joints, self.joints.shape[2])
        return enough


def read_recordings(
    source: RecordingSource,
    input_format: InputFormat,
    *,
    fps: float | None = None,
    image_size: ImageSize | None = None,
    usual_fps: float | None = None,
) -> list[InputRecording]:
    """Return the recordings of a file or folder, or the one in memory.

    Args:
        source: A recording, an array of (T, V, C) or (M, T, V, C), or a path.
        input_format: Joints and channels the recognizer was trained on.
        fps: Frames a second, in place of what the recording says.
        image_size: Width and height of the image in pixels, where the source does not say them.
        usual_fps: Frames a second of the training clips, which are taken where none are known.

    Raises:
        DataError: If it cannot be read, or lacks the joints or channels of the recognizer.
    """
    recordings = list(_recordings(source, input_format))
    return [
        _with_rate(
            replace(
                recording,
                fps=float(fps) if fps else recording.fps,
                image_size=recording.image_size or image_size,
            ),
            usual_fps,
        )
        for recording in recordings
    ]


def _with_rate(recording: InputRecording, usual_fps: float | None) -> InputRecording:
    """Return a recording whose frame rate is the usual one if it is not known."""
    if recording.fps or not usual_fps or recording.num_frames < 2:
        return recording
    word = (
        f"frames a second are unknown; the {usual_fps:g} of the training clips are taken. Say "
        "others with fps (--fps)"
    )
    return replace(recording, fps=usual_fps, warnings=(*recording.warnings, word))


def _recordings(source: RecordingSource, input_format: InputFormat) -> Sequence[InputRecording]:
    if isinstance(source, KeypointRecording):
        return [fit_recording(source, input_format)]
    with collected_warnings() as words:
        recordings = (
            _of_path(Path(source).expanduser(), input_format)
            if isinstance(source, (str, Path))
            else [_of_array(source, input_format)]
        )
    return [replace(r, warnings=(*dict.fromkeys(words), *r.warnings)) for r in recordings]


def _of_path(path: Path, input_format: InputFormat) -> Sequence[InputRecording]:
    """Return the recordings of samples if they have the joints, else of keypoints or a video."""
    if is_video(path):
        options = PoseOptions(world=input_format.coordinates == 3)
        return [fit_recording(recording_of_video(path, options), input_format)]
    problem = None
    if holds_samples(path):
        try:
            samples = read_samples(path, input_format)
            return [_of_sample(sample, input_format, path) for sample in samples]
        except DataError as error:
            problem = error
    try:
        return [fit_recording(recording, input_format) for recording in read_keypoints(path)]
    except DataError as error:
        raise problem or error from error


def _of_array(array: np.ndarray | TensorLike, input_format: InputFormat) -> InputRecording:
    shape = tuple(array.shape)
    if len(shape) in (3, 4) and 0 in shape[:-2]:
        return InputRecording("recording", _nobody(shape, input_format), _numbered(shape))
    words: tuple[str, ...] = ()
    joints: np.ndarray = as_numpy(array)
    if np.issubdtype(joints.dtype, np.floating) and np.isinf(joints).any():
        joints = np.where(np.isinf(joints), np.nan, joints)
        words = ("joints with infinite numbers count as not seen",)
    sample = sample_from_array(joints, "recording", input_format)
    return replace(_of_sample(sample, input_format, None), warnings=words)


def _nobody(shape: Sequence[int], input_format: InputFormat) -> Float[np.ndarray, "m t v c"]:
    m, t = shape[:-2] if len(shape) == 4 else (1, shape[0])
    v, c = input_format.layout.num_joints, input_format.channels
    return np.full((m, t, v, c), np.nan, dtype=np.float32)


def _numbered(shape: Sequence[int]) -> tuple[str, ...]:
    return tuple(str(number + 1) for number in range(shape[0] if len(shape) == 4 else 1))


def _of_sample(
    sample: SkeletonSequence, input_format: InputFormat, path: Path | None
) -> InputRecording:
    """Return a stored sample, whose absent joints are zeros, as a recording."""
    joints = sample.joints.astype(np.float32)
    joints[~joints[..., : input_format.coordinates].any(axis=-1)] = np.nan
    return InputRecording(
        sample.sample_id,
        joints,
        _numbered(joints.shape),
        source=path,
        image_size=sample.image_size,
    )


def fit_recording(recording: KeypointRecording, input_format: InputFormat) -> InputRecording:
    """Return a recording with the joints of a recognizer, found by their names.

    Joints that the recording lacks count as not seen. Without names, as many joints as wanted are
    taken in their order. What is assumed is said in the warnings.

    Raises:
        DataError: If hardly any joint is found, or coordinates are missing.
    """
    words: list[str] = []
    m = len(recording.joints)
    if recording.seen.any():
        joints = _fit_joints(recording, input_format, words)
        joints = _fit_channels(joints, recording, input_format, words)
    else:  # which joints are not there does not matter
        joints = _nobody((m, recording.num_frames, 0, 0), input_format)
    named = recording.person_ids if len(recording.person_ids) == m else ()
    return InputRecording(
        recording.name,
        joints,
        tuple(map(str, named)) or tuple(str(number + 1) for number in range(m)),
        source=recording.source,
        fps=recording.fps,
        image_size=recording.image_size,
        warnings=tuple(words),
    )


def _fit_joints(
    recording: KeypointRecording, input_format: InputFormat, words: list[str]
) -> Float[np.ndarray, "m t v d"]:
    """Return coordinates and, where the recording has it, confidence, in the wanted order."""
    given, wanted = recording.joints, input_format.layout
    values = (
        given
        if recording.confidence is None
        else np.concatenate([given, recording.confidence[..., None]], axis=-1)
    )
    values = values.astype(np.float32)
    if np.isinf(values).any():
        values[np.isinf(values)] = np.nan
        words.append("joints with infinite numbers count as not seen")
    values[~recording.seen] = np.nan
    layout = recording.layout
    names = recording.joint_names if layout is None else layout.joints
    if names is None:
        return _unnamed_joints(values, recording, wanted, words)
    order = joint_places(names, layout, wanted)
    fitted = np.full((*values.shape[:2], wanted.num_joints, values.shape[-1]), np.nan, np.float32)
    for joint, place in enumerate(order):
        if place is not None:
            fitted[:, :, joint] = values[:, :, place]
    missing = [name for name, place in zip(wanted.joints, order, strict=True) if place is None]
    if wanted.joints == COCO_20.joints and set(missing) <= set(COCO_20.joints[17:]):
        return _with_middles(fitted)
    if 2 * len(missing) > wanted.num_joints:
        raise DataError(
            f"lacks {len(missing)} of the {wanted.num_joints} joints of {wanted.name}, such as "
            f"{', '.join(missing[:3])}; its joints are {', '.join(names)[:200]}. Rename them, or "
            "train on recordings of this kind",
            path=recording.source,
            sample=recording.name,
        )
    if missing:
        words.append(f"joints that the recording lacks count as not seen: {', '.join(missing)}")
    return fitted


def joint_places(
    names: Sequence[str], layout: SkeletonLayout | None, wanted: SkeletonLayout
) -> list[int | None]:
    """Return the given joint that each wanted one is: of the same name, or of one that means it.

    Args:
        names: Names of the given joints.
        layout: Their skeleton, where it is known.
        wanted: Skeleton of the wanted joints.
    """
    places = {canonical_name(name): place for place, name in enumerate(names)}
    alike: Sequence[int | None] = [None] * wanted.num_joints
    if len(set(names)) == len(names):
        alike = match_joints(layout or SkeletonLayout("recording", tuple(names), ()), wanted)
    return [
        places.get(canonical_name(name), same)
        for name, same in zip(wanted.joints, alike, strict=True)
    ]


def _unnamed_joints(
    values: Float[np.ndarray, "m t v d"],
    recording: KeypointRecording,
    wanted: SkeletonLayout,
    words: list[str],
) -> Float[np.ndarray, "m t u d"]:
    count = recording.num_joints
    if count == wanted.num_joints:
        words.append(f"its joints have no names; they are taken to be those of {wanted.name}")
        return values
    if wanted.joints == COCO_20.joints and count == COCO_17.num_joints:
        words.append(f"its joints have no names; they are taken to be those of {COCO_17.name}")
        absent = np.full((*values.shape[:2], 3, values.shape[-1]), np.nan, np.float32)
        return _with_middles(np.concatenate([values, absent], axis=2))
    raise DataError(
        f"has {count} joints without names; the recognizer takes the {wanted.num_joints} of "
        f"{wanted.name}. Name them in the file, or give its layout",
        path=recording.source,
        sample=recording.name,
    )


def _with_middles(joints: Float[np.ndarray, "m t 20 d"]) -> Float[np.ndarray, "m t 20 d"]:
    """Return joints of COCO-20 whose middles of hips and shoulders are means, where absent."""
    place = COCO_20.joints.index
    hips = (joints[:, :, place("left hip")] + joints[:, :, place("right hip")]) / 2
    shoulders = (joints[:, :, place("left shoulder")] + joints[:, :, place("right shoulder")]) / 2
    middles = np.stack([hips, (hips + shoulders) / 2, shoulders], axis=2)
    completed = joints.copy()
    completed[:, :, 17:] = np.where(np.isnan(joints[:, :, 17:]), middles, joints[:, :, 17:])
    return completed


def _fit_channels(
    joints: Float[np.ndarray, "m t v d"],
    recording: KeypointRecording,
    input_format: InputFormat,
    words: list[str],
) -> Float[np.ndarray, "m t v c"]:
    """Return the channels that the recognizer takes."""
    given, wanted = recording.coordinates, input_format.coordinates
    if given < wanted:
        raise DataError(
            f"has joints in {given}D, and the recognizer was trained on {wanted}D; train one on "
            "joints of this kind",
            path=recording.source,
            sample=recording.name,
        )
    if given > wanted:
        words.append(DEPTH_LEFT_OUT)
    channels = joints[..., :wanted]
    if not input_format.has_confidence:
        return channels
    if recording.confidence is None:
        words.append("it has no keypoint confidence; joints that are seen count as certain")
        confidence = np.where(np.isnan(channels).any(axis=-1, keepdims=True), np.nan, 1.0)
    else:
        confidence = np.nan_to_num(joints[..., -1:])
    return np.concatenate([channels, confidence.astype(np.float32)], axis=-1)
