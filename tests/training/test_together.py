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


def read(out: Path, name: str, rank: int = 0) -> dict[str, Any]:
    """Return what a rank reported."""
    value: dict[str, Any] = json.loads((out / f"{name}.{rank}.json").read_text())
    return value


def weights(out: Path, name: str, rank: int = 0) -> dict[str, torch.Tensor]:
    """Return all that a rank had learned."""
    loaded: dict[str, torch.Tensor] = torch.load(out / f"{name}.{rank}.pt", weights_only=True)
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
    sampled = [read(out, name, rank)["sampled"] for rank in range(2)]
    assert [[len(batch) for batch in batches[:3]] for batches in sampled] == [[2, 2, 3], [2, 2, 2]]
    for epoch in range(3):
        seen = [
            s for batches in sampled for batch in batches[3 * epoch : 3 * epoch + 3] for s in batch
        ]
        assert sorted(seen) == list(range(13))
        counts = load_checkpoint(out / name / f"epoch_{epoch + 1:04d}").tensors["confusions"]
        assert counts.sum(dim=1).tolist() == [5, 4, 4]


def test_the_agents_are_asked_once(out: Path) -> None:
    assert [read(out, "straight-first", rank)["rounds"] for rank in range(2)] == [2, 0]
    records = [read(out, "straight-first", rank)["records"] for rank in range(2)]
    assert records[0] == records[1]
    assert [record["round"] for record in records[0]] == [0, 1, 2]


@pytest.mark.parametrize(("rank", "step"), PARTS)
def test_whoever_is_asked_to_stop_all_do_and_go_on_bit_for_bit(
    out: Path, rank: int, step: int
) -> None:
    name = f"part-{rank}-{step}"
    assert [read(out, f"{name}-stopped", p)["by"] for p in range(2)] == ["SIGTERM"] * 2
    assert differing(weights(out, name), weights(out, "straight-synchronised")) == []
    records = read(out, name)["records"]
    assert records == read(out, "straight-synchronised")["records"][-len(records) :]
    assert 0 < len(records) <= 3


def test_synchronised_they_learn_what_one_would(
    out: Path, tmp_path: Path, world: ModuleType
) -> None:
    alone = world.training(tmp_path, train_count=13, validation=3, epochs=1, batch_size=13)
    alone.with_loss(alpha=0.3, beta=0)
    alone.data.loader.__dict__["augment"] = AugmentSettings(rotation=0)
    alone.data.loader.store.lengths.fill_(5)
    alone.run()
    (record,) = alone.recorder.epochs
    (theirs,) = read(out, "like-one")["records"]
    for name in ("loss", "cls", "con", "train_top1", "validation_top1"):
        assert getattr(record, name) == pytest.approx(theirs[name], rel=2e-3), name
    for name, tensor in weights(out, "like-one").items():
        if name.startswith("recognizer.") and tensor.is_floating_point():
            distance = (tensor - alone.weights[name]).norm()
            assert distance <= 0.02 * alone.weights[name].norm() + 1e-3, name


def test_the_firsts_failure_is_everybodys(out: Path) -> None:
    said = [read(out, "failure", rank) for rank in range(2)]
    assert [failure["said"] for failure in said] == ["no such thing"] * 2
    assert [failure["kind"] for failure in said] == ["DataError", "TrainingError"]


def test_they_hear_each_other(out: Path) -> None:
    assert [read(out, "largest", p) for p in range(2)] == [{"value": 10, "of": [0, 1]}] * 2


def test_a_process_that_is_gone_is_named(out: Path) -> None:
    said = read(out, "lost")["said"]
    assert said.startswith("process 1 (") and "of 2 is gone" in said and "--resume" in said
