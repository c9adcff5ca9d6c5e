"""Readouts against slow literal ones."""

from __future__ import annotations

import pytest
import torch
from tests.models.conftest import shake
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from skeletonagent.models.person_pooling import mean_over_persons
from skeletonagent.models.readouts import (
    JOINT_WIDTH,
    TEMPORAL_WIDTH,
    InputLayers,
    JointReadout,
    MeanReadout,
    TemporalReadout,
    build_readout,
)
from skeletonagent.models.settings import PersonPooling, ReadoutKind

CHANNELS, JOINTS, PERSONS, SIZES, WIDTH = 4, 5, 2, (3, 0, 2), 6
PRESENT = torch.tensor([[True, True], [True, False], [False, True]])
BODIES = torch.tensor([0, 1, 2, 5])
"""The present ones."""


def readout_of(kind: ReadoutKind) -> MeanReadout | JointReadout | TemporalReadout:
    """Return a readout in which every term counts, in evaluation."""
    torch.manual_seed(0)
    readout = build_readout(kind, CHANNELS, JOINTS, PERSONS, SIZES, WIDTH)
    shake(readout)
    return readout


def arguments(frames: int, stride: int = 2) -> tuple[Tensor, list[Tensor], Tensor]:
    """Return maps of all bodies, inputs and clips; a joint and some bodies are absent."""
    generator = torch.Generator().manual_seed(frames)
    clips = torch.randn(3, PERSONS, frames, JOINTS, 3, generator=generator)
    clips[:, :, :, 1] = 0
    clips[~PRESENT] = 0
    inputs = [torch.randn(*clips.shape[:-1], size, generator=generator) for size in SIZES]
    for values in inputs:
        values[~PRESENT] = 0
        values[:, :, :, 1] = 0
    shortened = -(-frames // stride)
    maps = torch.randn(3 * PERSONS, CHANNELS, shortened, JOINTS, generator=generator)
    return maps, inputs, clips


def conv_norm(layers: nn.Module, x: Tensor) -> Tensor:
    """Return a convolution over frames with norm and rectifier, of frames ``t c``."""
    conv, norm, _ = layers
    weight = conv.weight.squeeze(-1)  # d c k
    around = weight.shape[-1] // 2
    rows = []
    for t in range(len(x)):
        total = torch.zeros(weight.shape[0])
        for k in range(weight.shape[-1]):
            if 0 <= t + k - around < len(x):
                total = total + weight[:, :, k] @ x[t + k - around]
        rows.append(total)
    return leaky_relu(normed(norm, torch.stack(rows)), 0.2)


def normed(norm: nn.Module, x: Tensor) -> Tensor:
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return (x - norm.running_mean) * scale + norm.bias


def input_layers(layers: InputLayers, x: Tensor) -> Tensor:
    x = torch.where(x == 0, torch.zeros(()), normed(layers.norm, x))
    for layer in layers.layers:
        x = conv_norm(layer, x)
    return x


def halved(x: Tensor) -> Tensor:
    return torch.stack([x[t : t + 2].amax(0) for t in range(0, len(x), 2)])


def shortened(x: Tensor, frames: int) -> Tensor:
    """Return the maxima over parts of a clip that overlap where it cannot be divided."""
    t = len(x)
    parts = [x[i * t // frames : -(-(i + 1) * t // frames)] for i in range(frames)]
    return torch.stack([part.amax(0) for part in parts])


def literal_temporal(
    readout: TemporalReadout, maps: Tensor, inputs: list[Tensor], present: Tensor
) -> Tensor:
    """Return the features clip by clip."""
    n, m = present.shape
    rows = []
    for clip in range(n):
        own = maps.view(n, m, *maps.shape[1:])[clip] * present[clip][:, None, None, None]
        places = [own[body, :, :, joint].T for body in range(m) for joint in range(JOINTS)]
        joined = [conv_norm(readout.maps, torch.cat(places, dim=1))]
        given = [values for values in inputs if values.shape[-1]]
        for layers, values in zip(readout.inputs, given, strict=True):
            bodies = [values[clip, body].flatten(1) for body in range(m)]
            embedded = input_layers(layers, torch.cat(bodies, dim=1))
            joined.append(shortened(embedded, maps.shape[2]))
        x = torch.cat(joined, dim=1)
        for layer in list(readout.layers)[1:]:
            x = halved(x) if isinstance(layer, nn.MaxPool2d) else conv_norm(layer, x)
        rows.append(x.amax(0))
    return torch.stack(rows)


@torch.no_grad()
def test_a_mean_is_over_persons_frames_and_joints() -> None:
    maps, inputs, clips = arguments(7)
    pooled = readout_of(ReadoutKind.MEAN)(maps, inputs, clips, PersonPooling.PAPER, None)
    by_body = maps.unflatten(0, (3, 2)).mean((3, 4))
    expected = torch.stack([by_body[0].mean(0), by_body[1, 0], by_body[2, 1]])
    torch.testing.assert_close(pooled.features, expected)
    torch.testing.assert_close(pooled.x_pre.mean(-1), expected)


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_a_readout_of_joints_is_a_layer_over_their_maxima(frames: int) -> None:
    readout = readout_of(ReadoutKind.JOINTS)
    maps, inputs, clips = arguments(frames)
    pooled = readout(maps, inputs, clips, PersonPooling.PAPER, None)
    peaks = maps.unflatten(0, (3, 2)).amax(3)
    expected = torch.stack([peaks[0].mean(0), peaks[1, 0], peaks[2, 1]])
    torch.testing.assert_close(pooled.x_pre, expected)
    rows = [conv_norm(readout.reduce, row.flatten()[None])[0] for row in expected]
    torch.testing.assert_close(pooled.features, torch.stack(rows), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("frames", [1, 2, 3, 7, 13, 16])
def test_a_temporal_readout_equals_a_loop_over_clips(frames: int, stride: int) -> None:
    readout = readout_of(ReadoutKind.TEMPORAL)
    maps, inputs, clips = arguments(frames, stride)
    expected = literal_temporal(readout, maps, inputs, PRESENT)
    pooled = readout(maps, inputs, clips, PersonPooling.PAPER, None)
    torch.testing.assert_close(pooled.features, expected, rtol=1e-4, atol=1e-4)
    counted = mean_over_persons(maps.amax(2), clips, PersonPooling.PAPER)
    torch.testing.assert_close(pooled.x_pre, counted)
    everyone = readout(maps, inputs, clips, PersonPooling.RELEASED, None)
    expected = literal_temporal(readout, maps, inputs, torch.ones_like(PRESENT))
    torch.testing.assert_close(everyone.features, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(everyone.features, pooled.features)


@torch.no_grad()
@pytest.mark.parametrize("kind", ReadoutKind)
def test_absent_bodies_need_not_be_run(kind: ReadoutKind) -> None:
    readout = readout_of(kind)
    maps, inputs, clips = arguments(7)
    whole = readout(maps, inputs, clips, PersonPooling.PAPER, None)
    packed = readout(maps[BODIES], inputs, clips, PersonPooling.PAPER, BODIES)
    for mine, theirs in zip(packed, whole, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("kind", ReadoutKind)
def test_only_a_temporal_readout_knows_which_body_is_which(kind: ReadoutKind) -> None:
    readout = readout_of(kind)
    maps, inputs, clips = arguments(7)
    swapped = (
        maps.unflatten(0, (3, 2)).flip(1).flatten(0, 1),
        [values.flip(1) for values in inputs],
        clips.flip(1),
    )
    one, other = (
        readout(*given, PersonPooling.PAPER, None) for given in ((maps, inputs, clips), swapped)
    )
    torch.testing.assert_close(other.x_pre, one.x_pre)
    same = torch.allclose(other.features, one.features, rtol=1e-4, atol=1e-5)
    assert same is (kind is not ReadoutKind.TEMPORAL)


@torch.no_grad()
@pytest.mark.parametrize("kind", ReadoutKind)
def test_only_a_mean_is_blind_to_which_joint_is_which(kind: ReadoutKind) -> None:
    readout = readout_of(kind)
    maps, inputs, clips = arguments(7)
    plain, turned = (
        readout(given, inputs, clips, PersonPooling.PAPER, None).features
        for given in (maps, maps.roll(1, dims=3))
    )
    assert torch.allclose(plain, turned, rtol=1e-4, atol=1e-5) is (kind is ReadoutKind.MEAN)


@pytest.mark.parametrize("kind", ReadoutKind)
@pytest.mark.parametrize("frames", [1, 2, 3, 9])
def test_every_weight_gets_a_gradient(kind: ReadoutKind, frames: int) -> None:
    torch.manual_seed(0)
    readout = build_readout(kind, CHANNELS, JOINTS, PERSONS, SIZES, WIDTH)
    maps, inputs, clips = arguments(frames)
    maps.requires_grad_()
    pooled = readout(maps, inputs, clips, PersonPooling.PAPER, BODIES_OF_ALL)
    assert pooled.features.shape == (3, readout.out_channels)
    (pooled.features * torch.randn_like(pooled.features)).sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
    assert maps.grad.any()
    for key, parameter in readout.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key


BODIES_OF_ALL = torch.arange(3 * PERSONS)


def test_default_widths() -> None:
    for kind, width in (
        (ReadoutKind.MEAN, CHANNELS),
        (ReadoutKind.JOINTS, JOINT_WIDTH),
        (ReadoutKind.TEMPORAL, 8 * TEMPORAL_WIDTH),
    ):
        assert build_readout(kind, CHANNELS, JOINTS, PERSONS, SIZES).out_channels == width
    assert readout_of(ReadoutKind.JOINTS).out_channels == WIDTH
    assert readout_of(ReadoutKind.TEMPORAL).out_channels == 8 * WIDTH


@pytest.mark.parametrize("kind", [ReadoutKind.JOINTS, ReadoutKind.TEMPORAL])
@pytest.mark.parametrize("width", [0, -3])
def test_widths_that_are_not_positive_are_refused(kind: ReadoutKind, width: int) -> None:
    with pytest.raises(ValueError, match=f"readout width {width}; give a positive number"):
        build_readout(kind, CHANNELS, JOINTS, PERSONS, SIZES, width)
