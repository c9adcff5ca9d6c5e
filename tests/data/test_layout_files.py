"""Layout files in YAML and JSON, and layouts by name or file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import BODY_25, COCO_17, LAYOUTS
from skeletonagent.data.layout_files import find_layout, read_layout_file

MOUSE = """\
name: mouse
joints: [nose, left ear, right ear, spine, tail base]
bones:
  - [nose, spine]
  - [left ear, nose]
  - [RightEar, nose]
  - [4, 3]
root: spine
"""


def test_joints_are_given_by_name_or_index(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("\ufeff" + MOUSE, encoding="utf-8")
    layout = find_layout(str(tmp_path / "a.yaml"))
    assert (layout.name, layout.center) == ("mouse", 3)
    assert layout.joints == ("nose", "left ear", "right ear", "spine", "tail base")
    assert layout.bones == ((0, 3), (1, 0), (2, 0), (4, 3))
    assert layout.pairs == ((1, 2),)


def test_given_pairs_take_the_place_of_names(tmp_path: Path) -> None:
    path = tmp_path / "four.yml"
    path.write_text("joints: [a, b, c, d]\nbones: [[b, a], [c, a]]\npairs: [[b, c]]\n")
    layout = read_layout_file(path)
    assert (layout.name, layout.center, layout.pairs) == ("four", 0, ((1, 2),))
    assert layout.mirror == (0, 2, 1, 3)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_as_its_json_is_a_layout_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(LAYOUTS[name].to_json()))
    assert read_layout_file(tmp_path / "a.json") == LAYOUTS[name]


@pytest.mark.parametrize("name", ["body-25", "BODY_25", "OpenPose-25"])
def test_names_of_layouts_in_any_spelling(name: str) -> None:
    assert find_layout(name) is BODY_25


def test_aliases_and_layouts_themselves() -> None:
    assert find_layout("alphapose-17") is COCO_17 and find_layout(COCO_17) is COCO_17
    with pytest.raises(ConfigError, match=r"no layout 'lizard'; there are .*mediapipe-33.*file"):
        find_layout("lizard")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2", "cannot be read as a layout"),
        ("just text", "describes no skeleton; write for instance joints"),
        ("bones: []", "joints must be a list of names"),
        ("joints: [a, b]\nbones: [[b]]", "must be pairs of joints"),
        ("joints: [a, b]\nbones: [[b, c]]", "names 'c', which is none of the joints"),
        ("joints: [a, b]\nbones: [[b, 7]]", "names joint 7; joints are counted 0..1"),
        ("joints: [a, a]\nbones: []", "must differ"),
        ("joints: [a, b]\nbones: [[b, a], [a, b]]", "circle"),
        ("joints: [a, b]\nbones: []\npairs: [[a, a]]", "each in one pair"),
        ("joints: [a, b]\nbone: []", "unknown field.* bone; there are bones"),
        ("joints: !!python/object/apply:os.system [ls]", "cannot be read as a layout"),
        ("joints: " + "a" * (1 << 20), "larger than 1 MB"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_layout_file(tmp_path / "a.yaml")
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="cannot be read as a layout"):
        read_layout_file(tmp_path / "missing.yaml")
