"""Rounds of the agents: when they begin, when they count, and what a failure costs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import TrainingInterrupted
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.layout import COCO_17
from skeletonagent.training.callbacks import EpochRecord
from skeletonagent.training.checkpoint import load_checkpoint
from skeletonagent.training.guidance_updater import GuidanceUpdater, UpdateResult

COUNTS = Confusions(torch.tensor([[3, 1], [0, 4]]))
KNOWN = Guidance(COCO_17, ())


def following(_: Confusions, guidance: Guidance) -> Guidance:
    return Guidance(guidance.layout, guidance.classes, guidance.round + 1)


def test_a_round_waited_for_counts_at_once() -> None:
    updater = GuidanceUpdater(following, wait=True)
    assert updater.collect(KNOWN) == (KNOWN, "")
    updater.start(COUNTS, KNOWN)
    assert updater.collect(KNOWN) == (following(COUNTS, KNOWN), "")
    assert updater.pending is None


def test_a_round_beside_the_training_counts_once_it_is_complete() -> None:
    answered, seen = threading.Event(), []

    def refresh(confusions: Confusions, guidance: Guidance) -> Guidance:
        answered.wait(20)
        seen.append(confusions.counts.tolist())
        return following(confusions, guidance)

    updater = GuidanceUpdater(refresh, wait=False)
    counts = Confusions(COUNTS.counts.clone())
    updater.start(counts, KNOWN)
    counts.counts.zero_()
    assert updater.collect(KNOWN) == (KNOWN, "")
    assert updater.pending is not None
    updater.start(counts, KNOWN)  # one is under way
    answered.set()
    while updater.pending is not None:
        latest, _ = updater.collect(KNOWN)
    assert latest.round == 1
    assert seen == [COUNTS.counts.tolist()], "the counts of its beginning, asked about once"


@pytest.mark.parametrize("wait", [True, False])
def test_a_failing_round_costs_its_guidance_alone(wait: bool) -> None:
    def refresh(confusions: Confusions, guidance: Guidance) -> Guidance:
        raise RuntimeError("disk on fire")

    updater = GuidanceUpdater(refresh, wait=wait)
    updater.start(COUNTS, KNOWN)
    problem = ""
    while updater.pending is not None:
        guidance, problem = updater.collect(KNOWN)
    assert problem == "RuntimeError: disk on fire"
    assert guidance == Guidance(COCO_17, (), round=1)


def test_training_goes_on_while_the_agents_answer(world: ModuleType, tmp_path: Path) -> None:
    training = world.training(tmp_path, epochs=6, guidance_period=2)
    answered, asking = threading.Event(), []

    def refresh(confusions: Confusions, guidance: Guidance) -> Guidance:
        asking.append(threading.current_thread())
        answered.wait(20)
        return world.make_guidance(guidance.round + 1)

    class Watch(world.Recorder):  # type: ignore[name-defined, misc]
        def on_epoch(self, record: EpochRecord) -> None:
            super().on_epoch(record)
            if record.epoch == 3:
                answered.set()
                [thread.join() for thread in asking]

    notes = Watch()
    training.run(refresh=refresh, wait=False, callback=notes)
    assert [record.round for record in notes.epochs] == [0, 0, 0, 0, 1, 1]


@pytest.fixture
def endless() -> Iterator[threading.Event]:
    """Return what rounds wait for until the test is over, however it ends; none outlives it."""
    before, event = set(threading.enumerate()), threading.Event()
    yield event
    event.set()
    for thread in set(threading.enumerate()) - before:
        if thread.name == "round":
            thread.join(10)


def test_a_run_killed_during_a_round_asks_the_same_again(
    world: ModuleType, tmp_path: Path, endless: threading.Event
) -> None:
    asked: list[list[list[int]]] = []

    def never(confusions: Confusions, guidance: Guidance) -> Guidance:
        asked.append(confusions.counts.tolist())
        endless.wait()
        return guidance

    class Killed(Exception): ...

    class Kill(world.Recorder):  # type: ignore[name-defined, misc]
        def on_epoch(self, record: EpochRecord) -> None:
            if record.epoch == 4:
                raise Killed

    training = world.training(tmp_path, epochs=6, guidance_period=2)
    with pytest.raises(Killed):
        training.run(refresh=never, wait=False, callback=Kill())
    checkpoint = load_checkpoint(tmp_path / "epoch_0004")
    again = world.training(tmp_path, epochs=6, guidance_period=2)
    last = again.run(resume=checkpoint)
    assert again.recorder.refreshed[0][0].tolist() == asked[0]
    assert len(asked) == 1
    assert last == world.make_guidance(1)


def test_an_interrupt_ends_the_round_that_is_waited_for() -> None:
    def interrupted(confusions: Confusions, guidance: Guidance) -> Guidance:
        raise TrainingInterrupted(signal.SIGTERM)

    updater = GuidanceUpdater(interrupted, wait=True)
    with pytest.raises(TrainingInterrupted):
        updater.start(COUNTS, KNOWN)


def asks_alone(rank: int, folder: str) -> None:
    """One of two processes: only the first asks, and both go on with the same guidance."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)

    def share(message: UpdateResult) -> UpdateResult:
        carried = [message]
        dist.broadcast_object_list(carried)
        return carried[0]

    def refresh(confusions: Confusions, guidance: Guidance) -> Guidance:
        assert rank == 0
        if guidance.round == 1:
            raise RuntimeError("nobody answers")
        return following(confusions, guidance)

    updater = GuidanceUpdater(refresh, wait=True, is_main=rank == 0, broadcast=share)
    guidance, seen = KNOWN, []
    for _ in range(2):
        updater.start(COUNTS, guidance)
        guidance, problem = updater.collect(guidance)
        seen.append(f"{guidance.round} {problem}")
    (Path(folder) / f"seen{rank}").write_text("\n".join(seen))
    dist.destroy_process_group()


def test_two_processes_share_what_the_first_was_told(tmp_path: Path) -> None:
    mp.start_processes(asks_alone, (str(tmp_path),), nprocs=2, start_method="fork")
    seen = [(tmp_path / f"seen{rank}").read_text() for rank in range(2)]
    assert seen[0] == seen[1] == "1 \n2 RuntimeError: nobody answers"
