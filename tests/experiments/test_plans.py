"""Plans that fit the configuration."""

from __future__ import annotations

import pytest

from skeletonagent.agents.settings import GuidanceControl
from skeletonagent.experiments.config import Config, config_to_dict, with_overrides
from skeletonagent.experiments.measurements import METRICS
from skeletonagent.experiments.plans import STUDY_PLANS
from skeletonagent.experiments.presets import preset


@pytest.mark.parametrize("name", STUDY_PLANS)
def test_every_row_of_a_plan_is_a_configuration_of_its_own(name: str) -> None:
    rows = STUDY_PLANS[name].rows
    shared = preset("sbu")  # of the compact recipe, with all its augmentations
    configs = [config_to_dict(with_overrides(shared, row.assignments)) for row in rows]
    assert configs[0]["agents"]["chat"] == "none"
    assert len({row.label for row in rows}) == len(rows) >= 2
    assert not any(one == other for i, one in enumerate(configs) for other in configs[:i])


@pytest.mark.parametrize("name", STUDY_PLANS)
def test_tables_show_what_is_measured(name: str) -> None:
    assert set(STUDY_PLANS[name].metrics) <= set(METRICS)


def test_the_components_are_those_of_table_4() -> None:
    """Class loss, L_con, L_align and both; guidance that stays and guidance that follows."""
    variants = set()
    for row in STUDY_PLANS["components"].rows[1:]:
        config = with_overrides(Config(), row.assignments)
        asked_again = config.training.guidance_period > 0
        variants.add((config.loss.alpha > 0, config.loss.beta > 0, asked_again))
    losses = [(True, False), (False, True), (True, True)]
    assert variants == {(*pair, online) for pair in losses for online in (False, True)}


def test_figure_4_holds_the_papers_choice() -> None:
    configs = [with_overrides(Config(), row.assignments) for row in STUDY_PLANS["alpha-beta"].rows]
    weights = [(c.loss.alpha, c.loss.beta) for c in configs]
    assert {(0.2, 0.0), (0.2, 0.5)} < set(weights)


def test_the_study_of_guidance_has_all_its_rows() -> None:
    """Who answers, which losses, whether guidance follows, and what is done about doubts."""
    rows = STUDY_PLANS["guidance"].rows
    configs = [with_overrides(Config(), row.assignments) for row in rows]
    assert [c.agents.chat for c in configs] == ["none", *["analyst"] * 6, *["bundled"] * 2]
    used = [(c.loss.alpha > 0, c.loss.beta > 0) for c in configs[1:]]
    both = (True, True)
    assert used == [(False, True), (True, False), (False, True), both, both, both, both, both]
    static = [c.training.guidance_period == 0 for c in configs[1:]]
    assert static == [True, False, False, True, False, True, False, False]
    assert [c.agents.control is GuidanceControl.SHUFFLED for c in configs] == [
        row == rows[6] for row in rows
    ]
    assert [c.agents.verify.value for c in configs[7:]] == ["off", "filter"]


@pytest.mark.parametrize("name", STUDY_PLANS)
def test_rows_stand_against_other_rows_of_their_plan(name: str) -> None:
    labels = [row.label for row in STUDY_PLANS[name].rows]
    assert all(row.against in {"", *labels} - {row.label} for row in STUDY_PLANS[name].rows)


def test_the_control_is_static_too() -> None:
    rows = {row.label: row for row in STUDY_PLANS["guidance"].rows}
    static = rows["both losses, static"]
    control = rows[static.against]
    assert set(control.assignments) - set(static.assignments) == {"agents.control=shuffled"}
