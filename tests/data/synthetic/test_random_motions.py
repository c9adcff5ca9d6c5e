from collections import Counter

import pytest
import torch

from skeletonagent.core.layout import KINECT_25
from skeletonagent.data.synthetic.body_tree import (
    BODY,
    BODY_ANGLES,
    axis_rotation,
    body_offsets,
    pose_body,
)
from skeletonagent.data.synthetic.random_motions import Course, MotionPrograms


def posed(**degrees: float) -> dict[str, torch.Tensor]:
    """Return the joints of a body at rest but for some angles, by name."""
    angles = torch.zeros(1, 1, len(BODY_ANGLES))
    for column, angle in enumerate(BODY_ANGLES):
        name = f"{angle.joint} {'xyz'[angle.axis]}".replace(" ", "_")
        angles[..., column] = torch.deg2rad(torch.tensor(float(degrees.pop(name, 0))))
    assert not degrees
    joints = pose_body(body_offsets()[None], angles, torch.zeros(1, 1, 3), torch.zeros(1, 1))
    return dict(zip(BODY.joints, joints[0, 0], strict=True))


def test_the_body_at_rest_stands_upright_and_is_symmetric():
    body = posed()
    assert body["head"][1] > body["middle of shoulders"][1] > 0 > body["left knee"][1]
    assert body["left wrist"][0] > 0 > body["right wrist"][0]
    for left, right in BODY.pairs:
        mirrored = body[BODY.joints[right]] * torch.tensor([-1.0, 1, 1])
        torch.testing.assert_close(body[BODY.joints[left]], mirrored)
    assert len(BODY.pairs) == 14


def test_the_body_has_every_joint_of_a_kinect():
    missing = {name for name in KINECT_25.joints if name not in BODY.joints}
    assert missing == {"base of spine", "spine"}  # the middles of hips and of shoulders


@pytest.mark.parametrize("side", ["left", "right"])
def test_words_say_what_angles_do(side: str):
    rest = posed()
    hand, foot = f"{side} wrist", f"{side} ankle"
    outward = 1 if side == "left" else -1
    raised = posed(**{f"{side}_shoulder_x": -90})
    assert raised[hand][2] > rest[hand][2] + 0.3 and raised[hand][1] > rest[hand][1] + 0.3
    aside = posed(**{f"{side}_shoulder_z": 90 * outward})
    assert outward * (aside[hand] - rest[hand])[0] > 0.3
    bent = posed(**{f"{side}_elbow_x": -90})
    assert bent[hand][2] > rest[hand][2] + 0.2
    knee = posed(**{f"{side}_knee_x": 90})
    assert knee[foot][2] < rest[foot][2] - 0.3
    kick = posed(**{f"{side}_hip_x": -60})
    assert kick[foot][2] > rest[foot][2] + 0.3
    for column in BODY_ANGLES:
        if column.group == f"{side} arm" and column.axis == 2 and "shoulder" in column.joint:
            largest = column.high if side == "left" else column.low
            assert (largest > 0) == (side == "left")
            word = column.upward if side == "left" else column.downward
            assert word == "rises to the side"


def test_the_trunk_bends_and_the_legs_stay():
    rest, bent = posed(), posed(middle_of_hips_x=60, middle_of_hips_y=30)
    assert bent["head"][2] > rest["head"][2] + 0.3
    for name in ("left ankle", "right knee", "left big toe"):
        torch.testing.assert_close(bent[name], rest[name])
    nod, tilt = posed(neck_x=30), posed(middle_of_hips_z=30)
    assert nod["nose"][1] < rest["nose"][1] and tilt["head"][0] < -0.1


def test_rotations_are_right_handed():
    for axis, (start, end) in enumerate([(1, 2), (2, 0), (0, 1)]):
        turned = axis_rotation(axis, torch.tensor(torch.pi / 2)) @ torch.eye(3)[start]
        torch.testing.assert_close(turned, torch.eye(3)[end], atol=1e-6, rtol=0)


def test_bones_keep_their_lengths_in_every_performance():
    generator = torch.Generator().manual_seed(3)
    programs = MotionPrograms.draw(40, generator)
    joints = programs.render(torch.arange(40), 32, generator, noise=0.0)
    child, parent = torch.tensor(BODY.bones).T
    lengths = (joints[:, :, child] - joints[:, :, parent]).norm(dim=-1)
    assert lengths.std(dim=1).max() < 1e-5
    assert joints.shape == (40, 32, 34, 3) and joints.isfinite().all()


def test_feet_stay_on_the_ground_unless_the_body_jumps():
    generator = torch.Generator().manual_seed(5)
    programs = MotionPrograms.draw(300, generator)
    joints = programs.render(torch.arange(300), 24, generator, noise=0.0)
    feet = [BODY.joints.index(name) for name in BODY.joints if name.endswith(("heel", "toe"))]
    lowest = joints[:, :, feet, 1].amin(dim=-1).amax(dim=1)
    jumps = programs.travel[:, 1] > 0.02
    assert jumps.any() and lowest[~jumps].max() < 0.2 and lowest[jumps].median() > 0.05


def test_programs_and_performances_follow_from_the_seed():
    def rendered(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        programs = MotionPrograms.draw(6, generator)
        return programs.render(torch.tensor([0, 0, 5]), 16, generator)

    assert rendered(1).equal(rendered(1))
    assert not rendered(1).equal(rendered(2))


def test_performances_of_one_program_are_nearer_than_those_of_others():
    generator = torch.Generator().manual_seed(0)
    programs = MotionPrograms.draw(30, generator)
    first, second = (programs.render(torch.arange(30), 32, generator) for _ in range(2))
    first, second = (x - x[:, :1, :1] for x in (first, second))
    nearest = torch.cdist(first.flatten(1), second.flatten(1)).argmin(dim=1)
    assert (nearest == torch.arange(30)).float().mean() > 0.6  # by chance 0.03


def test_something_moves_in_every_program_and_all_courses_occur():
    programs = MotionPrograms.draw(400, torch.Generator().manual_seed(7))
    assert len(programs) == 400 and programs.active.any(dim=1).all()
    count = Counter(programs.course[programs.active].tolist())
    assert set(count) == set(Course) and count[Course.PULSE] > count[Course.HOLD]
    low, high = (torch.tensor([getattr(a, k) for a in BODY_ANGLES]) for k in ("low", "high"))
    assert ((programs.target >= low) & (programs.target <= high)).all()


def test_the_sentence_names_the_parts_that_move_and_no_others():
    programs = MotionPrograms.draw(50, torch.Generator().manual_seed(9))
    for number in range(50):
        text = programs.sentence(number).lower()
        for group in {angle.group for angle in BODY_ANGLES}:
            moves = any(
                programs.active[number, column]
                for column, angle in enumerate(BODY_ANGLES)
                if angle.group == group
            )
            assert (f"the {group} " in text) == moves
        assert text.endswith(".")
