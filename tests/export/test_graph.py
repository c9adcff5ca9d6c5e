"""Graphs of all backbones and readouts: the same values for any number of clips and bodies."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from skeletonagent.api import create_model
from skeletonagent.core.errors import ConfigError, DataError, ExportError
from skeletonagent.export import graph
from skeletonagent.export.graph import ExportableRecognizer, export_program, onnx_bytes
from skeletonagent.export.parity import BATCHES, check_parity, parity_clips, relative_difference
from skeletonagent.export.session import OnnxSession
from skeletonagent.models.backbones import BACKBONES, Backbone
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.models.settings import PersonPooling

FRAMES, CHANNELS, CLASSES = 8, 2, 4
FEATURES = ("position", "bone", "motion", "long_motion", "distance", "partner")


def recognizer(
    backbone: str, readout: str = "mean", persons: int = 2, inputs: tuple[str, ...] = ()
) -> Recognizer:
    """Return a recognizer of two blocks at most, whose norms have seen something."""
    torch.manual_seed(0)
    model = create_model(
        backbone, layout="coco-17", num_classes=CLASSES, channels=CHANNELS, persons=persons,
        width=8, inputs=inputs, readout=readout, readout_width=4 if readout != "mean" else None,
    )  # fmt: skip
    whole = model.backbone
    if len(whole.blocks) > 3:
        width = whole.out_channels // 4  # that of the first four of ten blocks
        model.backbone = Backbone(whole.stem, list(whole.blocks)[:2], width)
        rest = create_model(
            "joint-cnn", layout="coco-17", num_classes=CLASSES, channels=CHANNELS,
            persons=persons, width=width, inputs=inputs, readout=readout,
            readout_width=4 if readout != "mean" else None,
        )  # fmt: skip
        model.readout, model.cls_head = rest.readout, rest.cls_head
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def shape(persons: int) -> tuple[int, int, int, int]:
    return persons, FRAMES, 17, CHANNELS


def exported(model: Recognizer, persons: int = 2) -> OnnxSession:
    program = export_program(model, shape(persons), None, True)
    return OnnxSession.of(onnx_bytes(program), threads=1)


@pytest.mark.parametrize("convolutions", [False, True])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_programs_of_all_backbones_take_any_number_of_clips(
    backbone: str, convolutions: bool
) -> None:
    model = recognizer(backbone, readout="joints")
    program = export_program(model, shape(2), None, convolutions).module()
    with torch.inference_mode():
        for count in BATCHES:
            clips, bodies = map(torch.from_numpy, parity_clips(count, shape(2)))
            logits, features = program(clips, bodies)
            assert relative_difference(logits.numpy(), model.classify(clips, bodies).numpy()) < 1e-5
            assert features.shape == (count, model.readout.out_channels)


@pytest.mark.parametrize(
    ("backbone", "readout", "persons", "inputs"),
    [
        ("joint-cnn", "temporal", 2, FEATURES),
        ("joint-cnn", "joints", 1, ("position",)),
        ("dg-stgcn", "mean", 2, ()),
    ],
)
def test_onnx_computes_what_pytorch_computes(
    backbone: str, readout: str, persons: int, inputs: tuple[str, ...]
) -> None:
    model = recognizer(backbone, readout, persons, inputs)
    assert check_parity(exported(model, persons).run, model, shape(persons)) < 1e-5


def test_absent_bodies_that_count_are_run() -> None:
    model = recognizer("joint-cnn")
    model.person_pooling = PersonPooling.RELEASED
    assert check_parity(exported(model).run, model, shape(2)) < 1e-5


def test_a_fixed_batch_fails() -> None:
    model = recognizer("joint-cnn")
    clips, bodies = torch.randn(2, *shape(2)), torch.arange(4)
    fixed = torch.export.export(ExportableRecognizer(model).eval(), (clips, bodies), strict=False)
    session = OnnxSession.of(onnx_bytes(fixed), threads=1)
    assert session.run(clips.numpy(), bodies.numpy())[0].shape == (2, CLASSES)
    with pytest.raises(ExportError, match="cannot run 1 clip"):
        check_parity(session.run, model, shape(2))


def test_other_weights_fail() -> None:
    model, other = recognizer("joint-cnn"), recognizer("joint-cnn")
    with torch.no_grad():
        other.cls_head.fc.bias += 0.01

    def run(clips: np.ndarray, bodies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            found = ExportableRecognizer(model)(torch.from_numpy(clips), torch.from_numpy(bodies))
        return found[0].numpy(), found[1].numpy()

    assert check_parity(run, model, shape(2)) < 1e-5
    with pytest.raises(ExportError, match="logits differ from those of PyTorch by"):
        check_parity(run, other, shape(2))


def test_tracing_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no\nsuch thing")

    monkeypatch.setattr(graph.torch.export, "export", refuse)
    with pytest.raises(ExportError, match="cannot be traced: no such thing"):
        export_program(recognizer("joint-cnn"), shape(2))


def test_clips_for_the_check_have_absent_bodies_and_joints() -> None:
    clips, bodies = parity_clips(17, shape(2))
    seen = clips.any(axis=(2, 3, 4))
    run = np.isin(np.arange(34), bodies).reshape(17, 2)
    assert (~run).any() and not seen[~run].any() and (run & ~seen).any()
    assert (~clips.any(axis=-1) & seen[:, :, None, None]).any()
    assert seen[:, 0].all() and run[:, 0].all()


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08" * 40])
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as an ONNX model"):
        OnnxSession.open(path)


def test_shapes_that_differ_are_infinitely_different() -> None:
    assert all(
        relative_difference(np.ones(one), np.ones(other)) == np.inf
        for one, other in itertools.permutations([(2, 3), (3, 2)])
    )


@pytest.mark.parametrize("package", ["onnxscript", "onnxruntime"])
def test_missing_packages_are_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    program = torch.export.export(nn.Identity(), (torch.zeros(2),))
    with pytest.raises(ConfigError, match=r"pip install 'skeletonagent\[export\]'"):
        onnx_bytes(program)
    if package == "onnxruntime":
        with pytest.raises(ConfigError, match=r"pip install 'skeletonagent\[onnx\]'"):
            OnnxSession.of(b"")
