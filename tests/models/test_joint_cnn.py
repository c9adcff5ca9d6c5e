"""Joint CNN against a loop over bodies, frames and joints."""

from __future__ import annotations

import pytest
import torch
from tests.models.conftest import shake
from torch import Tensor
from torch.nn.functional import leaky_relu

from skeletonagent.models.joint_cnn import SLOPE, FeatureNormStem, JointTokens

JOINTS, CHANNELS, WIDTH = 4, 3, 5


def gappy_clips(frames: int = 6) -> Tensor:
    """Return two clips of two bodies in which joints and a body are absent."""
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(2, 2, frames, JOINTS, CHANNELS, generator=generator) + 3
    clips[torch.rand(clips.shape[:-1], generator=generator) < 0.2] = 0
    clips[1, 1] = 0
    return clips


def shaken_stem() -> FeatureNormStem:
    torch.manual_seed(0)
    stem = FeatureNormStem(JOINTS, CHANNELS)
    shake(stem)
    return stem


@torch.no_grad()
@pytest.mark.parametrize("bodies", [None, torch.tensor([0, 1, 2])])
def test_stem_in_evaluation_equals_a_loop(bodies: Tensor | None) -> None:
    stem, clips = shaken_stem(), gappy_clips()
    norm = stem.norm
    joints = clips.flatten(0, 1) if bodies is None else clips.flatten(0, 1)[bodies]
    normed = stem(clips, bodies)
    assert normed.shape == (len(joints), CHANNELS, 6, JOINTS)
    for c in range(CHANNELS):
        for v in range(JOINTS):
            i = c * JOINTS + v
            x = joints[:, :, v, c]
            y = (x - norm.running_mean[i]) / (norm.running_var[i] + norm.eps).sqrt()
            y = torch.where(x == 0, torch.zeros(()), y * norm.weight[i] + norm.bias[i])
            torch.testing.assert_close(normed[:, c, :, v], y, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_stem_in_training_has_the_statistics_of_those_who_are_run() -> None:
    stem, clips = shaken_stem().train(), gappy_clips()
    stem.norm.reset_parameters()
    normed = stem(clips, torch.tensor([0, 2]))
    joints = clips.flatten(0, 1)[[0, 2]]
    for c in range(CHANNELS):
        for v in range(JOINTS):
            x = joints[:, :, v, c]
            y = (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt()
            torch.testing.assert_close(normed[:, c, :, v], y * (x != 0), rtol=1e-3, atol=1e-4)
            mean = stem.norm.running_mean[c * JOINTS + v]
            torch.testing.assert_close(mean, 0.1 * x.mean(), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 2, 3, 8])
def test_tokens_equal_a_loop(frames: int) -> None:
    torch.manual_seed(0)
    tokens = JointTokens(JOINTS, CHANNELS, WIDTH)
    shake(tokens)
    x = torch.randn(2, CHANNELS, frames, JOINTS, generator=torch.Generator().manual_seed(1))
    y = tokens(x)
    assert y.shape == (2, WIDTH, -(-frames // 2), JOINTS)
    for body in range(2):
        for v in range(JOINTS):
            embedded = []
            for t in range(frames):
                values = tokens.embed[0].weight.flatten(1) @ x[body, :, t, v]
                embedded.append(
                    leaky_relu(normed(tokens.embed[1], values) + tokens.position[:, 0, v], SLOPE)
                )
            summed = []
            for t in range(frames):
                seen = torch.zeros(WIDTH)
                for k in range(5):
                    if 0 <= t + k - 2 < frames:
                        seen += tokens.temporal.weight[:, 0, k, 0] * embedded[t + k - 2]
                mixed = normed(tokens.mix[1], tokens.mix[0].weight.flatten(1) @ seen)
                summed.append(embedded[t] + leaky_relu(mixed, SLOPE))
            for s in range(y.shape[2]):
                expected = torch.stack(summed[2 * s : 2 * s + 2]).amax(0)
                torch.testing.assert_close(y[body, :, s, v], expected, rtol=1e-4, atol=1e-4)


def normed(norm: torch.nn.Module, x: Tensor) -> Tensor:
    """Return the values of a frame, normalised as in evaluation."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return (x - norm.running_mean) * scale + norm.bias


@torch.no_grad()
def test_joints_do_not_influence_one_another() -> None:
    torch.manual_seed(0)
    tokens = JointTokens(JOINTS, CHANNELS, WIDTH)
    shake(tokens)
    x = torch.randn(2, CHANNELS, 8, JOINTS)
    changed = x.clone()
    changed[..., 2] += 1
    different = (tokens(changed) != tokens(x)).any(dim=(0, 1, 2))
    assert different.tolist() == [False, False, True, False]


def test_joints_start_with_offsets_of_their_own() -> None:
    torch.manual_seed(0)
    tokens = JointTokens(50, CHANNELS, 40)
    assert tokens.position.shape == (40, 1, 50)
    assert 0.19 < tokens.position.std().item() < 0.21
