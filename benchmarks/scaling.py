"""Growth of costs: processor time at doubling sizes, and the exponent of the power law that fits.

Clips, persons, frames, joints, classes and rounds of the agents are doubled one at a time. An
exponent of one means a cost in proportion to the size; constant parts make it smaller. Processor
time of one thread, the least of several repeats, so that other work on the machine matters little.

Example:
  python -m benchmarks.scaling --json scaling.json
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.measuring import Work, print_rows, write_facts
from skeletonagent.agents.evidence.analyst import Analyst
from skeletonagent.agents.evidence.claim_test import ClaimTester
from skeletonagent.agents.evidence.effect_sizes import Evidence, measure_evidence
from skeletonagent.agents.evidence.measured_clips import MeasuredClips
from skeletonagent.agents.evidence.motion_features import MotionFeatures
from skeletonagent.agents.evidence.reviewer import Reviewer
from skeletonagent.agents.evidence.verifier import Verifier
from skeletonagent.agents.orchestrator import GuidanceOrchestrator
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.dialogue import Dialogue, Exchange, Question, Step
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import KINECT_25
from skeletonagent.core.motion_feature import MotionFeature
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.models.recognizer import build_recognizer
from skeletonagent.training.callbacks import RunLogger
from skeletonagent.training.checkpoint import Checkpoint, CheckpointFolder
from skeletonagent.training.dialogue_log import DIALOGUE_LOG, DialogueLog
from skeletonagent.training.run_directory import RunDirectory

CLIPS_OF_A_CLASS = 20
ROUND_CLASSES = 40
"""Classes of the runs whose rounds are counted."""


@dataclass(frozen=True)
class Growth:
    """A cost that grows with a size.

    Args:
        cost: What is done.
        size: Name of the size.
        smallest: Smallest size.
        build: Function that returns the work of a size; what it does itself is not timed.
    """

    cost: str
    size: str
    smallest: int
    build: Callable[[int], Work]


def evidence_of_clips(clips: int) -> Work:
    """Return the measurement of the motion of clips, from which the agents have their evidence."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(clips * 30, KINECT_25.num_joints, 3, generator=generator)
    store = ClipStore(
        frames=frames,
        starts=30 * torch.arange(clips),
        lengths=torch.full((clips,), 30),
        persons=torch.ones(clips, dtype=torch.long),
        labels=torch.arange(clips) % 10,
        sample_ids=tuple(map(str, range(clips))),
        subjects=None,
        layout=KINECT_25,
        class_names=tuple(f"action {n}" for n in range(10)),
    )
    return lambda: measure_evidence(store, torch.arange(clips))


def step_of(persons: int = 1, frames: int = 32, joints: int = 16) -> Work:
    """Return forward and backward pass of a narrow recognizer on four clips."""
    bones = tuple((joint, joint - 1) for joint in range(1, joints))
    layout = SkeletonLayout("chain", tuple(f"joint {n}" for n in range(joints)), bones)
    torch.manual_seed(0)
    recognizer = build_recognizer(
        "skeletonagent", layout, channels=3, persons=persons, num_classes=10, text_dim=8, width=8
    )
    clips, salient = torch.randn(4, persons, frames, joints, 3), torch.ones(10, joints)
    return lambda: recognizer(clips, salient).logits.sum().backward()


def random_clips(classes: int) -> MeasuredClips:
    """Return measured clips of classes of which every one differs from every other in something."""
    generator = torch.Generator().manual_seed(0)
    shape = (classes, KINECT_25.num_joints, len(MotionFeature))
    mean, deviation = (draw(shape, generator=generator) for draw in (torch.randn, torch.rand))
    labels = torch.arange(classes * CLIPS_OF_A_CLASS) % classes
    values = torch.randn(len(labels), *shape[1:], generator=generator)
    values = mean[labels] + (0.3 + deviation)[labels] * values
    features = MotionFeatures(values, torch.ones_like(values, dtype=torch.bool))
    names = tuple(f"action {n}" for n in range(classes))
    return MeasuredClips(KINECT_25, names, labels, features)


def orchestrator_of(classes: int) -> GuidanceOrchestrator:
    """Return agents that answer from evidence; what they compute once they have not computed."""
    clips = random_clips(classes)
    evidence = Evidence.of(clips)
    return GuidanceOrchestrator(
        Questioner(Analyst(evidence), KINECT_25),
        Selector(KINECT_25),
        Reviewer(KINECT_25, Verifier(evidence), ClaimTester(clips)),
        evidence.class_names,
    )


def start_of_agents(classes: int) -> Work:
    """Return the description of all classes before a training."""
    return lambda: orchestrator_of(classes).start()


def round_of_agents(classes: int) -> Work:
    """Return a round in which every class is mistaken for ten others, and so asked about."""
    orchestrator = orchestrator_of(classes)
    guidance = orchestrator.start()
    counts = torch.eye(classes, dtype=torch.long) * CLIPS_OF_A_CLASS
    for step in range(1, min(11, classes)):
        counts += torch.eye(classes, dtype=torch.long).roll(step, dims=1) * (12 - step)
    return lambda: orchestrator.refresh(Confusions(counts), guidance)


def records_of_rounds(rounds: int) -> Work:
    """Return what a run records of rounds of the agents: guidance and dialogues of all classes."""
    asked = Question("", Step.DISTINGUISH, KINECT_25.joints, ("clap",), 40 * "What differs? ")

    def record_all() -> None:
        with tempfile.TemporaryDirectory() as folder:
            logger, before = RunLogger(RunDirectory(Path(folder))), None
            classes = tuple(ClassGuidance(f"action {n}", (8,), "") for n in range(ROUND_CLASSES))
            for number in range(rounds):
                exchange = Exchange(replace(asked, round=number), "Joints: 8-left hand")
                classes = tuple(
                    replace(one, dialogue=one.dialogue.with_exchange(exchange)) for one in classes
                )
                after = Guidance(KINECT_25, classes, number)
                logger.on_guidance(before, after)
                before = after

    return record_all


def checkpoints_of_rounds(rounds: int) -> Work:
    """Return the checkpoints of a training with a round of the agents in every epoch."""
    question = Question(
        "wave", Step.DISTINGUISH, KINECT_25.joints, ("clap",), 40 * "What differs? "
    )

    def save_all() -> None:
        with tempfile.TemporaryDirectory() as folder:
            log, checkpoints = (
                DialogueLog(Path(folder, DIALOGUE_LOG)),
                CheckpointFolder(Path(folder)),
            )
            dialogues = [Dialogue("wave")] * ROUND_CLASSES
            for number in range(rounds):
                exchange = Exchange(replace(question, round=number), "Joints: 8-left hand")
                dialogues = [dialogue.with_exchange(exchange) for dialogue in dialogues]
                position = log.append(dialogues).to_json()
                checkpoints.save(
                    Checkpoint(number + 1, {"w": torch.zeros(100)}, {"dialogues": position})
                )

    return save_all


GROWTHS = (
    Growth("evidence of the agents", "clips", 250, evidence_of_clips),
    Growth("training step", "persons", 2, lambda size: step_of(persons=size)),
    Growth("training step", "frames", 32, lambda size: step_of(frames=size)),
    Growth("training step", "joints", 16, lambda size: step_of(joints=size)),
    Growth("start of the agents", "classes", 125, start_of_agents),
    Growth("round of the agents", "classes", 125, round_of_agents),
    Growth("checkpoints", "rounds", 8, checkpoints_of_rounds),
    Growth("records of a run", "rounds", 8, records_of_rounds),
)


def main(
    doublings: Annotated[int, typer.Option(min=1, help="Times each size is doubled.")] = 4,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats; the least time counts.")] = 3,
    share: Annotated[float, typer.Option(help="Smallest sizes, as a share of the usual.")] = 1.0,
    json: Annotated[Path | None, typer.Option(help="File to write the figures to.")] = None,
) -> None:
    """Print the exponent of each cost, and its seconds at each size."""
    torch.set_num_threads(1)
    rows = []
    for growth in GROWTHS:
        smallest = max(2, round(share * growth.smallest))
        sizes = [smallest * 2**doubling for doubling in range(doublings + 1)]
        seconds = [least_seconds(growth.build(size), repeats) for size in sizes]
        rows.append(
            {
                "cost": growth.cost,
                "size": growth.size,
                "exponent": exponent(sizes, seconds),
                "sizes": sizes,
                "cpu_seconds": [round(value, 4) for value in seconds],
            }
        )
    print_rows("Growth of costs", rows)
    write_facts({"rows": rows, "repeats": repeats, "torch": torch.__version__}, json)


def least_seconds(work: Work, repeats: int) -> float:
    """Return the least processor time of some work, in seconds."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return max(min(times), 1e-6)


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Return the exponent of the power law that fits best, by least squares of logarithms.

    >>> exponent([1, 2, 4], [0.5, 2.0, 8.0])
    2.0
    """
    return round(float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]), 3)


if __name__ == "__main__":
    typer.run(main)
