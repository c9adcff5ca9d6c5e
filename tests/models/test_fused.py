"""Fused recognizer against the recognizer it was made of."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from skeletonagent.core.layout import COCO_17
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.fused import fuse_for_inference
from skeletonagent.models.recognizer import Recognizer, build_recognizer
from skeletonagent.models.settings import InputFeature, PersonPooling, ReadoutKind

BODIES = torch.tensor([0, 1, 2, 5])
"""Of three clips of two: both, the first, the second."""


ALL_INPUTS = tuple(InputFeature)

VARIANTS = (
    ("joint-cnn", ReadoutKind.TEMPORAL, ALL_INPUTS),
    ("joint-cnn", ReadoutKind.JOINTS, (InputFeature.POSITION, InputFeature.MOTION)),
    ("tiny-gcn", ReadoutKind.TEMPORAL, ()),
)
"""Recognizers that keep joints apart."""


def trained(
    name: str,
    rule: PersonPooling = PersonPooling.PAPER,
    width: int = 16,
    readout: ReadoutKind = ReadoutKind.MEAN,
    inputs: tuple[InputFeature, ...] = (),
) -> Recognizer:
    """Return a recognizer in which every term counts and some norms have negative factors."""
    torch.manual_seed(0)
    recognizer = build_recognizer(
        name,
        COCO_17,
        channels=3,
        persons=2,
        num_classes=5,
        text_dim=6,
        width=width,
        inputs=inputs,
        readout=readout,
        readout_width=16,
        person_pooling=rule,
        dropout=0.5,
    )
    for key, parameter in recognizer.named_parameters():
        if key.endswith(("alpha", "beta", "share")):
            nn.init.constant_(parameter, 0.3)
    for module in recognizer.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, -0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    nn.init.normal_(recognizer.cls_head.fc.weight)
    return recognizer.eval()


def some_clips() -> torch.Tensor:
    clips = torch.randn(3, 2, 13, 17, 3)
    clips.flatten(0, 1)[[3, 4]] = 0
    return clips


@torch.no_grad()
@pytest.mark.parametrize("rule", PersonPooling)
@pytest.mark.parametrize("name", BACKBONES)
def test_logits_are_the_recognizers(name: str, rule: PersonPooling) -> None:
    recognizer = trained(name, rule)
    clips = some_clips()
    expected = recognizer.classify(clips)
    assert expected.std() > 0.1
    model = fuse_for_inference(recognizer)
    torch.testing.assert_close(model(clips), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model(clips, BODIES), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("inputs", [(), ALL_INPUTS], ids=["clips", "inputs"])
@pytest.mark.parametrize("readout", [ReadoutKind.JOINTS, ReadoutKind.TEMPORAL])
@pytest.mark.parametrize("name", BACKBONES)
def test_logits_with_any_readout_are_the_recognizers(
    name: str, readout: ReadoutKind, inputs: tuple[InputFeature, ...]
) -> None:
    recognizer = trained(name, readout=readout, inputs=inputs)
    clips = some_clips()
    expected = recognizer.classify(clips, BODIES)
    assert expected.std() > 0.1
    model = fuse_for_inference(recognizer)
    for bodies in (None, BODIES):
        scale = float(expected.abs().max())
        torch.testing.assert_close(model(clips, bodies), expected, rtol=0, atol=1e-4 * scale)
    assert torch.equal(model.cls_head(model.features(clips, BODIES)), model(clips, BODIES))


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 2, 3, 16, 32])
@pytest.mark.parametrize(("name", "readout", "inputs"), VARIANTS)
def test_clips_of_any_length_are_read_out_alike(
    name: str, readout: ReadoutKind, inputs: tuple[InputFeature, ...], frames: int
) -> None:
    recognizer = trained(name, PersonPooling.RELEASED, readout=readout, inputs=inputs)
    clips = torch.randn(2, 2, frames, 17, 3)
    expected = recognizer.classify(clips)
    torch.testing.assert_close(
        fuse_for_inference(recognizer)(clips), expected, rtol=1e-4, atol=1e-3
    )


@torch.no_grad()
@pytest.mark.parametrize(("name", "readout", "inputs"), VARIANTS)
def test_recognizers_that_keep_joints_apart_are_fused_as_others_are(
    name: str, readout: ReadoutKind, inputs: tuple[InputFeature, ...]
) -> None:
    recognizer = trained(name, readout=readout, inputs=inputs).train()
    before = copy.deepcopy(recognizer.state_dict())
    model, clips = fuse_for_inference(recognizer), some_clips()
    logits = model(clips, BODIES)
    chunked = fuse_for_inference(recognizer, cpu_chunk_size=1)(clips, BODIES)
    torch.testing.assert_close(chunked, logits, rtol=1e-4, atol=1e-4)
    one_by_one = torch.cat([model(clip) for clip in clips.split(1)])
    torch.testing.assert_close(one_by_one, logits, rtol=1e-4, atol=1e-4)
    lower = fuse_for_inference(recognizer, torch.bfloat16)(clips, BODIES)
    assert 0 < (lower - logits).norm() < 0.05 * logits.norm()
    assert all(module.training for module in recognizer.modules())
    assert not any(module.training for module in model.modules())
    for key, value in recognizer.state_dict().items():
        assert torch.equal(value, before[key]), key
    own = {parameter.data_ptr() for parameter in recognizer.parameters()}
    assert own.isdisjoint(parameter.data_ptr() for parameter in model.parameters())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.readout.modules())


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_logits_do_not_depend_on_the_chunk_size(
    name: str,
) -> None:
    recognizer, clips, sizes = trained(name), some_clips(), list[int]()
    logits = []
    for options in ({}, {"cpu_chunk_size": 1}):
        model = fuse_for_inference(recognizer, **options)
        model.stem.register_forward_hook(lambda _, __, output: sizes.append(output.shape[0]))
        logits.append(model(clips, BODIES))
    torch.testing.assert_close(logits[1], logits[0], rtol=1e-5, atol=1e-5)
    threads = torch.get_num_threads()
    chunks = [part.shape[0] for part in BODIES.split(threads)]
    assert sizes == [len(BODIES), *chunks]


@torch.no_grad()
@pytest.mark.parametrize("rule", PersonPooling)
@pytest.mark.parametrize("name", BACKBONES)
def test_features_are_the_recognizers_and_give_the_logits(name: str, rule: PersonPooling) -> None:
    recognizer, clips = trained(name, rule), some_clips()
    model = fuse_for_inference(recognizer)
    for bodies in (None, BODIES):
        features = model.features(clips, bodies)
        expected = recognizer.features(clips, bodies)
        torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(model.cls_head(features), model(clips, bodies))


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_lower_precision_comes_close(name: str) -> None:
    recognizer = trained(name)
    clips = some_clips()
    expected = recognizer.classify(clips)
    logits = fuse_for_inference(recognizer, torch.bfloat16)(clips, BODIES)
    assert logits.dtype == torch.float32
    assert 0 < (logits - expected).norm() < 0.05 * expected.norm()


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_the_recognizer_is_left_as_it_is(name: str) -> None:
    recognizer = trained(name).train()
    before = copy.deepcopy(recognizer.state_dict())
    model = fuse_for_inference(recognizer)
    model(some_clips())
    assert all(module.training for module in recognizer.modules())
    assert not any(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in recognizer.parameters())
    for key, value in recognizer.state_dict().items():
        assert torch.equal(value, before[key]), key
    own = {parameter.data_ptr() for parameter in recognizer.parameters()}
    assert own.isdisjoint(parameter.data_ptr() for parameter in model.parameters())


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_clips_do_not_influence_one_another(name: str) -> None:
    model, clips = fuse_for_inference(trained(name)), some_clips()
    one_by_one = torch.cat([model(clip) for clip in clips.split(1)])
    torch.testing.assert_close(model(clips), one_by_one, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["skeletonagent", "dg-stgcn"])
def test_norms_and_training_heads_are_gone(name: str) -> None:
    recognizer = trained(name)
    model = fuse_for_inference(recognizer)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    count = sum(parameter.numel() for parameter in model.parameters())
    heads = (recognizer.joint_head, recognizer.text_head)
    left_out = sum(parameter.numel() for head in heads for parameter in head.parameters())
    assert count < sum(parameter.numel() for parameter in recognizer.parameters()) - left_out


def test_convolutions_take_in_the_norms_after_them() -> None:
    recognizer = trained("stgcn++")
    norms = [
        sum(isinstance(module, nn.BatchNorm2d) for module in model.blocks.modules())
        for model in (recognizer.backbone, fuse_for_inference(recognizer))
    ]
    folded = (
        10 + 3 + 2
    )  # the last of each block, of each graph unit's and of each block's way around
    assert norms[1] == norms[0] - folded
