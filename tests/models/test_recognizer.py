"""Recognizer: pooling over persons, features, inference and errors."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import COCO_17, KINECT_25
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.recognizer import Recognizer, build_recognizer
from skeletonagent.models.settings import InputFeature, PersonPooling, ReadoutKind


def small(
    name: str,
    rule: PersonPooling = PersonPooling.PAPER,
    persons: int = 2,
    readout: ReadoutKind = ReadoutKind.MEAN,
    inputs: tuple[InputFeature, ...] = (),
) -> Recognizer:
    recognizer = build_recognizer(
        name,
        COCO_17,
        channels=3,
        persons=persons,
        num_classes=5,
        text_dim=6,
        width=8,
        inputs=inputs,
        readout=readout,
        person_pooling=rule,
    )
    torch.nn.init.normal_(recognizer.cls_head.fc.weight)
    return recognizer.eval()


def clips_of(*present: tuple[bool, ...]) -> torch.Tensor:
    clips = torch.randn(len(present), len(present[0]), 8, 17, 3)
    return clips * torch.tensor(present)[:, :, None, None, None]


SALIENT = (torch.arange(5)[:, None] != torch.arange(17) % 5).float()


@pytest.mark.parametrize("name", BACKBONES)
def test_outputs_have_the_promised_shapes(name: str) -> None:
    prediction = small(name)(clips_of((True, True), (True, False)), SALIENT)
    assert prediction.logits.shape == (2, 5)
    assert prediction.joint_logits.shape == (2, 5)
    assert prediction.embedding.shape == (2, 6)


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_heads_see_the_mean_over_those_who_are_there(name: str) -> None:
    recognizer = small(name)
    clips = clips_of((True, True), (False, True), (False, False))
    features = recognizer.backbone(clips).unflatten(0, (3, 2))
    means = [features[0].mean(0), features[1, 1], features[2].mean(0)]
    x_pre = torch.stack(means).mean(dim=2)
    prediction = recognizer(clips, SALIENT)
    torch.testing.assert_close(prediction.logits, recognizer.cls_head(x_pre.mean(2)))
    torch.testing.assert_close(prediction.joint_logits, recognizer.joint_head(x_pre, SALIENT))
    torch.testing.assert_close(prediction.embedding, recognizer.text_head(x_pre.mean(2)))


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_absent_bodies_count_only_under_the_released_rule(name: str) -> None:
    clips = 100 * clips_of((True, False))  # so that zeros give other features than a body
    paper = small(name)
    alone = paper.cls_head(paper.backbone(clips)[:1].mean((2, 3)))
    torch.testing.assert_close(paper.classify(clips), alone)
    paper.person_pooling = PersonPooling.RELEASED
    assert (paper.classify(clips) - alone).abs().max() > 1e-3


@torch.no_grad()
def test_a_place_for_nobody_changes_nothing() -> None:
    recognizer = small("stgcn++")
    clips = clips_of((True,), (True,))
    padded = torch.cat([clips, torch.zeros_like(clips)], dim=1)
    torch.testing.assert_close(recognizer.classify(padded), recognizer.classify(clips))


@torch.no_grad()
def test_order_of_persons_does_not_matter_where_they_are_normalised_alike() -> None:
    recognizer = small("stgcn++")
    clips = clips_of((True, True), (True, False))
    torch.testing.assert_close(
        recognizer.classify(clips.flip(1)), recognizer.classify(clips), rtol=1e-4, atol=1e-5
    )


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_classify_gives_the_same_scores_without_the_other_heads(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = small(name)
    clips = clips_of((True, True), (True, False))
    logits = recognizer(clips, SALIENT).logits

    def refuse(*_: torch.Tensor) -> None:
        raise AssertionError("inference needs the class scores alone")

    monkeypatch.setattr(recognizer.joint_head, "forward", refuse)
    monkeypatch.setattr(recognizer.text_head, "forward", refuse)
    torch.testing.assert_close(recognizer.classify(clips), logits)


@torch.no_grad()
@pytest.mark.parametrize("rule", PersonPooling)
@pytest.mark.parametrize("name", BACKBONES)
def test_features_are_what_the_classification_head_takes(name: str, rule: PersonPooling) -> None:
    recognizer = small(name, rule)
    clips = clips_of((True, True), (True, False))
    inputs: list[torch.Tensor] = []
    recognizer.cls_head.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    for bodies in (None, torch.tensor([0, 1, 2])):
        logits = recognizer.classify(clips, bodies)
        features = recognizer.features(clips, bodies)
        assert features.shape == (2, recognizer.backbone.out_channels)
        assert torch.equal(features, inputs[-1])
        assert torch.equal(recognizer.cls_head(features), logits)


PRESENT = ((True, True), (True, False), (False, True), (True, False))
BODIES = torch.tensor([0, 1, 2, 5, 6])
"""Who is there, and where."""


@torch.no_grad()
@pytest.mark.parametrize("rule", PersonPooling)
@pytest.mark.parametrize("name", BACKBONES)
def test_in_evaluation_absent_bodies_need_not_be_run(name: str, rule: PersonPooling) -> None:
    recognizer = small(name, rule)
    seen: list[int] = []
    recognizer.backbone.blocks[0].register_forward_hook(lambda _, x, __: seen.append(len(x[0])))
    clips = clips_of(*PRESENT)
    packed, whole = (recognizer(clips, SALIENT, bodies) for bodies in (BODIES, None))
    for mine, theirs in zip(packed, whole, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(recognizer.classify(clips, BODIES), whole.logits)
    assert seen[:2] == [8 if rule is PersonPooling.RELEASED else 5, 8]


@pytest.mark.parametrize("name", BACKBONES)
def test_in_training_statistics_are_of_those_who_are_there(name: str) -> None:
    recognizer = small(name).train()
    alone = copy.deepcopy(recognizer)
    clips = clips_of((True, False), (True, False), (True, False))
    packed = recognizer(clips, SALIENT, torch.tensor([0, 2, 4]))
    stem = alone.backbone.stem
    if stem.norm.num_features > 2 * 17 * 3 or name == "ctr-gcn":  # a slot each: keep the first
        one = build_recognizer(
            name, COCO_17, channels=3, persons=1, num_classes=5, text_dim=6, width=8
        ).train()
        state = alone.state_dict()
        for key, value in one.state_dict().items():
            value.copy_(state[key][: len(value)] if value.ndim else state[key])
        alone = one
    expected = alone(clips[:, :1], SALIENT)
    for mine, theirs in zip(packed, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_where_nobody_is_the_body_that_is_run_counts() -> None:
    clips = clips_of((False, False), (True, False))
    recognizer = small("skeletonagent")
    features = recognizer.backbone(clips, torch.tensor([0, 2])).mean((2, 3))
    logits = recognizer.classify(clips, torch.tensor([0, 2]))
    torch.testing.assert_close(logits, recognizer.cls_head(features))


@pytest.mark.parametrize("rule", PersonPooling)
@pytest.mark.parametrize("name", BACKBONES)
def test_training_never_waits_for_the_device(name: str, rule: PersonPooling) -> None:
    """A tensor without contents cannot be read by the host, nor give a shape its size."""
    recognizer = small(name, rule).to("meta").train()
    clips = clips_of((True, False), (True, True)).to("meta")
    bodies = torch.tensor([0, 2, 3]).to("meta")
    prediction = recognizer(clips, SALIENT.to("meta"), bodies)
    total = prediction.logits.sum() + prediction.joint_logits.sum() + prediction.embedding.sum()
    total.backward()


APART = pytest.mark.parametrize("readout", [ReadoutKind.JOINTS, ReadoutKind.TEMPORAL])
FED = pytest.mark.parametrize("inputs", [(), tuple(InputFeature)], ids=["clips", "inputs"])


@APART
@FED
@pytest.mark.parametrize("name", ["joint-cnn", "stgcn++"])
def test_every_readout_trains_all_heads(
    name: str, inputs: tuple[InputFeature, ...], readout: ReadoutKind
) -> None:
    recognizer = small(name, readout=readout, inputs=inputs).train()
    clips = clips_of((True, True), (True, False), (True, True))
    for head in ("logits", "joint_logits", "embedding"):
        recognizer.zero_grad()
        output = getattr(recognizer(clips, SALIENT, torch.tensor([0, 1, 2, 4, 5])), head)
        (output * torch.randn_like(output)).sum().backward()
        gradients = [parameter.grad for parameter in recognizer.backbone.blocks.parameters()]
        assert any(gradient is not None and gradient.any() for gradient in gradients), head
        read = [parameter.grad is not None for parameter in recognizer.readout.parameters()]
        assert all(read) if head != "joint_logits" else not any(read)


@torch.no_grad()
@APART
@FED
def test_absent_bodies_need_not_be_run_whatever_the_readout(
    inputs: tuple[InputFeature, ...], readout: ReadoutKind
) -> None:
    recognizer = small("joint-cnn", readout=readout, inputs=inputs)
    clips = clips_of(*PRESENT)
    packed, whole = (recognizer(clips, SALIENT, bodies) for bodies in (BODIES, None))
    for mine, theirs in zip(packed, whole, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    features = recognizer.features(clips, BODIES)
    assert features.shape == (4, recognizer.readout.out_channels)
    assert torch.equal(recognizer.cls_head(features), packed.logits)


@APART
@FED
def test_no_readout_waits_for_the_device(
    inputs: tuple[InputFeature, ...], readout: ReadoutKind
) -> None:
    recognizer = small("joint-cnn", readout=readout, inputs=inputs).to("meta").train()
    clips = clips_of((True, False), (True, True)).to("meta")
    for bodies in (None, torch.tensor([0, 2, 3]).to("meta")):
        prediction = recognizer(clips, SALIENT.to("meta"), bodies)
        sum(output.sum() for output in prediction).backward()


@torch.no_grad()
@APART
@FED
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lower_precision_comes_close_with_every_readout(
    dtype: torch.dtype, inputs: tuple[InputFeature, ...], readout: ReadoutKind
) -> None:
    recognizer = small("joint-cnn", readout=readout, inputs=inputs)
    clips = clips_of((True, True), (True, False))
    expected = recognizer(clips, SALIENT)
    with torch.autocast("cpu", dtype=dtype):
        prediction = recognizer(clips, SALIENT)
    for lower, full in zip(prediction, expected, strict=True):
        assert lower.isfinite().all()
        assert 0 < (lower.float() - full).norm() < 0.05 * full.norm()


@torch.no_grad()
def test_a_recognizer_that_keeps_joints_apart_can_be_exported() -> None:
    recognizer = small("joint-cnn", readout=ReadoutKind.TEMPORAL, inputs=tuple(InputFeature))
    shapes = ({0: torch.export.Dim("n", max=64)}, None)
    example = (clips_of((True, True), (True, True)), SALIENT)
    program = torch.export.export(recognizer, example, dynamic_shapes=shapes)
    clips = clips_of((True, True), (True, False), (False, True))
    for mine, theirs in zip(
        program.module()(clips, SALIENT), recognizer(clips, SALIENT), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_weights_before_readouts_keep_their_names_and_values() -> None:
    """What a seed gave, and what a checkpoint holds, before there were readouts and inputs."""
    states = []
    for settings in ({}, {"inputs": ("position",)}, {"readout": "joints", "inputs": ("position",)}):
        torch.manual_seed(0)
        states.append(
            build_recognizer(
                "tiny-gcn",
                COCO_17,
                channels=3,
                persons=2,
                num_classes=5,
                text_dim=6,
                width=8,
                **settings,
            ).state_dict()
        )
    default, positions, joints = states
    assert {key.split(".")[0] for key in default} == {
        "backbone",
        "cls_head",
        "joint_head",
        "text_head",
    }
    assert list(positions) == list(default)
    assert all(torch.equal(positions[key], default[key]) for key in default)
    assert {*joints} - {*default} == {key for key in joints if key.startswith("readout.")} != set()
    assert all(
        torch.equal(joints[key], default[key]) for key in default if key.startswith("backbone.")
    )


def test_full_size_is_the_published_one() -> None:
    """Spec 1.5; the released code has 14 dead gates a block and a temperature besides."""
    recognizer = build_recognizer(
        "skeletonagent", KINECT_25, channels=3, persons=2, num_classes=60, text_dim=512
    )
    ours = sum(parameter.numel() for parameter in recognizer.parameters())
    assert ours + 9 * 14 + 1 == 3_899_767


def test_unknown_backbones_are_refused_by_name() -> None:
    with pytest.raises(
        ConfigError, match=r"no backbone 'ctr'; did you mean 'ctr-gcn'\? there are .*skeletonagent"
    ):
        build_recognizer("ctr", COCO_17, channels=3, persons=1, num_classes=2, text_dim=4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inputs": ("position", "speed")}, "no input 'speed'; there are position, bone, .*"),
        ({"readout": "max"}, "no readout 'max'; there are mean, joints, temporal"),
        ({"inputs": ("partner",)}, "no channels in inputs partner of one person; add position"),
    ],
)
def test_inputs_and_readouts_that_cannot_be_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_recognizer(
            "joint-cnn", COCO_17, channels=3, persons=1, num_classes=2, text_dim=4, **settings
        )


def test_width_zero_is_refused_rather_than_replaced() -> None:
    with pytest.raises(ValueError, match="width 0"):
        build_recognizer(
            "skeletonagent", COCO_17, channels=3, persons=1, num_classes=2, text_dim=4, width=0
        )
