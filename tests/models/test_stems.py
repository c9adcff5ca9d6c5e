"""What the stems normalise over."""

from __future__ import annotations

import torch

from skeletonagent.models.stems import EmbeddingStem, PlainStem


def test_embedding_stem_is_blind_to_the_position_in_training() -> None:
    stem = EmbeddingStem(5, 3, 2, 4)
    clips = torch.randn(3, 2, 6, 5, 3)
    before = stem(clips)
    with torch.no_grad():
        stem.position.add_(torch.randn(5, 4))
        stem.embed.bias.add_(1)
    torch.testing.assert_close(stem(clips), before, rtol=1e-4, atol=1e-4)


def test_embedding_stem_normalises_each_persons_joints() -> None:
    stem = EmbeddingStem(5, 3, 2, 4)
    normed = stem(torch.randn(3, 2, 6, 5, 3) * 7 + 2).unflatten(0, (3, 2))
    torch.testing.assert_close(normed.mean((0, 3)), torch.zeros(2, 4, 5), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        normed.var((0, 3), unbiased=False), torch.ones(2, 4, 5), rtol=0, atol=1e-3
    )


def test_embedding_stem_orders_its_statistics_by_person_joint_channel() -> None:
    stem = EmbeddingStem(5, 3, 2, 4).eval()
    with torch.no_grad():
        stem.norm.bias.copy_(torch.arange(40.0))
    clips = torch.zeros(1, 2, 1, 5, 3)
    shift = (stem(clips) - (stem.embed.bias + stem.position).T[:, None]).reshape(2, 4, 5)
    expected = torch.arange(40.0).reshape(2, 5, 4).mT
    torch.testing.assert_close(shift, expected, rtol=1e-3, atol=1e-3)


def test_plain_stem_normalises_joints_over_all_bodies() -> None:
    normed = PlainStem(5, 3)(torch.randn(3, 2, 6, 5, 3) * 7 + 2)
    assert normed.shape == (6, 3, 6, 5)
    torch.testing.assert_close(normed.mean((0, 2)), torch.zeros(3, 5), rtol=0, atol=1e-5)


def test_plain_stem_of_two_normalises_each_persons_joints() -> None:
    clips = torch.randn(3, 2, 6, 5, 3) * 7 + 2
    clips[:, 1] *= 10
    together, apart = PlainStem(5, 3), PlainStem(5, 3, persons=2)
    assert together(clips).unflatten(0, (3, 2))[:, 0].std() < 0.3
    bodies = apart(clips).unflatten(0, (3, 2))
    torch.testing.assert_close(bodies.mean((0, 3)), torch.zeros(2, 3, 5), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        bodies.var((0, 3), unbiased=False), torch.ones(2, 3, 5), rtol=0, atol=1e-3
    )


def test_plain_stem_orders_its_statistics_by_person_joint_channel() -> None:
    stem = PlainStem(5, 3, persons=2).eval()
    with torch.no_grad():
        stem.norm.bias.copy_(torch.arange(30.0))
    shift = stem(torch.zeros(1, 2, 1, 5, 3)).reshape(2, 3, 5)
    torch.testing.assert_close(shift, torch.arange(30.0).reshape(2, 5, 3).mT)
