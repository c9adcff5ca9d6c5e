from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.core.dialogue import Exchange, Step
from skeletonagent.core.layout import LAYOUTS, SkeletonLayout


@given(step=st.sampled_from(Step), layout=st.sampled_from(list(LAYOUTS.values())))
def test_a_question_carries_its_typed_parts_and_names_the_action(
    step: Step, layout: SkeletonLayout
) -> None:
    asked = prompts.question(step, "tie shoes", layout, ("untie shoes", "pick up"))
    assert (asked.action, asked.step, asked.joints) == ("tie shoes", step, layout.joints)
    assert asked.rivals == ("untie shoes", "pick up")
    assert '"tie shoes"' in asked.text


@pytest.mark.parametrize("step", [Step.CRITICAL_JOINTS, Step.DISTINGUISH])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_questions_about_joints_list_every_label(step: Step, layout: SkeletonLayout) -> None:
    text = prompts.question(step, "wave", layout, ("clap",)).text
    assert all(layout.label(joint) in text for joint in range(layout.num_joints))


def test_the_targeted_question_lists_the_rivals_worst_first() -> None:
    layout = LAYOUTS["coco-17"]
    asked = prompts.question(Step.DISTINGUISH, "wave", layout, ("phone", "drink"))
    assert "1. phone\n2. drink\n" in asked.text
    assert "Joints: " in asked.form and "Difference: " in asked.form


def test_other_questions_do_not_speak_of_rivals() -> None:
    for step in set(Step) - {Step.DISTINGUISH}:
        asked = prompts.question(step, "wave", LAYOUTS["coco-17"], ("phone",))
        assert "phone" not in asked.plain


def test_body_parts_are_asked_for_in_order() -> None:
    text = prompts.question(Step.BODY_PARTS, "wave", LAYOUTS["coco-17"]).form
    places = [text.index(f"{part}: text.") for part in prompts.BODY_PARTS]
    assert places == sorted(places)


@pytest.mark.parametrize("step", Step)
def test_the_task_says_nothing_of_how_plain_text_is_laid_out(step: Step) -> None:
    asked = prompts.question(step, "wave", LAYOUTS["coco-17"], ("clap",))
    assert asked.form and asked.form not in asked.text
    assert not any(word in asked.text for word in ("Answer", "line", "comma"))


def test_older_rounds_are_recalled_by_their_outcome() -> None:
    layout = LAYOUTS["coco-17"]
    told = [
        Exchange(prompts.question(Step.DISTINGUISH, "wave", layout, (rival,)), f"It is\n{rival}.")
        for rival in ("clap", "drink")
    ]
    text = prompts.question(Step.DISTINGUISH, "wave", layout, ("phone",), before=told).text
    assert text.endswith("- against clap: It is clap.\n- against drink: It is drink.")
