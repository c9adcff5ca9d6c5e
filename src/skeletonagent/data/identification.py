"""Benchmark that samples are of, told by their names and labels and not by counts alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from skeletonagent.core.outside_text import brief
from skeletonagent.data.benchmarks import BENCHMARKS, Benchmark


@dataclass(frozen=True)
class SampleFacts:
    """What is known of the samples of a file.

    Args:
        labels: Class index of each sample by its id.
        splits: Names of their splits.
        joints: Number of joints V.
        coordinates: Number of coordinates, 2 or 3.
    """

    labels: Mapping[str, int]
    splits: Collection[str]
    joints: int
    coordinates: int


def identify_benchmark(facts: SampleFacts) -> tuple[Benchmark | None, str]:
    """Return the benchmark that samples are of, if there is one, and what that rests on.

    Joints, splits and number of classes make a benchmark a candidate. It is taken where the names
    of all samples are those of the benchmark and say the labels that they have. Where they do not,
    the reason is returned without a benchmark; it is empty where there is no candidate.

    Args:
        facts: What is known of the samples.
    """
    why = ""
    for benchmark in BENCHMARKS.values():
        same_splits = set(facts.splits) == set(benchmark.protocols)
        if not same_splits or facts.joints != benchmark.layout.num_joints:
            continue
        classes = len(benchmark.class_names)
        if benchmark.first_action is None:
            if max(facts.labels.values()) == classes - 1:
                why = (
                    f"might be {benchmark.title}, with {classes} classes and {facts.joints} "
                    f"joints, but its names do not say so; if it is, add --benchmark "
                    f"{benchmark.name}"
                )
            continue
        problem = contradiction(benchmark, facts) or _foreign_name(benchmark, facts)
        if not problem:
            return benchmark, (
                f"names of all {len(facts.labels)} samples say it, and the labels that they have"
            )
        if max(facts.labels.values()) < classes:
            why = f"not taken for {benchmark.title}, although joints and splits are its: {problem}"
    return None, why


def contradiction(benchmark: Benchmark, facts: SampleFacts) -> str:
    """Return what about samples cannot be of a benchmark, in words; nothing if all can.

    Args:
        benchmark: The benchmark.
        facts: What is known of the samples.
    """
    coordinates = 2 if benchmark.has_confidence else 3
    if facts.joints == benchmark.layout.num_joints and facts.coordinates != coordinates:
        return f"it has {coordinates} coordinates, these have {facts.coordinates}"
    classes = len(benchmark.class_names)
    for sample, label in facts.labels.items():
        if label >= classes:
            return f"it has {classes} classes, sample {brief(sample)} has the label {label}"
        said = _said_label(benchmark, sample)
        if said is not None and said != label:
            return f"sample {brief(sample)} has the label {label}, by its name it would be {said}"
    return ""


def _foreign_name(benchmark: Benchmark, facts: SampleFacts) -> str:
    foreign = [sample for sample in facts.labels if _said_label(benchmark, sample) is None]
    if not foreign:
        return ""
    return f"{len(foreign)} of {len(facts.labels)} names are others, such as {brief(foreign[0])}"


def _said_label(benchmark: Benchmark, sample: str) -> int | None:
    """Return the label that a sample's name says, None if it says none."""
    if benchmark.name_pattern is None or benchmark.first_action is None:
        return None
    match = benchmark.name_pattern.match(sample)
    return int(match["action"]) - benchmark.first_action if match else None
