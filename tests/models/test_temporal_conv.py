"""Temporal convolutions against their formulas, written out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from skeletonagent.core.layout import KINECT_25
from skeletonagent.models.temporal_conv import (
    DILATIONS,
    CTRTemporalConv,
    DGTemporalConv,
    MultiScaleTCN,
    TemporalBranches,
    temporal_max_pool,
)

Shake = Callable[..., nn.Module]


def branches_literally(
    unit: TemporalBranches, x: Tensor, kernel: int, dilations: Sequence[int]
) -> Tensor:
    """Each branch with a 1x1 convolution and a BatchNorm of its own."""
    widths = [*unit.widths, x.shape[1] - sum(unit.widths)]
    stops = torch.tensor([0, *widths]).cumsum(0).tolist()
    spans = [slice(a, b) for a, b in itertools.pairwise(stops)]
    entered = [functional.conv2d(x, unit.enter.weight[s], unit.enter.bias[s]) for s in spans]
    norm = unit.norm
    for i, s in enumerate(spans[:-1]):
        normed = functional.batch_norm(
            entered[i], norm.running_mean[s], norm.running_var[s], norm.weight[s], norm.bias[s]
        )
        entered[i] = torch.relu(normed)
    t = x.shape[2]
    out = []
    for i, dilation in enumerate(dilations):
        reach = dilation * (kernel - 1) // 2
        padded = functional.pad(entered[i], (0, 0, reach, reach))
        taps = [padded[:, :, j * dilation : j * dilation + t] for j in range(kernel)]
        weight = unit.convs[i].weight[..., 0]
        y = sum(torch.einsum("nctv,dc->ndtv", tap, weight[:, :, j]) for j, tap in enumerate(taps))
        out.append((y + unit.convs[i].bias[:, None, None])[:, :, :: unit.stride])
    padded = functional.pad(entered[-2], (0, 0, 1, 1), value=-torch.inf)
    windows = torch.stack([padded[:, :, j : j + t] for j in range(3)])
    out.append(windows.amax(0)[:, :, :: unit.stride])
    out.append(entered[-1][:, :, :: unit.stride])
    return torch.cat(out, dim=1)


@pytest.mark.parametrize(("kernel", "dilations"), [(3, DILATIONS), (5, (1, 2)), (1, (7,))])
@given(
    channels=st.integers(6, 20),
    stride=st.integers(1, 2),
    frames=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_temporal_branches_equal_separate_ones(
    channels: int,
    stride: int,
    frames: int,
    seed: int,
    kernel: int,
    dilations: tuple[int, ...],
    shaken: Shake,
) -> None:
    unit = shaken(TemporalBranches(channels, stride, kernel, dilations), seed)
    x = torch.randn(2, channels, frames, 3, generator=torch.Generator().manual_seed(seed))
    actual = unit(x)
    assert actual.shape == (2, channels, -(-frames // stride), 3)
    expected = branches_literally(unit, x, kernel, dilations)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 5, 8])
def test_temporal_max_pool_is_torchs_for_values_not_negative(frames: int, stride: int) -> None:
    x = torch.randn(2, 3, frames, 4).relu().requires_grad_()
    expected = functional.max_pool2d(x, (3, 1), (stride, 1), (1, 0))
    actual = temporal_max_pool(x, stride)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)
    probe = torch.randn_like(expected)
    grads = [torch.autograd.grad((y * probe).sum(), x)[0] for y in (actual, expected)]
    felt = x > 0  # elsewhere no gradient comes through the rectifier before
    torch.testing.assert_close(grads[0][felt], grads[1][felt])


def test_temporal_branches_need_a_channel_each() -> None:
    with pytest.raises(ValueError, match="5 channels are too few; 6 branches"):
        TemporalBranches(5, 1)


def test_dg_temporal_conv_adds_the_mean_joint(shaken: Shake) -> None:
    unit = shaken(DGTemporalConv(12, 2, 4))
    x = torch.randn(2, 12, 6, 4)
    local, body = unit.branches(x), unit.branches(x.mean(-1, keepdim=True))
    expected = unit.mix(local + torch.einsum("nctu,v->nctv", body, unit.share))
    torch.testing.assert_close(unit(x), expected)


def test_dg_temporal_conv_without_shares_is_the_multi_scale_tcn() -> None:
    posture, plain = DGTemporalConv(12, 1, 4).eval(), MultiScaleTCN(12, 1).eval()
    plain.load_state_dict({k: v for k, v in posture.state_dict().items() if k != "share"})
    x = torch.randn(2, 12, 6, 4)
    torch.testing.assert_close(posture(x), plain(x))


def test_multi_scale_tcn_keeps_joints_apart(shaken: Shake) -> None:
    unit = shaken(MultiScaleTCN(12, 1))
    x = torch.randn(2, 12, 6, KINECT_25.num_joints)
    order = torch.randperm(KINECT_25.num_joints)
    torch.testing.assert_close(unit(x)[..., order], unit(x[..., order]))


def test_ctr_temporal_conv_normalises_its_branches() -> None:
    unit = CTRTemporalConv(8, 2)
    y = unit(5 * torch.randn(4, 8, 9, 3) + 1)
    assert y.shape == (4, 8, 5, 3)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(8), rtol=0, atol=1e-5)
    assert [conv.kernel_size for conv in unit[0].convs] == [(5, 1), (5, 1)]
    assert [conv.dilation for conv in unit[0].convs] == [(1, 1), (2, 1)]
