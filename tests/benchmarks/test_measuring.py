"""What is measured, where the answer is known; and the generated data's sizes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from benchmarks.generated import Persons, generated
from benchmarks.measuring import (
    WARM_UP,
    Clock,
    Spread,
    bytes_of,
    copy_bandwidth,
    flops_of,
    write_facts,
)
from benchmarks.program import SWITCHES, paper_config, variant

from skeletonagent.core.errors import ConfigError

CLOCK = Clock(torch.device("cpu"))


def test_a_product_has_two_operations_for_each_pair() -> None:
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert flops_of(lambda: a @ b) == 2 * 3 * 5 * 7


def test_a_sum_reads_two_and_writes_one_and_a_view_moves_nothing() -> None:
    a, b = torch.ones(10, 10), torch.ones(10, 10)
    assert bytes_of(lambda: a + b) == 3 * 400
    assert bytes_of(lambda: a.T.unsqueeze(0)[:, 2:]) == 0
    assert bytes_of(lambda: a.add_(b)) == 3 * 400
    assert bytes_of(lambda: torch.cat([a, b])) == 4 * 400
    row = torch.ones(10)
    assert bytes_of(lambda: a + row.expand(10, 10)) == 2 * 400 + 40


def test_backward_is_counted_too() -> None:
    a, b = torch.ones(4, 6, requires_grad=True), torch.ones(6, 2, requires_grad=True)
    assert flops_of(lambda: (a @ b).sum().backward()) == 3 * 2 * 4 * 6 * 2


def test_work_is_warmed_up_and_prepared() -> None:
    calls: list[str] = []
    spread = CLOCK.durations(lambda: calls.append("work"), 4, lambda: calls.append("prepare"))
    assert calls == ["prepare", "work"] * (WARM_UP + 4)
    assert 0 <= spread.lower <= spread.median <= spread.upper


def test_quartiles() -> None:
    spread = Spread.of([4.0, 1.0, 2.0, 3.0, 5.0])
    assert (spread.lower, spread.median, spread.upper) == (2, 3, 4)
    assert spread.milliseconds() == {"lower": 2000, "median": 3000, "upper": 4000}


def test_copies_move_something() -> None:
    assert copy_bandwidth(CLOCK, 1, repeats=2) > 0


def test_figures_are_finite_or_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_facts({"a": math.nan}, tmp_path / "facts.json")
    assert not (tmp_path / "facts.json").exists()


def test_generated_data_have_the_benchmarks_sizes() -> None:
    data = generated(1200)
    store = data.store
    assert len(store) == 1200
    assert store.lengths.float().mean() == pytest.approx(70, rel=0.05)
    assert (store.persons == 2).float().mean() == pytest.approx(0.2, abs=0.05)
    assert store.max_persons == 2
    assert store.frames.shape == (int((store.persons * store.lengths).sum()), 25, 3)
    assert store.frames.isfinite().all()
    split = data.splits["xsub"]
    assert set(split.train) | set(split.test) == set(store.sample_ids)
    subjects = [{sample[:3] for sample in part} for part in (split.train, split.test)]
    assert not subjects[0] & subjects[1]
    assert store.labels.unique().tolist() == list(range(60))


def test_generated_bodies_stand_beside_each_other_and_move() -> None:
    store = generated(30, Persons.FULL, classes=10).store
    assert (store.persons == 2).all()
    first, second = torch.from_numpy(store.sequence(29).joints)
    assert (second - first)[..., 0].mean() == pytest.approx(1, abs=0.2)
    assert (first[1:] - first[:-1]).norm(dim=-1).mean() > 1e-3
    again = generated(30, Persons.FULL, classes=10).store
    torch.testing.assert_close(store.frames, again.frames, rtol=0, atol=0)


@pytest.mark.parametrize(("sequences", "classes"), [(29, 10), (1500, 401)])
def test_sizes_that_cannot_be_are_refused(sequences: int, classes: int) -> None:
    with pytest.raises(ValueError, match="possible"):
        generated(sequences, classes=classes)


def test_ways_to_run_a_step() -> None:
    config = paper_config("cpu", "32", clips_in_batch=4, frames=8)
    assert variant(config, "default") == config
    assert variant(config, "eager").training.batch_size == 4
    assert variant(config, "compiled").training.compile
    with pytest.raises(ConfigError, match="on a GPU alone"):
        variant(config, "graphs")
    with pytest.raises(ConfigError, match=", ".join(SWITCHES)):
        variant(config, "fastest")
