"""The table of actions."""

from __future__ import annotations

import numpy as np

from skeletonagent.data.synthetic.actions import ACTIONS, Action
from skeletonagent.data.synthetic.stick_figure import REST, BodySize, ControlledPart, stick_figure


def test_actions_have_distinct_names_and_one_motion_per_part() -> None:
    assert len({action.name for action in ACTIONS}) == len(ACTIONS) >= 14
    for action in ACTIONS:
        parts = [motion.part for motion in action.motions]
        assert len(set(parts)) == len(parts) > 0
        assert action.hertz[0] < action.hertz[1]
        assert 0 < action.hold[0] < action.hold[1] < 1


def at_goal(action: Action) -> np.ndarray:
    """Return the controls at the middle of an action's swing."""
    controls = REST[None].copy()
    controls[0, ControlledPart.PELVIS] += action.stance
    for motion in action.motions:
        if motion.goal is not None:
            controls[0, motion.part] = motion.goal
    return controls


def test_goals_are_within_reach() -> None:
    for action in ACTIONS:
        controls = at_goal(action)
        joints = stick_figure(BodySize(height=1.0), controls)[0]
        for motion in action.motions:
            if motion.part in (ControlledPart.FOOT, ControlledPart.OTHER_FOOT):
                np.testing.assert_allclose(joints[14], controls[0, ControlledPart.FOOT], atol=1e-3)
            if motion.part is ControlledPart.HAND:
                distance = np.linalg.norm(joints[6] - joints[20])
                np.testing.assert_allclose(
                    distance,
                    np.linalg.norm(controls[0, ControlledPart.HAND]),
                    atol=5e-3,
                    err_msg=action.name,
                )


def test_hands_are_where_the_words_say() -> None:
    figures = {a.name: stick_figure(BodySize(), at_goal(a))[0] for a in ACTIONS}
    head, left_hand, right_hand = 3, 7, 11
    for name in ("drink", "phone call", "brush teeth", "brush hair", "wave", "salute"):
        joints = figures[name]
        assert np.linalg.norm(joints[left_hand] - joints[head]) < 0.35, name
        assert joints[right_hand, 1] < joints[left_hand, 1] - 0.2, name
    for name in ("write", "type on a keyboard", "clap", "rub hands"):
        joints = figures[name]
        assert np.linalg.norm(joints[left_hand] - joints[right_hand]) < 0.3, name
        assert joints[left_hand, 2] > joints[1, 2] + 0.2, name
    lowest = min(figures, key=lambda name: float(figures[name][left_hand, 1]))
    assert lowest == "pick up"
