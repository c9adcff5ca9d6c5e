"""Two processes that train one recognizer, as torchrun starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from skeletonagent.data.settings import AugmentSettings
from skeletonagent.training.checkpoint import load_checkpoint
from skeletonagent.training.losses import SkeletonAgentLoss
from skeletonagent.training.settings import LossSettings
from skeletonagent.training.train_step import TrainState

PARTS = ((0, 1), (1, 5), (0, 6))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind."""
    folder = tmp_path_factory.mktemp("together")
    script = Path(__file__).with_name("together.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    ran = subprocess.run(
        [*command, "--standalone", str(script), str(folder)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (folder / "lost.0.json").exists(), ran.stderr[-3000:]
    return folder


def told(out: Path, name: str, process: int = 0) -> dict[str, Any]:
    """Return what a process left word of."""
    value: dict[str, Any] = json.loads((out / f"{name}.{process}.json").read_text())
    return value


def weights(out: Path, name: str, process: int = 0) -> dict[str, torch.Tensor]:
    """Return all that a process had learned."""
    loaded: dict[str, torch.Tensor] = torch.load(out / f"{name}.{process}.pt", weights_only=True)
    return loaded


def differing(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


RUNS = ["straight-synchronised", "straight-first", "like-one", *(f"part-{p}-{s}" for p, s in PARTS)]


@pytest.mark.parametrize("name", RUNS)
def test_both_have_learned_the_same(out: Path, name: str) -> None:
    assert differing(weights(out, name, 0), weights(out, name, 1)) == []


@pytest.mark.parametrize("name", RUNS[:2])
def test_they_share_every_batch_and_count_all_of_it(out: Path, name: str) -> None:
    asked = [told(out, name, process)["asked"] for process in range(2)]
    assert [[len(batch) for batch in each[:3]] for each in asked] == [[2, 2, 3], [2, 2, 2]]
    for epoch in range(3):
        seen = [s for each in asked for batch in each[3 * epoch : 3 * epoch + 3] for s in batch]
        assert sorted(seen) == list(range(13))
        counts = load_checkpoint(out / name / f"epoch_{epoch + 1:04d}").tensors["confusions"]
        assert counts.sum(dim=1).tolist() == [5, 4, 4]


def test_the_agents_are_asked_once(out: Path) -> None:
    assert [told(out, "straight-first", process)["rounds"] for process in range(2)] == [2, 0]
    records = [told(out, "straight-first", process)["records"] for process in range(2)]
    assert records[0] == records[1]
    assert [record["round"] for record in records[0]] == [0, 1, 2]


@pytest.mark.parametrize(("process", "step"), PARTS)
def test_whoever_is_asked_to_stop_all_do_and_go_on_bit_for_bit(
    out: Path, process: int, step: int
) -> None:
    name = f"part-{process}-{step}"
    assert [told(out, f"{name}-stopped", p)["by"] for p in range(2)] == ["SIGTERM"] * 2
    assert differing(weights(out, name), weights(out, "straight-synchronised")) == []
    records = told(out, name)["records"]
    assert records == told(out, "straight-synchronised")["records"][-len(records) :]
    assert 0 < len(records) <= 3


def test_synchronised_they_learn_what_one_would(
    out: Path, tmp_path: Path, world: ModuleType
) -> None:
    alone = world.training(tmp_path, train_count=13, validation=3, epochs=1, batch_size=13)
    objective = SkeletonAgentLoss(LossSettings(alpha=0.3, beta=0))
    learner = alone.learner
    alone.learner = TrainState(learner.recognizer, alone.settings, learner.engine, objective)
    alone.data.source.__dict__["augment"] = AugmentSettings(rotation=0)
    alone.data.source.store.lengths.fill_(5)
    alone.run()
    (record,) = alone.notes.epochs
    (theirs,) = told(out, "like-one")["records"]
    for name in ("loss", "cls", "con", "train_top1", "validation_top1"):
        assert getattr(record, name) == pytest.approx(theirs[name], rel=2e-3), name
    for name, tensor in weights(out, "like-one").items():
        if name.startswith("recognizer.") and tensor.is_floating_point():
            distance = (tensor - alone.weights[name]).norm()
            assert distance <= 0.02 * alone.weights[name].norm() + 1e-3, name


def test_the_firsts_failure_is_everybodys(out: Path) -> None:
    said = [told(out, "failure", process) for process in range(2)]
    assert [each["said"] for each in said] == ["no such thing"] * 2
    assert [each["kind"] for each in said] == ["DataError", "TrainingError"]


def test_they_hear_each_other(out: Path) -> None:
    assert [told(out, "largest", p) for p in range(2)] == [{"value": 10, "of": [0, 1]}] * 2


def test_a_process_that_is_gone_is_named(out: Path) -> None:
    said = told(out, "lost")["said"]
    assert said.startswith("process 1 (") and "of 2 is gone" in said and "--resume" in said
