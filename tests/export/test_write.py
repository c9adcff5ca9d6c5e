"""Files that are written: formats, precisions, what they say, and what they must not leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

from skeletonagent.core.errors import ConfigError, DataError, ExportError
from skeletonagent.experiments.datasets import prepare_dataset
from skeletonagent.export import write
from skeletonagent.export.description import EXPORT_SCHEMA, PROPERTY, ExportDescription
from skeletonagent.export.session import OnnxSession
from skeletonagent.inference.evaluate import evaluate_split
from skeletonagent.inference.predictor import Predictor
from skeletonagent.inference.segment_settings import choose_threshold


def text_of(path: Path) -> str:
    return OnnxSession.open(path).properties[PROPERTY]


def test_a_file_says_all_that_prediction_needs(file: Path, predictor: Predictor) -> None:
    described = ExportDescription.from_text(text_of(file), file)
    model = predictor.models[0]
    config, wanted = described.metadata.config, model.config
    assert described.metadata.class_names == predictor.class_names
    assert described.metadata.statistics == model.metadata.statistics
    assert described.metadata.training_clips == model.metadata.training_clips
    assert (config.clips, config.model) == (wanted.clips, wanted.model)
    assert replace(config.data, archive="") == replace(wanted.data, archive="")
    assert config.training.batch_size == wanted.training.batch_size
    assert described.guidance.sentences == predictor.guidance.sentences
    joints = [guidance.joints for guidance in described.guidance.classes]
    assert joints == [guidance.joints for guidance in predictor.guidance.classes]
    held_out = predictor.segmenter.held_out
    assert held_out is not None
    assert described.threshold == pytest.approx(choose_threshold(None, held_out)[0])
    assert described.held_out_entropies == tuple(held_out.recognized().entropies.tolist())
    assert (described.precision, described.license) == ("fp32", "CC BY 4.0")
    session = OnnxSession.open(file)
    described.require_graph(session.clip_shape, session.num_classes, file)


def test_a_file_names_no_folder_of_this_machine(file: Path, predictor: Predictor) -> None:
    folder = str(Path(predictor.config.data.archive).parent)
    assert len(folder) > 1 and folder not in text_of(file)


def test_the_graph_is_of_the_stated_version(file: Path) -> None:
    model = onnx.load(file)
    onnx.checker.check_model(model)
    assert {item.version for item in model.opset_import if item.domain == ""} == {18}
    sizes = [value.type.tensor_type.shape.dim for value in model.graph.input]
    assert all(dims[0].dim_param and not dims[0].dim_value for dims in sizes)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_smaller_precisions_state_their_accuracy(
    precision: str, predictor: Predictor, file: Path, tmp_path: Path
) -> None:
    written = predictor.export(tmp_path / "small.onnx", precision=precision)
    accuracy = written.description.accuracy
    assert accuracy is not None and accuracy.samples == 6 and accuracy.split == "halves"
    assert accuracy.reference == pytest.approx(network_accuracy(predictor))
    assert 0 < written.difference < 0.5
    assert "0" in str(accuracy)
    read = ExportDescription.from_text(text_of(written.path), written.path)
    assert (read.precision, read.accuracy) == (precision, accuracy)
    if precision == "fp16":  # there is hardly a matrix product in so small a recognizer
        assert written.path.stat().st_size < file.stat().st_size


def network_accuracy(predictor: Predictor) -> float:
    """Return the accuracy without the classifier beside the network."""
    network = replace(predictor.models[0], kernel_ridge=None)
    alone = replace(predictor, models=(network,))
    return evaluate_split(alone, prepare_dataset(predictor.config.data)).top1


def test_without_test_clips_no_accuracy_can_be_stated(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test clips are needed .* name their archive with --data"):
        predictor.export(tmp_path / "small.onnx", precision="int8", data=tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_programs_of_pytorch(predictor: Predictor, tmp_path: Path) -> None:
    written = predictor.export(tmp_path / "model.pt2", form="torch-export")
    extra = {PROPERTY: ""}
    program = torch.export.load(written.path, extra_files=extra).module()
    described = ExportDescription.from_text(extra[PROPERTY], written.path)
    logits, _ = program(torch.zeros(5, *described.clip_shape), torch.arange(10))
    assert logits.shape == (5, 3)
    with pytest.raises(ConfigError, match="torch-export has fp32 alone"):
        predictor.export(tmp_path / "small.pt2", form="torch-export", precision="fp16")


@pytest.mark.usefixtures("traced")
def test_an_export_that_differs_leaves_no_file(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "TOLERANCE", 0.0)
    with pytest.raises(ExportError, match="0e\\+00 is allowed"):
        predictor.export(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_names_that_there_are_not(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no 'jpeg' to export; there are onnx, torch-export"):
        predictor.export(tmp_path / "model", form="jpeg")
    with pytest.raises(ConfigError, match="no 'int3' to export; there are fp32, fp16, int8"):
        predictor.export(tmp_path / "model", precision="int3")


def changed(text: str, change: Callable[[dict], object]) -> str:
    value = json.loads(text)
    change(value)
    return json.dumps(value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda v: v.pop("guidance"), "guidance: Field required"),
        (lambda v: v["guidance"].pop(), "zip"),
        (lambda v: v["guidance"][0]["joints"].append("tail"), "is damaged"),
        (lambda v: v.update(form="skeletonagent.export/9"), "this version reads " + EXPORT_SCHEMA),
        (lambda v: v.update(threshold=7.0), "a probability of 7"),
        (lambda v: v.update(held_out=[float("nan")]), "a probability of nan"),
        (lambda v: v["recognizer"].update(class_names=["a", "a", "a"]), "class names repeat"),
        (lambda v: v["recognizer"].update(class_names=["a\x1b[1m", "a", "b"]), "names repeat"),
        (lambda v: v["recognizer"]["config"]["clips"].update(frames=10**9), "1000000000 frames"),
        (lambda v: v["recognizer"]["config"]["clips"].update(frames="many"), "is damaged"),
        (lambda v: v["recognizer"].update(persons=10**6), "1000000 persons"),
        (lambda v: v["recognizer"].update(layout=None), "is damaged"),
        (lambda v: v.update(accuracy={"data": "x"}), "accuracy"),
    ],
)
def test_a_damaged_description_is_one_error(
    change: Callable[[dict], object], problem: str, file: Path
) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        ExportDescription.from_text(changed(text_of(file), change), file)
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)


def test_texts_are_cleaned(file: Path) -> None:
    text = changed(
        text_of(file),
        lambda v: (
            v["guidance"][0].update(sentence="\x1b[31mred\x07"),
            v.update(license="\x1b]0;title\x07free"),
            v["recognizer"]["class_names"].__setitem__(0, "\u202ewave"),
        ),
    )
    described = ExportDescription.from_text(text, file)
    assert described.guidance.sentences[0] == "red"
    assert described.license == "free" and described.metadata.class_names[0] == "wave"


def test_a_graph_of_other_sizes_is_refused(file: Path) -> None:
    described = ExportDescription.from_text(text_of(file), file)
    with pytest.raises(DataError, match="by its description and"):
        described.require_graph(described.clip_shape, 99, file)


def test_an_endless_description_is_not_parsed(file: Path) -> None:
    with pytest.raises(DataError, match="17 million characters"):
        ExportDescription.from_text(" " * (17 << 20), file)
