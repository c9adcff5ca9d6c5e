"""The command ``export``, ``predict`` with what it wrote, and model cards."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.cli.invocation import invoke
from tests.small_run import CLASSES, swinging

from skeletonagent.core.errors import ConfigError
from skeletonagent.export.description import PROPERTY, ExportDescription, MeasuredAccuracy
from skeletonagent.export.model_card import UNTOLD, write_model_card
from skeletonagent.export.session import OnnxSession
from skeletonagent.export.write import ExportedFile
from skeletonagent.inference.added_actions import AddedAction, with_added_actions
from skeletonagent.inference.exporting import export_model
from skeletonagent.inference.predictor import Predictor


@pytest.mark.usefixtures("traced")
def test_a_run_becomes_a_file_with_a_card(run: Path, tmp_path: Path) -> None:
    out, card = tmp_path / "mine.onnx", tmp_path / "mine.md"
    printed = invoke(
        "export", run, "--out", out, "--card", card, "--license", "own *recordings*", "--json"
    ).json
    assert printed["precision"] == "fp32" and printed["accuracy"] is None
    assert printed["difference"] < 1e-5 and printed["out"] == str(out)
    text = card.read_text(encoding="utf-8")
    assert "mine.onnx" in text and r"own \*recordings\*" in text and "| halves | 6 | 1 |" in text
    np.save(tmp_path / "clip.npy", swinging(0, 0))
    by_file = invoke("predict", tmp_path / "clip.npy", "--run", out, "--json").json
    by_run = invoke("predict", tmp_path / "clip.npy", "--run", run, "--json").json
    (ours,), (theirs,) = by_file["samples"], by_run["samples"]
    assert ours["class"] == theirs["class"]
    assert ours["probability"] == pytest.approx(theirs["probability"], abs=1e-5)
    with pytest.raises(ConfigError, match="exists already; choose another name"):
        invoke("export", run, "--out", out)


@pytest.mark.usefixtures("traced")
def test_a_file_in_the_run_is_what_the_engine_takes(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    lines = invoke("export", copy, "--precision", "int8").out.splitlines()
    assert "int8; differs from PyTorch by" in lines[0]
    assert lines[1].startswith("top-1 ") and "in PyTorch; the same class for" in lines[1]
    np.save(tmp_path / "clip.npy", swinging(0, 0))
    found = invoke("predict", tmp_path / "clip.npy", "--run", copy, "--engine", "onnx", "--json")
    assert len(found.json["samples"]) == 1


def test_added_actions_do_not_hinder_measuring(predictor: Predictor, tmp_path: Path) -> None:
    row = AddedAction("bow", 1, (0.0,) * predictor.models[0].recognizer.readout.out_channels, -9.0)
    model = with_added_actions(predictor.models[0], [row])
    measured = export_model([model], tmp_path / "more.onnx", data=model.config.data.archive)
    accuracy = measured.description.accuracy
    assert accuracy is not None and accuracy.samples == 6
    assert measured.description.metadata.class_names == (*CLASSES, "bow")


def described(file: Path, **changes: object) -> ExportedFile:
    text = OnnxSession.open(file).properties[PROPERTY]
    description = replace(ExportDescription.from_text(text, file), **changes)  # type: ignore[arg-type]
    return ExportedFile(file, 1.25, 3e-7, description)


def test_a_card_has_intervals_of_several_seeds(file: Path, tmp_path: Path) -> None:
    summaries = [{"test": {"halves": {"samples": 6, "top1": top1}}} for top1 in (0.5, 0.75)]
    accuracy = MeasuredAccuracy("mine", "halves", 6, 0.5, 0.75, 0.8)
    write_model_card(described(file, accuracy=accuracy), tmp_path / "card.md", summaries)
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "| halves | 6 | 2 | 62.50%, 95 % interval 0.00% to 100.00% |" in text
    assert "top-1 50.00% on 6 samples of halves of mine, 75.00% in PyTorch" in text


def test_a_card_says_what_is_not_known(file: Path, tmp_path: Path) -> None:
    write_model_card(described(file, license=""), tmp_path / "card.md")
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert UNTOLD in text and "Not measured" in text
    assert "wave" in text and "left shoulder" in text
