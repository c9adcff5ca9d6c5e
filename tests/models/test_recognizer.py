"""The recognizer: who counts, what inference runs, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import COCO_17, KINECT_25
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.recognizer import (
    PersonRule,
    Recognizer,
    build_recognizer,
    person_weights,
)


def small(name: str, rule: PersonRule = PersonRule.PAPER, persons: int = 2) -> Recognizer:
    recognizer = build_recognizer(
        name,
        COCO_17,
        channels=3,
        persons=persons,
        num_classes=5,
        text_dim=6,
        width=8,
        person_rule=rule,
    )
    torch.nn.init.normal_(recognizer.classes.score.weight)
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
    features = recognizer.backbone(clips)
    means = [features[0].mean(0), features[1, 1], features[2].mean(0)]
    x_pre = torch.stack(means).mean(dim=2)
    prediction = recognizer(clips, SALIENT)
    torch.testing.assert_close(prediction.logits, recognizer.classes(x_pre.mean(2)))
    torch.testing.assert_close(prediction.joint_logits, recognizer.constraint(x_pre, SALIENT))
    torch.testing.assert_close(prediction.embedding, recognizer.alignment(x_pre.mean(2)))


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_absent_bodies_count_only_under_the_released_rule(name: str) -> None:
    clips = clips_of((True, False))
    paper = small(name)
    alone = paper.classes(paper.backbone(clips)[:, 0].mean((2, 3)))
    torch.testing.assert_close(paper.classify(clips), alone)
    paper.person_rule = PersonRule.RELEASED
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


@given(present=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=4))
def test_person_weights_are_shares(present: list[list[bool]]) -> None:
    clips = torch.zeros(len(present), 3, 4, 5, 2)
    for n, bodies in enumerate(present):
        for m, there in enumerate(bodies):
            clips[n, m, -1, -1, -1] = -1.0 if there else 0.0
    weights = person_weights(clips, PersonRule.PAPER)
    for bodies, row in zip(present, weights.tolist(), strict=True):
        counted = bodies if any(bodies) else [True] * 3
        assert row == pytest.approx([there / sum(counted) for there in counted])
    released = person_weights(clips, PersonRule.RELEASED)
    torch.testing.assert_close(released, torch.full_like(released, 1 / 3))


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

    monkeypatch.setattr(recognizer.constraint, "forward", refuse)
    monkeypatch.setattr(recognizer.alignment, "forward", refuse)
    torch.testing.assert_close(recognizer.classify(clips), logits)


@pytest.mark.parametrize("rule", PersonRule)
@pytest.mark.parametrize("name", BACKBONES)
def test_training_never_waits_for_the_device(name: str, rule: PersonRule) -> None:
    """A tensor without contents cannot be read by the host, nor give a shape its size."""
    recognizer = small(name, rule).to("meta").train()
    prediction = recognizer(clips_of((True, False)).to("meta"), SALIENT.to("meta"))
    total = prediction.logits.sum() + prediction.joint_logits.sum() + prediction.embedding.sum()
    total.backward()


def test_full_size_is_the_published_one() -> None:
    """Spec 1.5; the released code has 14 dead gates a block and a temperature besides."""
    recognizer = build_recognizer(
        "skeletonagent", KINECT_25, channels=3, persons=2, num_classes=60, text_dim=512
    )
    ours = sum(parameter.numel() for parameter in recognizer.parameters())
    assert ours + 9 * 14 + 1 == 3_899_767


def test_unknown_backbones_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"no backbone 'ctr'; there are .*skeletonagent"):
        build_recognizer("ctr", COCO_17, channels=3, persons=1, num_classes=2, text_dim=4)


def test_width_zero_is_refused_rather_than_replaced() -> None:
    with pytest.raises(ValueError, match="width 0"):
        build_recognizer(
            "skeletonagent", COCO_17, channels=3, persons=1, num_classes=2, text_dim=4, width=0
        )
