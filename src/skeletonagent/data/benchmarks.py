"""Benchmarks: classes, skeletons and evaluation protocols, one row each in :data:`BENCHMARKS`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, KINECT_25, UAV_17, SkeletonLayout
from skeletonagent.core.sequences import Split

NTU_TRAIN_SUBJECTS = frozenset({
    1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38, 45, 46, 47, 49, 50,
    *range(52, 60), 70, 74, 78, *range(80, 87), 89, *range(91, 96), 97, 98, 100, 103,
})  # fmt: skip
"""Training subjects of X-Sub in both NTU benchmarks. Source: Liu et al., NTU RGB+D 120."""

NTU_NAME = re.compile(
    r"S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<subject>\d{3})R(?P<repetition>\d{3})A(?P<action>\d{3})"
)
UAV_NAME = re.compile(r"P(?P<subject>\d{3}).*?A(?P<action>\d+)")
SMALL_NAME = re.compile(r"a(?P<action>\d\d)_s(?P<subject>\d\d)(?:_.*v(?P<view>\d\d))?")

NameFields = Mapping[str, int]
"""Numbers in a sample's id by name, such as its subject."""


@dataclass(frozen=True)
class EvaluationProtocol:
    """Division of a benchmark into training and test set.

    Args:
        title: Display name.
        is_train: Rule that decides by the fields of a sample's id whether it is in the training
            set; None where lists of samples come with the data.
        expected_counts: Published numbers of training and test samples, if any.
    """

    title: str
    is_train: Callable[[NameFields], bool] | None = None
    expected_counts: tuple[int, int] | None = None


@dataclass(frozen=True)
class Benchmark:
    """Public data set with its classes, skeleton and evaluation protocols.

    Args:
        name: Short name.
        title: Display name.
        layout: Skeleton as distributed.
        class_file: Resource with the class names, in the order of the labels.
        protocols: Evaluation protocols by the name of their split, the usual one first.
        name_pattern: Pattern of sample ids, with each field as a named group of digits.
        first_action: Field ``action`` of the class with label 0, where that field is the class.
        max_persons: Largest number of bodies of a sample that are used.
        has_confidence: Whether joints have a keypoint confidence.
        topk: The k of each top-k accuracy that is reported.
    """

    name: str
    title: str
    layout: SkeletonLayout
    class_file: str
    protocols: Mapping[str, EvaluationProtocol]
    name_pattern: re.Pattern[str] | None = None
    first_action: int | None = None
    max_persons: int = 2
    has_confidence: bool = False
    topk: tuple[int, ...] = (1,)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Class names in the order of the labels."""
        return _lines(self.class_file)

    @property
    def default_split(self) -> str:
        """Name of the split that is used by default."""
        return next(iter(self.protocols))

    def fields(self, sample_id: str) -> NameFields:
        """Return the fields of a sample's id; none if ids of this benchmark have no fields.

        Raises:
            DataError: If it is not an id of this benchmark.
        """
        if self.name_pattern is None:
            return {}
        match = self.name_pattern.match(sample_id)
        if match is None:
            raise DataError(f"is no name of {self.title}", sample=sample_id)
        return {key: int(digits) for key, digits in match.groupdict().items() if digits}

    def subject(self, sample_id: str) -> int | None:
        """Return the subject of a sample, if its id has that field."""
        match = self.name_pattern is not None and self.name_pattern.match(sample_id)
        return int(match["subject"]) if match else None

    def splits(self, sample_ids: Sequence[str]) -> dict[str, Split]:
        """Return the splits of all protocols that have a rule, by name."""
        samples = [(sample, self.fields(sample)) for sample in sample_ids]
        return {
            name: Split(
                train=tuple(sample for sample, fields in samples if protocol.is_train(fields)),
                test=tuple(sample for sample, fields in samples if not protocol.is_train(fields)),
            )
            for name, protocol in self.protocols.items()
            if protocol.is_train is not None
        }


def find_benchmark(name: str) -> Benchmark | None:
    """Return the benchmark of a name, written with hyphens or underscores in either case."""
    return BENCHMARKS.get(name.lower().replace("_", "-"))


@cache
def missing_ntu() -> frozenset[str]:
    """Return the samples of NTU RGB+D (120) whose skeletons are missing or incomplete."""
    return frozenset(_lines("ntu120_missing.txt"))


def _lines(file: str) -> tuple[str, ...]:
    return tuple(_text(file).splitlines())


def _text(file: str) -> str:
    return (files("skeletonagent.data") / "resources" / file).read_text(encoding="utf-8")


@cache
def _uav_subjects(protocol: str) -> frozenset[int]:
    return frozenset(json.loads(_text("uav_train_subjects.json"))[protocol])


def _layout(name: str, center: int, joints: str, parents: Sequence[int]) -> SkeletonLayout:
    """Return a layout of joints with their parents; the parent of the root is -1."""
    bones = tuple((child, parent) for child, parent in enumerate(parents) if parent >= 0)
    return SkeletonLayout(name, tuple(joints.split()), bones, center)


_KINECT_LIMBS = """left_shoulder left_elbow left_wrist left_hand
    right_shoulder right_elbow right_wrist right_hand
    left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot"""

_BENCHMARKS = (
    Benchmark(
        "ntu60", "NTU RGB+D 60", KINECT_25, "nturgbd_60.txt",
        {
            "xsub": EvaluationProtocol(
                "cross-subject",
                lambda fields: fields["subject"] in NTU_TRAIN_SUBJECTS,
                (40091, 16487),
            ),
            "xview": EvaluationProtocol(
                "cross-view", lambda fields: fields["camera"] != 1, (37646, 18932)
            ),
        },
        name_pattern=NTU_NAME,
        first_action=1,
    ),
    Benchmark(
        "ntu120", "NTU RGB+D 120", KINECT_25, "nturgbd_120.txt",
        {
            "xsub": EvaluationProtocol(
                "cross-subject",
                lambda fields: fields["subject"] in NTU_TRAIN_SUBJECTS,
                (63026, 50919),
            ),
            "xset": EvaluationProtocol(
                "cross-setup", lambda fields: fields["setup"] % 2 == 0, (54468, 59477)
            ),
        },
        name_pattern=NTU_NAME,
        first_action=1,
    ),
    Benchmark(
        "kinetics-skeleton", "Kinetics-Skeleton (400)", COCO_17, "k400.txt",
        {"standard": EvaluationProtocol("as distributed")},
        has_confidence=True,
        topk=(1, 5),
    ),
    Benchmark(
        "finegym", "FineGYM (99)", COCO_17, "finegym.txt",
        {"standard": EvaluationProtocol("as distributed")},
        has_confidence=True,
    ),
    Benchmark(
        "uav-human", "UAV-Human", UAV_17, "uav_human.txt",
        {
            "csv1": EvaluationProtocol(
                "cross-subject v1", lambda fields: fields["subject"] in _uav_subjects("CS_train_V1")
            ),
            "csv2": EvaluationProtocol(
                "cross-subject v2", lambda fields: fields["subject"] in _uav_subjects("CS_train_V2")
            ),
        },
        name_pattern=UAV_NAME,
        first_action=0,
        has_confidence=True,
    ),
    Benchmark(
        "nw-ucla", "Northwestern-UCLA",
        _layout(
            "nw-ucla", 2, f"hip_center spine shoulder_center head {_KINECT_LIMBS}",
            (1, 2, -1, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18),
        ),
        "nw_ucla.txt",
        {
            "xview_v12_v3": EvaluationProtocol(
                "cross-view", lambda fields: fields["view"] != 3, (1020, 464)
            )
        },
        name_pattern=SMALL_NAME,
        max_persons=1,
    ),
    Benchmark(
        "utd-mhad", "UTD-MHAD",
        _layout(
            "utd-mhad", 1, f"head shoulder_center spine hip_center {_KINECT_LIMBS}",
            (1, -1, 1, 2, 1, 4, 5, 6, 1, 8, 9, 10, 3, 12, 13, 14, 3, 16, 17, 18),
        ),
        "utd_mhad.txt",
        {
            "xsub_odd_even": EvaluationProtocol(
                "cross-subject", lambda fields: fields["subject"] % 2 == 1, (431, 430)
            )
        },
        name_pattern=SMALL_NAME,
        max_persons=1,
    ),
    Benchmark(
        "sbu", "SBU Kinect Interaction",
        _layout(
            "sbu", 2,
            "head neck torso left_shoulder left_elbow left_hand right_shoulder right_elbow "
            "right_hand left_hip left_knee left_foot right_hip right_knee right_foot",
            (1, -1, 1, 1, 3, 4, 1, 6, 7, 2, 9, 10, 2, 12, 13),
        ),
        "sbu.txt",
        {f"fold{fold}": EvaluationProtocol(f"fold {fold} of 5") for fold in range(1, 6)},
    ),
    Benchmark(
        "jhmdb", "JHMDB",
        _layout(
            "jhmdb", 0,
            "neck belly face right_shoulder left_shoulder right_hip left_hip right_elbow "
            "left_elbow right_knee left_knee right_wrist left_wrist right_ankle left_ankle",
            (-1, 0, 0, 0, 0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 10),
        ),
        "jhmdb.txt",
        {
            "split1": EvaluationProtocol("split 1 of 3", expected_counts=(660, 268)),
            "split2": EvaluationProtocol("split 2 of 3", expected_counts=(658, 270)),
            "split3": EvaluationProtocol("split 3 of 3", expected_counts=(663, 265)),
        },
        max_persons=1,
    ),
)  # fmt: skip

BENCHMARKS: Mapping[str, Benchmark] = {benchmark.name: benchmark for benchmark in _BENCHMARKS}
"""All benchmarks by name."""


def expected_counts(name: str) -> dict[str, tuple[int, int]]:
    """Return the published numbers of samples, where the name is a benchmark's."""
    benchmark = find_benchmark(name)
    protocols = benchmark.protocols.items() if benchmark else ()
    return {
        split: protocol.expected_counts for split, protocol in protocols if protocol.expected_counts
    }


def unexpected_counts(name: str, splits: dict[str, tuple[int, int]]) -> list[str]:
    """Return a line for each split of a benchmark whose numbers of samples are not as published."""
    return [
        f"split {split} has {splits[split][0]} to train and {splits[split][1]} to test; published "
        f"are {train} and {test}"
        for split, (train, test) in expected_counts(name).items()
        if split in splits and splits[split] != (train, test)
    ]
