"""Normalisation by the stems."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from skeletonagent.models.stems import BatchNormStem, EmbeddingStem

Stem = EmbeddingStem | BatchNormStem


def embedded_literally(stem: EmbeddingStem, clips: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    """Embed every joint and normalise the maps as they are."""
    n, m, t, v, _ = clips.shape
    marked = clips @ stem.embed.weight.T + stem.embed.bias + stem.position
    normed = norm(marked.permute(0, 1, 3, 4, 2).flatten(1, 3))
    return normed.view(n * m, v, -1, t).permute(0, 2, 3, 1)


def normalised_literally(stem: BatchNormStem, clips: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    n, m, t, v, c = clips.shape
    normed = norm(clips.permute(0, 1, 3, 4, 2).reshape(-1, norm.num_features, t))
    return normed.view(n * m, v, c, t).permute(0, 2, 3, 1)


def shuffled(stem: Stem) -> Stem:
    """Give a stem's norm parameters and statistics of all kinds."""
    torch.manual_seed(1)
    nn.init.normal_(stem.norm.weight)
    nn.init.normal_(stem.norm.bias)
    nn.init.normal_(stem.norm.running_mean)
    nn.init.uniform_(stem.norm.running_var, 0.5, 2)
    return stem


def torchs(stem: Stem) -> nn.BatchNorm1d:
    norm = nn.BatchNorm1d(stem.norm.num_features)
    norm.load_state_dict(stem.norm.state_dict())
    return norm.train(stem.training)


stems = pytest.mark.parametrize(
    ("build", "literally"),
    [
        (lambda: EmbeddingStem(5, 3, 2, 4), embedded_literally),
        (lambda: BatchNormStem(5, 3, persons=2), normalised_literally),
        (lambda: BatchNormStem(5, 3), normalised_literally),
    ],
    ids=["embedding", "batch norm of two", "batch norm"],
)
Literally = Callable[[Stem, Tensor, nn.BatchNorm1d], Tensor]


@stems
@pytest.mark.parametrize("training", [True, False])
def test_stem_equals_torchs_norm_of_the_whole_maps(
    build: Callable[[], Stem], literally: Literally, training: bool
) -> None:
    stem = shuffled(build()).train(training)
    literal = copy.deepcopy(stem)
    norm = torchs(stem)
    clips = 2 * torch.randn(3, 2, 6, 5, 3) + 5
    mine, theirs = clips.clone().requires_grad_(), clips.clone().requires_grad_()
    actual, expected = stem(mine), literally(literal, theirs, norm)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    probe = torch.randn_like(expected)
    (actual * probe).sum().backward()
    (expected * probe).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(stem.norm.weight.grad, norm.weight.grad, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(stem.norm.bias.grad, norm.bias.grad, rtol=1e-3, atol=1e-3)
    for (name, parameter), other in zip(stem.named_parameters(), literal.parameters(), strict=True):
        if not name.startswith("norm"):
            torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-3, atol=1e-3, msg=name)
    for (name, buffer), other in zip(stem.norm.named_buffers(), norm.buffers(), strict=True):
        torch.testing.assert_close(buffer, other, rtol=1e-4, atol=1e-4, msg=name)


@stems
def test_only_bodies_that_are_run_have_a_say_in_training(
    build: Callable[[], Stem], literally: Literally
) -> None:
    stem = shuffled(build()).train()
    before = copy.deepcopy(stem)
    clips = 2 * torch.randn(4, 2, 6, 5, 3) + 5
    bodies = torch.tensor([0, 2, 3, 4, 7])
    packed = stem(clips, bodies)
    slots = bodies % 2 if stem.norm.num_features > 15 else torch.zeros(5, dtype=torch.long)
    for slot in slots.unique():
        alone = clips.flatten(0, 1)[bodies[slots == slot]][:, None]
        count = stem.norm.num_features // (2 if stem.norm.num_features > 15 else 1)
        norm = nn.BatchNorm1d(count)
        own = slice(int(slot) * count, (int(slot) + 1) * count)
        state = before.norm.state_dict()
        norm.load_state_dict({k: v[own] if v.ndim else v for k, v in state.items()})
        expected = literally(before, alone, norm)
        torch.testing.assert_close(packed[slots == slot], expected, rtol=1e-4, atol=1e-4)
        for name, buffer in stem.norm.named_buffers():
            if buffer.ndim:
                torch.testing.assert_close(buffer[own], norm.get_buffer(name), rtol=1e-4, atol=1e-4)


@stems
@torch.no_grad()
def test_in_evaluation_bodies_come_out_the_same_however_many_are_run(
    build: Callable[[], Stem], literally: Literally
) -> None:
    del literally
    stem = shuffled(build()).eval()
    clips = torch.randn(4, 2, 6, 5, 3)
    bodies = torch.tensor([0, 3, 5, 6])
    torch.testing.assert_close(stem(clips, bodies), stem(clips)[bodies])


def test_where_nobody_is_what_was_known_stays() -> None:
    stem = shuffled(EmbeddingStem(5, 3, 2, 4)).train()
    before = {name: buffer.clone() for name, buffer in stem.norm.named_buffers()}
    y = stem(torch.randn(3, 2, 6, 5, 3), torch.tensor([0, 2, 4]))
    y.square().sum().backward()
    assert y.isfinite().all()
    for parameter in stem.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    for name in ("running_mean", "running_var"):
        now = stem.norm.get_buffer(name)
        torch.testing.assert_close(now[20:], before[name][20:], rtol=0, atol=0)
        assert not torch.isclose(now[:20], before[name][:20]).all()
    assert not stem.norm.weight.grad[20:].any()


def test_under_autocast_statistics_keep_their_precision_and_maps_are_low() -> None:
    stem = shuffled(EmbeddingStem(5, 3, 2, 4)).train()
    other = copy.deepcopy(stem)
    clips = 0.01 * torch.randn(3, 2, 6, 5, 3) + 50
    expected = stem(clips)
    with torch.autocast("cpu", torch.bfloat16):
        y = other(clips)
    assert y.dtype == torch.bfloat16
    assert y.is_contiguous()
    torch.testing.assert_close(y, expected.bfloat16())
    torch.testing.assert_close(other.norm.running_var, stem.norm.running_var, rtol=0, atol=0)


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


def test_batch_norm_stem_normalises_joints_over_all_bodies() -> None:
    normed = BatchNormStem(5, 3)(torch.randn(3, 2, 6, 5, 3) * 7 + 2)
    assert normed.shape == (6, 3, 6, 5)
    torch.testing.assert_close(normed.mean((0, 2)), torch.zeros(3, 5), rtol=0, atol=1e-5)


def test_batch_norm_stem_of_two_normalises_each_persons_joints() -> None:
    clips = torch.randn(3, 2, 6, 5, 3) * 7 + 2
    clips[:, 1] *= 10
    together, apart = BatchNormStem(5, 3), BatchNormStem(5, 3, persons=2)
    assert together(clips).unflatten(0, (3, 2))[:, 0].std() < 0.3
    bodies = apart(clips).unflatten(0, (3, 2))
    torch.testing.assert_close(bodies.mean((0, 3)), torch.zeros(2, 3, 5), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        bodies.var((0, 3), unbiased=False), torch.ones(2, 3, 5), rtol=0, atol=1e-3
    )


def test_batch_norm_stem_orders_its_statistics_by_person_joint_channel() -> None:
    stem = BatchNormStem(5, 3, persons=2).eval()
    with torch.no_grad():
        stem.norm.bias.copy_(torch.arange(30.0))
    shift = stem(torch.zeros(1, 2, 1, 5, 3)).reshape(2, 3, 5)
    torch.testing.assert_close(shift, torch.arange(30.0).reshape(2, 5, 3).mT)
