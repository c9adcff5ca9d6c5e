"""The order of joints is found out by the lengths of bones, not by counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core.layout import COCO_17, KINECT_20, KINECT_25, SkeletonLayout
from skeletonagent.data.archive import read_archive
from skeletonagent.data.bone_check import (
    MOST_PAIR_RATIO,
    MOST_SIDE_RATIO,
    MOST_TREE_RATIO,
    absent_as_nan,
    check_bones,
    choose_layout,
)
from skeletonagent.data.synthetic.generate import synthetic_dataset

CHAIN = SkeletonLayout("chain", ("hip", "left knee", "right knee", "left foot", "right foot"),
                       ((1, 0), (2, 0), (3, 1), (4, 2)))  # fmt: skip


def chain(frames: int = 20) -> np.ndarray:
    """Return a body of two straight legs whose bones are 1, 1, 2, 2 long; it wanders."""
    pose = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [1, -2, 0], [-1, -2, 0]], dtype=float)
    return (pose + np.linspace(0, 9, frames)[:, None, None])[None] + 5.0


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    store = synthetic_dataset(clips_per_class=2, subjects=2).store
    return [store.sequence(n).joints for n in range(len(store))]


def test_measures_of_a_stiff_body_are_those_worked_out_by_hand() -> None:
    check = check_bones([chain()], CHAIN)
    assert check is not None and check.plausible and check.problems == ()
    assert check.lengths / check.lengths[0] == pytest.approx([1, 1, 2, 2])
    assert check.variation == pytest.approx(0, abs=1e-9)
    assert check.tree_ratio == pytest.approx(
        1, rel=1e-5
    )  # 1 + 1 + 2 + 2, the shortest tree as well
    assert check.sides == pytest.approx({(1, 2): 1, (3, 4): 1})


def test_exchanged_feet_are_found() -> None:
    check = check_bones([chain()[:, :, [0, 1, 2, 4, 3]]], CHAIN)
    assert check is not None and check.crossed == ((3, 4),)
    assert "left and right seem to be exchanged: left foot and right foot" in check.problems


def test_a_longer_side_is_found() -> None:
    body = chain()
    body[:, :, 3] += [0, -4, 0]
    check = check_bones([body], CHAIN)
    assert check is not None and check.sides[3, 4] == pytest.approx(3)
    assert any("left and right differ" in problem for problem in check.problems)


def test_bones_that_change_their_length_are_found() -> None:
    rng = np.random.default_rng(0)
    check = check_bones([chain(60) + rng.normal(scale=1.5, size=(1, 60, 5, 3))], CHAIN)
    assert check is not None and any("lengths of bones vary" in p for p in check.problems)


def test_the_kinects_order_is_confirmed_and_any_other_contradicted(clips: list[np.ndarray]) -> None:
    assert (check := check_bones(clips, KINECT_25)) and check.plausible
    assert "keep their length within" in check.summary()
    rng = np.random.default_rng(0)
    for _ in range(10):
        order = rng.permutation(25)
        wrong = check_bones([clip[:, :, order] for clip in clips], KINECT_25)
        assert wrong and wrong.tree_ratio > MOST_TREE_RATIO and not wrong.plausible


def test_a_layout_is_chosen_by_the_data_alone(clips: list[np.ndarray]) -> None:
    order = np.random.default_rng(1).permutation(25)
    other = SkeletonLayout("other", tuple(KINECT_25.joints[j] for j in order),
                           tuple((order.tolist().index(c), order.tolist().index(p))
                                 for c, p in KINECT_25.bones))  # fmt: skip
    assert choose_layout(clips, [other, KINECT_25])[0] == KINECT_25
    shuffled = [clip[:, :, order] for clip in clips]
    assert choose_layout(shuffled, [KINECT_25, other])[0] == other
    nothing, why = choose_layout(shuffled, [KINECT_25])
    assert nothing is None and why.startswith("not kinect-25: ")


def test_two_layouts_that_fit_alike_leave_it_open(clips: list[np.ndarray]) -> None:
    renamed = SkeletonLayout("renamed", tuple(f"{n} joint" for n in range(25)), KINECT_25.bones)
    assert choose_layout(clips, [KINECT_25, renamed]) == (
        None, "kinect-25 and renamed fit the data alike",
    )  # fmt: skip


@pytest.mark.parametrize("missing", [0.0, float("nan")])
def test_absent_joints_are_left_out(missing: float) -> None:
    body = chain()
    body[:, ::2, 3] = missing
    check = check_bones([body], CHAIN)
    assert check is not None and check.lengths / check.lengths[0] == pytest.approx([1, 1, 2, 2])
    assert np.isnan(absent_as_nan(body)[:, ::2, 3]).all()


def test_where_nobody_is_seen_nothing_is_said() -> None:
    assert check_bones([np.zeros((1, 9, 5, 3))], CHAIN) is None
    assert check_bones([], CHAIN) is None
    assert choose_layout([np.zeros((1, 9, 17, 2))], [COCO_17])[0] is None


@pytest.mark.parametrize("name", ["utd_mhad", "nw_ucla", "sbu", "jhmdb"])
def test_real_sets_are_plausible_and_their_random_orders_are_not(shared: Path, name: str) -> None:
    store = read_archive(shared / "data" / name).store
    chosen = [store.sequence(n).joints for n in range(0, len(store), len(store) // 30)]
    check = check_bones(chosen, store.layout)
    assert check and check.plausible, check
    assert check.tree_ratio < 1.4 < MOST_TREE_RATIO
    assert max(check.sides.values()) < 1.25 < MOST_SIDE_RATIO < MOST_PAIR_RATIO[3]
    rng = np.random.default_rng(0)
    for _ in range(5):
        order = rng.permutation(store.layout.num_joints)
        wrong = check_bones([clip[:, :, order] for clip in chosen], store.layout)
        assert wrong and not wrong.plausible


def test_a_spine_that_begins_at_the_other_end_is_found(shared: Path) -> None:
    """UTD-MHAD has the joints of the Kinect's first version, the spine in another order."""
    store = read_archive(shared / "data" / "utd_mhad").store
    assert store.layout.joints[:4] == ("head", "shoulder_center", "spine", "hip_center")
    chosen = [store.sequence(n).joints for n in range(0, len(store), 30)]
    nothing, why = choose_layout(chosen, [KINECT_20])
    assert nothing is None and "not kinect-20: bones join joints that are far apart" in why
    right = [clip[:, :, [3, 2, 1, 0, *range(4, 20)]] for clip in chosen]
    assert choose_layout(right, [KINECT_20])[0] == KINECT_20
