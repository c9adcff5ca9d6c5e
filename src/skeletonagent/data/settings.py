"""TODO."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval

from skeletonagent.core.streams import Stream


class Origin(StrEnum):
    """Where a sample is centred, in the first frame with a person.

    ``person``: on the first person (the NTU recipe, spec 2.2). ``group``: midway between all who
    are there, so that each body's own track tells on which side of the others it is, which a
    recognizer that looks at one body at a time could not know. For one person both are the same.
    ``none``: nowhere, everything stays as it is stored (the released recipe of 2D sets).
    """

    PERSON = "person"
    GROUP = "group"
    NONE = "none"


class Scale(StrEnum):
    """Which size a sample is brought to, once.

    ``none``: as stored. ``unit``: divided by the longer side of its image; where that is not
    known, by the root mean square distance of its joints from their mean. For pixels, which
    otherwise depend on the camera.
    """

    NONE = "none"
    UNIT = "unit"


class Placement(StrEnum):
    """Where the frames of a data set are kept.

    ``device``: all on the device. ``host``: in the machine's memory, from where shards are brought
    to the device. ``disk``: in the archive, a folder, from where shards are read. ``auto``: the
    first of these three that has room for them.
    """

    AUTO = "auto"
    DEVICE = "device"
    HOST = "host"
    DISK = "disk"


class SamplingRule(StrEnum):
    """Where the test clips of a sample shorter than a clip start (spec 2.2); all else is the same.

    ``decode``: anywhere, at random. ``frames``: spread evenly, as the released code does it on its
    2D sets.
    """

    DECODE = "decode"
    FRAMES = "frames"


class MotionRule(StrEnum):
    """When differences over time are taken.

    ``before`` sampling: between neighbouring frames of the sample. ``after`` it: between frames of
    the clip, with a jump where a short sample starts again and where the next test clip begins, as
    the released code does it on its 2D sets (spec 2.2).
    """

    BEFORE = "before"
    AFTER = "after"


class ConfidenceRule(StrEnum):
    """What the score of a bone or a motion is: the mean of both ends', or their difference.

    The released code takes the difference (spec 2.2), which is zero where all scores are alike.
    """

    MEAN = "mean"
    DIFFERENCE = "difference"


@dataclass(frozen=True)
class ClipSettings:
    """What a clip is.

    Args:
        frames: T, frames a clip is sampled to.
        stream: Which quantity of the skeleton is seen.
        test_clips: Clips of a test sample whose scores are averaged.
        test_sampling: Where test clips of short samples start.
        motion_rule: When differences over time are taken.
        confidence_rule: What the scores of bones and motions are.
    """

    frames: Annotated[int, Ge(1)] = 100
    stream: Stream = Stream.JOINT
    test_clips: Annotated[int, Ge(1)] = 10
    test_sampling: SamplingRule = SamplingRule.DECODE
    motion_rule: MotionRule = MotionRule.BEFORE
    confidence_rule: ConfidenceRule = ConfidenceRule.MEAN


@dataclass(frozen=True)
class AugmentSettings:
    """Random changes of training clips.

    Args:
        rotation: Largest angle about each axis, in radians.
        scale: Largest relative change of size.
        mirror: Probability of the left-right mirror image; 0 where classes name a side.
        crop: Smallest share of a clip's frames that is kept; 1 keeps them all.
        swap: Probability that left and right joints change places and stay where they are, which
            no body can do; the released code's stand-in for a mirror image (spec 2.2).
        part_drop: Probability that an arm or a leg is set to zero, before bones are taken.
    """

    rotation: Annotated[float, Interval(ge=0, le=3.15)] = 0.2
    scale: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    mirror: Annotated[float, Interval(ge=0, le=1)] = 0.0
    crop: Annotated[float, Interval(gt=0, le=1)] = 1.0
    swap: Annotated[float, Interval(ge=0, le=1)] = 0.0
    part_drop: Annotated[float, Interval(ge=0, le=1)] = 0.0


@dataclass(frozen=True)
class DataSettings:
    """Which data.

    Args:
        archive: Path of a skeleton archive, or ``synthetic`` for the generated data set.
        split: Name of the split; none takes the archive's default.
        origin: Where a sample of several persons is centred.
        scale: By what a sample's coordinates are divided, for joints in pixels.
        confidence: Whether the detector's confidence is a channel beside the coordinates.
        storage_dtype: Number format of the joints in device memory; clips are float32 in any case.
        placement: Where the joints are kept: on the ``device``, in the memory of the ``host``, on
            ``disk`` (an archive that is a folder), or, by itself, the first of these with room.
        shard_megabytes: How many of them are brought to the device at a time, where they are not
            kept there; about five times as much of its memory is taken.
    """

    archive: str = "synthetic"
    split: str | None = None
    origin: Origin = Origin.PERSON
    scale: Scale = Scale.NONE
    confidence: bool = False
    storage_dtype: Literal["float32", "float16"] = "float32"
    placement: Placement = Placement.AUTO
    shard_megabytes: Annotated[float, Gt(0)] = 256
