"""Settings of data sets, clips and augmentation: the sections data, clips and augment.

The docstrings here are the source of the settings reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval
from pydantic import BeforeValidator

from skeletonagent.core.streams import Stream


class Origin(StrEnum):
    """Point that becomes zero when a sample is centred, taken from its first frame with a person.

    - ``person``: the centre joint of the first person (the NTU recipe, spec 2.2).
    - ``group``: the mean of the centre joints of all persons in that frame, so that the
      coordinates of each body show on which side of the others it is; a recognizer that sees one
      body at a time could not learn that otherwise. For one person the same as ``person``.
    - ``none``: no centring, coordinates stay as stored (the released recipe of 2D data sets).
    """

    PERSON = "person"
    GROUP = "group"
    NONE = "none"


class Scale(StrEnum):
    """Size that a sample's coordinates are divided by before training.

    - ``none``: no scaling, coordinates stay as stored.
    - ``image``: the longer side of the sample's image; if the size of the image is not known, the
      root mean square distance of the sample's joints from their mean. For coordinates in pixels,
      which depend on the camera.
    - ``body``: the mean length of the bones, over the frames and bodies in which they are seen, so
      that coordinates are in bone lengths whatever the person, the camera and the unit.
    """

    NONE = "none"
    IMAGE = "image"
    BODY = "body"


def _renamed_scale(value: Any) -> Any:
    """Refuse the former name of a scale.

    Raises:
        ValueError: If it is that name, with the present one.
    """
    if value == "unit":
        raise ValueError("'unit' is called 'image' now; 'body' divides by the length of the bones")
    return value


class Orientation(StrEnum):
    """Axes of the coordinates that a sample is turned to.

    - ``camera``: no turning, axes stay as stored.
    - ``heading``: turned about the vertical axis y until the body's left points along x, so that
      it does not matter where a camera stands. For 3D joints.
    - ``body``: turned until the body's left points along x and the way from its legs to its head
      along y, so that the tilt of a camera does not matter either, nor whether y points up or
      down; a body that lies becomes one that stands. For 3D joints.

    With ``origin: group`` the line from the first to the second body takes the place of the left.
    """

    CAMERA = "camera"
    HEADING = "heading"
    BODY = "body"


class OrientationPer(StrEnum):
    """Part of a sample that is turned as one.

    - ``clip``: the whole sample, by the mean of its axes, so that turns of the body remain.
    - ``frame``: each frame by its own axes, those of the frames before and after where joints are
      absent; turns of the whole body are lost.
    """

    CLIP = "clip"
    FRAME = "frame"


class Gaps(StrEnum):
    """Joints that are absent in some frames, although their body is there before and after.

    - ``keep``: they stay absent.
    - ``interpolate``: they are interpolated in time between the frames in which they are seen, and
      held before the first and after the last of these. A joint that is never seen stays absent,
      and so do all joints before their body comes and after it leaves.
    """

    KEEP = "keep"
    INTERPOLATE = "interpolate"


class Imputation(StrEnum):
    """Joints that are absent after ``gaps``, while others of their body are seen.

    - ``none``: they stay absent.
    - ``pose``: they lie where the joints that are seen let expect them, by the poses of the
      training clips, a normal distribution that is kept with the run. Keypoint confidence stays
      as it is. A joint that no training clip shows stays absent, and so does a body that is not
      seen; where no joint is absent, nothing changes.
    """

    NONE = "none"
    POSE = "pose"


class AbsentRule(StrEnum):
    """What an absent joint, stored as zeros, counts as.

    - ``masked``: it is no place: no origin, middle joint, bone or motion is computed from it. Of
      several bodies the one that is seen in most frames comes first, bodies that a tracker
      numbered anew are joined, and frames are left out where nobody is seen.
    - ``zero``: a joint at zero, as in the recipes of the paper's benchmarks (spec 2.2). Frames
      without the first body are left out; of two bodies the one seen in more frames comes first.
    """

    MASKED = "masked"
    ZERO = "zero"


class Placement(StrEnum):
    """Memory in which the frames of a data set are kept during training and testing.

    - ``auto``: the first of ``device``, ``host`` and ``disk`` that has enough free memory.
    - ``device``: all frames in the memory of the device.
    - ``host``: all frames in the memory of the machine; shards are copied to the device.
    - ``disk``: frames stay in the archive, which must be a folder; shards are read and copied to
      the device.
    """

    AUTO = "auto"
    DEVICE = "device"
    HOST = "host"
    DISK = "disk"


class FrameSampling(StrEnum):
    """Sampling of a clip's T frames from a sample, or from the window it is cropped to.

    - ``segments``: frames of the sample as they are: a longer sample is subsampled at random, a
      shorter one repeated (spec 2.2).
    - ``linear``: the window is resampled to T frames at even distances, by linear interpolation
      between neighbouring frames; nothing is repeated. Motion streams are differences of the
      resampled clip. The first test clip covers the whole sample, the others windows of 0.88 of
      it, evenly spread from its start to its end.
    """

    SEGMENTS = "segments"
    LINEAR = "linear"


class SamplingRule(StrEnum):
    """Start of the test clips of samples shorter than a clip; longer samples do not depend on it.

    - ``decode``: random frames, always the same ones for the same length.
    - ``frames``: evenly spread frames, as in the released code for 2D data sets (spec 2.2).
    """

    DECODE = "decode"
    FRAMES = "frames"


class MotionRule(StrEnum):
    """Order of frame sampling and frame differences in the motion streams.

    - ``before``: differences are taken before sampling, between neighbouring frames of the sample.
    - ``after``: differences are taken after sampling, between neighbouring frames of the clip;
      they jump where a short sample is repeated and from one test clip to the next, as in the
      released code for 2D data sets (spec 2.2).
    """

    BEFORE = "before"
    AFTER = "after"


class ConfidenceRule(StrEnum):
    """Confidence of a bone or a motion, computed from the keypoint confidences at both ends.

    - ``mean``: the mean of both confidences.
    - ``difference``: the difference of both confidences, as in the released code (spec 2.2); it
      is zero where all confidences are equal.
    """

    MEAN = "mean"
    DIFFERENCE = "difference"


Dims = Literal["auto", 2]
"""Coordinates of the clips: those that the data have, or x and y alone."""


@dataclass(frozen=True)
class DataSettings:
    """Data set and its preprocessing.

    Args:
        archive: Path of a skeleton archive, or ``synthetic`` for the generated data set.
        split: Name of the split that divides the samples into training and test set; none for
            the default split of the archive.
        origin: Point that becomes zero when a sample is centred.
        scale: Size that a sample's coordinates are divided by.
        orientation: Axes of the coordinates that a sample is turned to.
        orientation_per: Part of a sample that is turned as one.
        gaps: What becomes of joints that are absent in some frames.
        imputation: What becomes of joints that are absent then; only with ``absent_rule: masked``.
        absent_rule: What an absent joint counts as.
        dims: Coordinates of the clips: ``auto`` for those of the data, or ``2`` for x and y alone,
            so that the recognizer takes joints of pictures. Joints in 3D are turned, and rotated at
            random in training, before their depth is dropped; y points up in any data.
        confidence: Whether the keypoint confidence is an input channel after the coordinates;
            the archive must contain it.
        storage_dtype: Number format of the frames in the memory of the device; clips are always
            float32.
        placement: Memory in which the frames are kept.
        shard_megabytes: Size of a shard in megabytes of float32 numbers, above 0, where frames
            are copied to the device in shards; the device needs about five times as much memory.
        clips_per_class: Largest number of training clips of a class, drawn at random and spread
            over the subjects where these are known; none for all. The validation set is taken from
            within them; there is none where they are so few that a class would be left without.
        draw_seed: Seed of that draw. With the same seed, fewer clips are a part of more.
    """

    archive: str = "synthetic"
    split: str | None = None
    origin: Origin = Origin.PERSON
    scale: Annotated[Scale, BeforeValidator(_renamed_scale)] = Scale.NONE
    orientation: Orientation = Orientation.CAMERA
    orientation_per: OrientationPer = OrientationPer.CLIP
    gaps: Gaps = Gaps.KEEP
    imputation: Imputation = Imputation.NONE
    absent_rule: AbsentRule = AbsentRule.MASKED
    dims: Dims = "auto"
    confidence: bool = False
    storage_dtype: Literal["float32", "float16"] = "float32"
    placement: Placement = Placement.AUTO
    shard_megabytes: Annotated[float, Gt(0)] = 256
    clips_per_class: Annotated[int, Ge(1)] | None = None
    draw_seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class ClipSettings:
    """Clips that are sampled from the data set and given to the recognizer.

    Args:
        frames: Number of frames of a clip (T), at least 1.
        stream: Input stream: joints, bones or k-bones, or the motion of one of them.
        test_clips: Number of clips of a test sample whose class probabilities are averaged, at
            least 1.
        test_sampling: Start of the test clips of samples shorter than a clip, where sampling is
            ``segments``.
        motion_rule: Order of frame sampling and frame differences in the motion streams, where
            sampling is ``segments``.
        confidence_rule: Confidence of bones and motions, where confidence is an input channel.
        sampling: Sampling of a clip's frames: frames of the sample, or interpolated between them.
    """

    frames: Annotated[int, Ge(1)] = 100
    stream: Stream = Stream.JOINT
    test_clips: Annotated[int, Ge(1)] = 10
    test_sampling: SamplingRule = SamplingRule.DECODE
    motion_rule: MotionRule = MotionRule.BEFORE
    confidence_rule: ConfidenceRule = ConfidenceRule.MEAN
    sampling: FrameSampling = FrameSampling.SEGMENTS

    @property
    def differences_first(self) -> bool:
        """Whether frame differences are taken before frames are sampled and augmented."""
        before = self.motion_rule is MotionRule.BEFORE
        return self.stream.is_motion and before and self.sampling is FrameSampling.SEGMENTS


@dataclass(frozen=True)
class AugmentSettings:
    """Random augmentation of training clips, drawn for each clip.

    Args:
        rotation: Largest rotation angle about each axis, in radians, from 0 (no rotation) to 3.15.
        scale: Largest relative change of size, from 0 (no change) to below 1.
        mirror: Probability of a horizontal flip, from 0 to 1. A flipped clip of a class that names
            a side (``left kick``, ``clockwise``) gets the label of the class that names the other
            side; where there is none, the clips of the class are not flipped.
        crop: Smallest share of a sample's frames that the clip is sampled from, above 0 up to 1
            (all frames).
        swap: Probability that left and right joints exchange their names and keep their
            positions, from 0 to 1; this is what the released code does for a horizontal flip
            (spec 2.2), although no body can make such a pose.
        part_drop: Probability that one arm or leg is set to zero before bones are computed, from
            0 to 1.
        yaw: Largest rotation angle about the vertical axis y beyond that of ``rotation``, in
            radians, from 0 to 3.15 (all around); for 3D joints alone.
        axis_scale: Relative change of size along each axis by itself: standard deviation of the
            logarithm of a random factor, from 0 (no change) to 1.
        warp: Largest relative change of speed within a clip, from 0 (steady) to below 1: the clip
            is faster in one part and slower in another, and takes as long as before. Only with
            ``clips.sampling: linear``.
        jitter: Standard deviation of random noise on each coordinate of each seen joint in each
            frame, as a share of the clip's spread (the root mean square deviation of its joints
            from their mean), from 0 (none) to 1. Not for motion streams whose frame differences
            are taken first, see ``clips.motion_rule``.
        joint_drop: Probability of each joint of each body to be absent in all frames, from 0 to 1.
        occlusion: Probability of each body that one of its arms or legs is absent in half of the
            frames, in a row from a random one on, from 0 to 1. Of motion streams whose frame
            differences are taken first, the differences are zero in these frames.
        person_swap: Probability that the bodies of a clip of two exchange places, from 0 to 1.
        keep_sides: Whether a clip in which two bodies changed sides, by ``mirror`` or
            ``person_swap``, gets a half turn about the vertical axis; for pairs that
            ``data.orientation`` turns to the line between them. In 3D alone, and not for motion
            streams whose frame differences are taken first.
        depth_drop: Probability that joints in 3D lose their depth once they are rotated, from 0
            to 1: their z is zero, so that clips also show what a picture shows.
    """

    rotation: Annotated[float, Interval(ge=0, le=3.15)] = 0.2
    scale: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    mirror: Annotated[float, Interval(ge=0, le=1)] = 0.0
    crop: Annotated[float, Interval(gt=0, le=1)] = 1.0
    swap: Annotated[float, Interval(ge=0, le=1)] = 0.0
    part_drop: Annotated[float, Interval(ge=0, le=1)] = 0.0
    yaw: Annotated[float, Interval(ge=0, le=3.15)] = 0.0
    axis_scale: Annotated[float, Interval(ge=0, le=1)] = 0.0
    warp: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    jitter: Annotated[float, Interval(ge=0, le=1)] = 0.0
    joint_drop: Annotated[float, Interval(ge=0, le=1)] = 0.0
    occlusion: Annotated[float, Interval(ge=0, le=1)] = 0.0
    person_swap: Annotated[float, Interval(ge=0, le=1)] = 0.0
    keep_sides: bool = False
    depth_drop: Annotated[float, Interval(ge=0, le=1)] = 0.0
