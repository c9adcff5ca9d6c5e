from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import KINECT_20
from skeletonagent.llm.class_notes import (
    bundled_class_notes,
    bundled_names,
    normalized_name,
    read_class_notes,
)


def written(action: str, rival: str, joint: str) -> dict[str, Any]:
    return {
        "action": action,
        "gist": "a hand moves",
        "overview": "A hand moves.",
        "parts": dict.fromkeys(("head", "hand", "arm", "hip", "leg", "foot"), "is still."),
        "joints": {"left hand": "moves.", "right hand": "moves."},
        "features": "A hand moves.",
        "against": [{"rivals": [rival], "joints": ["head", joint], "difference": "it moves"}],
    }


def label_set() -> dict[str, Any]:
    classes = [written("wave", "clap", "left hand"), written("clap", "wave", "right hand")]
    return {"title": "Two", "layout": "kinect-20", "classes": classes}


def saved(value: Mapping[str, Any], folder: Path) -> str:
    path = folder / "two.yaml"
    path.write_text(yaml.safe_dump(dict(value)))
    return str(path)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = read_class_notes(saved(label_set(), tmp_path))
    wave, clap = found.classes
    assert (found.title, found.layout) == ("Two", KINECT_20)
    contrast = wave.contrast("CLAP")
    assert contrast is not None and contrast.joints == ("head", "left hand")
    assert clap.contrast("kick") is None


def test_a_skeleton_of_its_own_is_given_by_its_fields(tmp_path: Path) -> None:
    own = {**label_set(), "layout": KINECT_20.to_json()}
    assert read_class_notes(saved(own, tmp_path)).layout == KINECT_20
    with pytest.raises(DataError, match=r"layout: .*give one of kinect-25"):
        read_class_notes(saved({**own, "layout": "kinect-7"}, tmp_path))


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("gist", "Moves.", "not a clause"),
        ("gist", "moves, and stops", "a gist without commas"),
        ("gist", "moves " * 17, "more than 16 words"),
        ("overview", "moves", "not a sentence"),
        ("features", f"A {'very ' * 50}long one.", "more than 50 words"),
        ("joints", {"left hand": "moves."}, "2 to 6 different joints"),
        ("joints", {"left hand": "moves.", "tail": "wags."}, "no joint is called 'tail'"),
        ("against", [], "compared with 0 classes"),
        ("colour", "red", "colour: Unexpected keyword"),
        ("parts", {"head": "is still."}, "hand: Field required"),
        ("action", "clap", "described twice"),
        ("action", "nod", "'wave' is no other class of the set"),
    ],
)
def test_mistakes_are_told(key: str, value: object, problem: str, tmp_path: Path) -> None:
    wrong = label_set()
    wrong["classes"][0][key] = value
    with pytest.raises(DataError, match=problem):
        read_class_notes(saved(wrong, tmp_path))


@pytest.mark.parametrize(
    ("contrast", "problem"),
    [
        ({"joints": ["head", "right hand"]}, "in the same joints"),
        ({"rivals": ["wave"]}, "'wave' is no other class"),
        ({"rivals": ["clap", "clap"]}, "compared with 'clap' twice"),
        ({"difference": "it moves: fast"}, "not a clause"),
    ],
)
def test_mistakes_in_a_contrast_are_told(
    contrast: dict[str, object], problem: str, tmp_path: Path
) -> None:
    wrong = label_set()
    wrong["classes"][0]["against"][0].update(contrast)
    with pytest.raises(DataError, match=problem):
        read_class_notes(saved(wrong, tmp_path))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    wrong = label_set()
    wrong["classes"][0]["gist"] = "Moves"
    wrong["classes"][1]["overview"] = "moves"
    with pytest.raises(DataError, match=r"has 2 mistake\(s\):\n  wave: .*\n  clap: "):
        read_class_notes(saved(wrong, tmp_path))


def test_what_is_no_class_notes_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no class notes 'nowhere' are bundled; there are"):
        read_class_notes("nowhere")
    with pytest.raises(DataError, match="cannot be read as class notes"):
        read_class_notes(str(tmp_path / "nowhere.yaml"))
    (tmp_path / "torn.yaml").write_text("classes: [")
    with pytest.raises(DataError, match="cannot be read as class notes"):
        read_class_notes(str(tmp_path / "torn.yaml"))


@pytest.mark.parametrize("name", bundled_names())
def test_a_bundled_set_has_the_classes_of_its_data_set(name: str) -> None:
    found = bundled_class_notes(name)
    assert found is read_class_notes(name.replace("_", "-"))
    listed = files("skeletonagent.data").joinpath("resources", f"{name}.txt").read_text()
    assert [normalized_name(notes.action) for notes in found.classes] == list(
        map(normalized_name, listed.splitlines())
    )
