"""What the engine is told of a recognizer, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import onnx
import pytest

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import COCO_17, KINECT_20, LAYOUTS, SMPL_24
from skeletonagent.inference.exported_model import ExportedModel
from skeletonagent.inference.recording_input import joint_places
from skeletonagent.page.browser_model import BrowserModel, browser_description
from skeletonagent.page.onnx_fields import without_properties

from .conftest import Engine


def test_texts_beside_the_graph_are_left_out(deep_file: Path) -> None:
    content = deep_file.read_bytes()
    wanted = onnx.load_from_string(content)
    assert wanted.metadata_props
    del wanted.metadata_props[:]
    assert onnx.load_from_string(without_properties(content)) == wanted
    for damaged in (content[:-3], b"\x0b", b"\xff" * 12):
        with pytest.raises(DataError, match="ONNX model"):
            without_properties(damaged)


def test_settings_that_the_engine_does_not_know_are_named(engine: Engine, deep_file: Path) -> None:
    model = ExportedModel.open(deep_file)
    data = replace(model.config.data, storage_dtype="float16")
    config = replace(model.config, data=data)
    half = replace(model, metadata=replace(model.metadata, config=config))
    with pytest.raises(ConfigError, match=r"data\.storage_dtype is 'float16'"):
        browser_description(half)
    description = BrowserModel.of(model).description
    changed = [
        description | {"clips": description["clips"] | {"sampling": "cubic"}},
        description | {"form": "skeletonagent.browser/99"},
    ]
    found = engine(
        """
        const { ExportedModel } = await load("engine/exported_model.js");
        const open = (one) => ExportedModel.open({ description: one, graph: null, ridge: null });
        return Promise.all(changed.map((one) => open(one).catch((error) => error.message)));
        """,
        changed=changed,
    )
    assert found[0].startswith('the engine in the browser does not know clips.sampling "cubic"')
    assert "browser/99" in found[1]


NAMES = [
    ["LAsi", "RAsi", "lfemur", "rfemur", "LBigToe", "HandL", "mixamorig:LeftForeArm", "Hips"],
    ["LeftArm", "LeftForeArm", "LeftHand", "LeftUpLeg", "LeftLeg", "RightUpLeg", "Spine", "Head"],
    ["wrist_l", "l_wrist", "joint3", "torso", "face", "mid hip", "left wrist", "Nose", "nose"],
]


def test_joints_are_found_by_their_names_as_in_python(engine: Engine) -> None:
    wanted = [COCO_17, KINECT_20, SMPL_24]
    named = [list(layout.joints) for layout in LAYOUTS.values()]
    pairs = list(product([*named, *NAMES], wanted))
    found = engine(
        """
        const { jointPlaces } = await load("engine/joint_matching.js");
        return pairs.map(([given, wanted]) => jointPlaces(given, wanted));
        """,
        pairs=[[given, list(layout.joints)] for given, layout in pairs],
    )
    for places, (given, layout) in zip(found, pairs, strict=True):
        assert places == joint_places(given, None, layout), (given, layout.name)
