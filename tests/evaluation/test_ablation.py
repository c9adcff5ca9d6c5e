"""Plans that fit the configuration, and tables that tell what was measured."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.config import Config, to_dict, with_overrides
from skeletonagent.core.scores import Scores
from skeletonagent.evaluation.ablation import (
    METRICS,
    PLANS,
    Measurement,
    Plan,
    Row,
    as_csv,
    as_markdown,
    findings,
    measure,
    spoken,
)
from skeletonagent.evaluation.significance import Estimate, mean_interval, paired_difference

PLAN = Plan("Study", (Row("base"), Row("one"), Row("two | more")))


def measured(
    row: str, values: list[float], first: int = 0, metric: str = "top1"
) -> list[Measurement]:
    return [Measurement(row, first + n, "xsub", metric, value) for n, value in enumerate(values)]


@pytest.mark.parametrize("name", PLANS)
def test_every_row_of_a_plan_is_a_configuration_of_its_own(name: str) -> None:
    rows = PLANS[name].rows
    configs = [to_dict(with_overrides(Config(), row.assignments)) for row in rows]
    assert configs[0]["agents"]["chat"] == "none"
    assert len({row.label for row in rows}) == len(rows) >= 2
    assert not any(one == other for i, one in enumerate(configs) for other in configs[:i])


def test_the_components_are_those_of_table_4() -> None:
    """Class loss, L_con, L_align and both; guidance that stays and guidance that follows."""
    told = set()
    for row in PLANS["components"].rows[1:]:
        config = with_overrides(Config(), row.assignments)
        asked_again = config.training.period <= config.training.epochs
        told.add((config.objective.alpha > 0, config.objective.beta > 0, asked_again))
    losses = [(True, False), (False, True), (True, True)]
    assert told == {(*pair, online) for pair in losses for online in (False, True)}


def test_figure_4_holds_the_papers_choice() -> None:
    configs = [with_overrides(Config(), row.assignments) for row in PLANS["alpha-beta"].rows]
    weights = [(c.objective.alpha, c.objective.beta) for c in configs]
    assert {(0.2, 0.0), (0.2, 0.5)} < set(weights)


def test_a_finding_is_a_mean_and_a_paired_difference() -> None:
    base, one = [0.5, 0.6, 0.8], [0.6, 0.65, 0.9]
    found = findings(PLAN, measured("one", one) + measured("base", base))
    assert [each.row for each in found] == ["base", "one"]
    assert found[0].mean == mean_interval(base)
    assert found[0].difference is None
    assert found[1].mean == mean_interval(one)
    assert found[1].difference == paired_difference(one, base)


def test_pairs_are_of_the_same_seed() -> None:
    """While runs are going on, a row may have seeds that the baseline has not yet, and others."""
    base, one = measured("base", [0.5, 0.7], first=3), measured("one", [0.9, 0.8, 0.2], first=4)
    found = findings(PLAN, base + one)
    assert found[1].difference == paired_difference([0.9], [0.7])  # seed 4 alone
    assert found[1].mean.n == 3
    assert findings(PLAN, one)[0].difference is None
    assert findings(PLAN, []) == []


def predicting(right: list[float], of: int = 20) -> Scores:
    """Return scores with the given accuracy of each class."""
    y = len(right)
    labels = np.repeat(np.arange(y), of)
    hit = np.concatenate([np.arange(of) < round(share * of) for share in right])
    return Scores(
        tuple(f"s{i}" for i in range(y * of)),
        labels,
        np.eye(y)[np.where(hit, labels, (labels + 1) % y)],
    )


def test_what_is_hard_for_a_seed_is_told_by_the_other_seeds() -> None:
    scores = {
        ("base", 0): {"p": predicting([0.1, 0.8, 1.0])},
        ("base", 1): {"p": predicting([1.0, 0.8, 0.5])},
        ("one", 0): {"p": predicting([0.9, 0.7, 0.4])},
    }
    value = {(m.row, m.seed, m.metric): m.value for m in measure("base", scores)}
    assert value["base", 0, "hard"] == 1.0  # the other seed's hard class is the last
    assert value["base", 1, "hard"] == 1.0
    assert (value["one", 0, "hard"], value["one", 0, "easy"]) == (0.4, 0.9)
    assert value["one", 0, "medium"] == 0.7
    assert value["one", 0, "top1"] == value["one", 0, "mean_class"] == pytest.approx(2 / 3)
    alone = {key: parts for key, parts in scores.items() if key[1] == 0}
    value = {(m.row, m.seed, m.metric): m.value for m in measure("base", alone)}
    assert (value["base", 0, "hard"], value["one", 0, "hard"]) == (0.1, 0.9)


def test_what_cannot_be_measured_is_left_out() -> None:
    only = {("one", 0): {"p": predicting([0.5, 1.0])}}
    assert {m.metric for m in measure("base", only)} == {"top1", "mean_class"}
    easy = {("base", 0): {"p": predicting([1.0, 1.0])}, **only}
    assert {m.metric for m in measure("base", easy)} == {"top1", "mean_class", "easy"}


@given(
    values=st.lists(
        st.tuples(
            st.sampled_from([row.label for row in PLAN.rows]), st.integers(0, 3),
            st.sampled_from(list(METRICS)), st.floats(0, 1),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_tables_hold_all_that_was_measured(
    values: list[tuple[str, int, str, float]],
) -> None:
    measurements = [Measurement(row, seed, "p, q", metric, v) for row, seed, metric, v in values]
    lines = list(csv.DictReader(io.StringIO(as_csv(measurements))))
    assert [(e["row"], int(e["seed"]), e["part"], e["metric"]) for e in lines] == [
        (m.row, m.seed, "p, q", m.metric) for m in measurements
    ]
    assert [float(e["value"]) for e in lines] == pytest.approx(
        [m.value for m in measurements], abs=1e-6
    )
    found = findings(PLAN, measurements)
    text = as_markdown(PLAN, found)
    for each in found:
        assert spoken(each.mean) in text
        if each.difference is not None:
            assert spoken(each.difference, "+") in text
    widths: dict[int, set[int]] = {}
    for number, line in enumerate(text.split("\n\n")):
        if line.startswith("|"):
            widths[number] = {row.replace("\\|", "").count("|") for row in line.splitlines()}
    assert all(len(each) == 1 for each in widths.values())


def test_a_table_by_hand() -> None:
    text = as_markdown(
        PLAN, findings(PLAN, measured("base", [0.5]) + measured("two | more", [0.62]))
    )
    assert "# Study\n" in text
    assert "## xsub\n\n|  | top-1 |\n| --- | ---: |\n| base | 50.0 (1) |\n" in text
    assert "| two \\| more | 62.0 (1) |\n\n### Difference to “base”\n" in text
    assert "| two \\| more | +12.0 (1) |" in text
    assert spoken(Estimate(0.912, 0.9, 0.924, 3)) == "91.2 [90.0, 92.4] (3)"
    assert spoken(Estimate(-0.01, -0.03, 0.01, 3), "+") == "-1.0 [-3.0, +1.0] (3)"
