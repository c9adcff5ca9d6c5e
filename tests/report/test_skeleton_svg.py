from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.layout import COCO_17, KINECT_20, KINECT_25, LAYOUTS, SkeletonLayout
from skeletonagent.report.skeleton_svg import joint_positions, layout_drawing, skeleton_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(svg)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_known_skeleton_stands_and_is_its_own_mirror_image(layout: SkeletonLayout) -> None:
    places = joint_positions(layout)
    mirrored = places[list(layout.mirror)] * (-1, 1)
    np.testing.assert_allclose(places, mirrored, atol=1e-6)
    named = {layout.display_name(joint): places[joint] for joint in range(layout.num_joints)}
    top = named.get("head", named.get("nose"))
    assert top is not None
    assert top[1] > named["left shoulder"][1] > named["left hip"][1] > named["left ankle"][1] > 0
    assert named["left hip"][0] > 0, "it faces the viewer"


def test_a_joint_between_known_ones_lies_at_the_mean_of_its_neighbours() -> None:
    places = joint_positions(KINECT_20)
    hips, spine, shoulders = (
        KINECT_20.joints.index(name) for name in ("hip center", "spine", "shoulder center")
    )
    np.testing.assert_allclose(places[spine], (places[hips] + places[shoulders]) / 2, atol=1e-6)
    places, spine = joint_positions(KINECT_25), KINECT_25.joints.index("spine")
    around = [c if p == spine else p for c, p in KINECT_25.bones if spine in (c, p)]
    np.testing.assert_allclose(places[spine], places[around].mean(axis=0), atol=1e-6)


def test_an_unknown_joint_lies_beyond_what_it_hangs_on() -> None:
    tail = SkeletonLayout(
        "x", (*KINECT_20.joints, "hat", "feather"), (*KINECT_20.bones, (20, 3), (21, 20))
    )
    places, head = joint_positions(tail), KINECT_20.joints.index("head")
    np.testing.assert_allclose(places[:20], joint_positions(KINECT_20))
    assert places[head, 1] < places[20, 1] < places[21, 1]


def test_unknown_names_are_drawn_as_a_tree() -> None:
    layout = SkeletonLayout("x", tuple("abcde"), ((1, 0), (2, 0), (3, 2), (4, 2)))
    places = joint_positions(layout)
    np.testing.assert_allclose(places[[1, 3, 4], 0], places[1, 0] + np.array([0, 0.16, 0.32]))
    assert places[2, 0] == pytest.approx(places[[3, 4], 0].mean())
    np.testing.assert_allclose(places[:, 1], -0.22 * np.array([0, 1, 1, 2, 2]))


NAMES = ("head", "neck", "spine", "left hand", "right hand", "left hip", "right hip", "a", "b", "c")


@given(order=st.permutations(NAMES), parents=st.lists(st.integers(0, 9), min_size=10, max_size=10))
def test_every_joint_of_any_skeleton_has_a_place_of_its_own(
    order: list[str], parents: list[int]
) -> None:
    bones = tuple((child, parent) for child, parent in enumerate(parents) if parent < child)
    places = joint_positions(SkeletonLayout("x", tuple(order), bones))
    assert np.isfinite(places).all()
    assert len(np.unique(places.round(6), axis=0)) == 10


def test_real_skeletons_have_a_figure_too(shared: Path) -> None:
    for name in ("sbu", "jhmdb"):
        facts = json.loads((shared / "data" / name / f"{name}.json").read_text())
        bones = tuple((child, parent) for child, parent in facts["bones"])
        layout = SkeletonLayout(name, tuple(facts["joint_names"]), bones)
        places = joint_positions(layout)
        np.testing.assert_allclose(places, places[list(layout.mirror)] * (-1, 1), atol=1e-6)
        assert np.ptp(places[:, 1]) > 1.5


def test_joints_bear_their_labels_and_the_chosen_are_brought_out() -> None:
    svg = drawn(skeleton_svg(COCO_17, (9, 7)))
    titles = [str(title.text) for title in svg.iter(f"{SVG}title")]
    assert sorted(titles) == sorted(map(COCO_17.label, range(17)))
    bright = [g.findtext(f"{SVG}title") for g in svg.iter(f"{SVG}g") if g.get("class") == "salient"]
    assert bright == ["8-left elbow", "10-left wrist"] == titles[-2:]
    assert len([c for c in svg.iter(f"{SVG}circle") if c.get("class") == "ring"]) == 2
    assert svg.get("aria-label") == "Skeleton, left elbow, left wrist highlighted"
    bones = [path.get("d", "").count("M") for path in svg.iter(f"{SVG}path")]
    assert bones == [len(COCO_17.bones), len(COCO_17.bones), 1], "the last joins the two"
    plain = drawn(skeleton_svg(COCO_17, (), 'a <body> & its "bones"'))
    assert plain.get("aria-label") == 'a <body> & its "bones"'
    assert len(list(plain.iter(f"{SVG}path"))) == 2


@pytest.mark.parametrize(
    "layout", [*LAYOUTS.values(), SkeletonLayout("x", ("<a>", "b&"), ((1, 0),))]
)
def test_all_is_within_the_picture(layout: SkeletonLayout) -> None:
    svg = drawn(skeleton_svg(layout, range(layout.num_joints)))
    left, top, width, height = map(float, str(svg.get("viewBox")).split())
    circles = list(svg.iter(f"{SVG}circle"))
    assert len(circles) >= 2 * layout.num_joints
    for circle in circles:
        x, y, r = (float(str(circle.get(key))) for key in ("cx", "cy", "r"))
        assert left <= x - r and x + r <= left + width
        assert top <= y - r and y + r <= top + height
    ends = re.findall(r"[ML](\S+) ([^ML\"]+)", skeleton_svg(layout))
    assert len(ends) == 4 * len(layout.bones)


def test_the_drawing_has_a_place_for_each_joint() -> None:
    drawn = layout_drawing(KINECT_20)
    assert len(drawn["positions"]) == len(drawn["names"]) == 20 and len(drawn["bones"]) == 19
