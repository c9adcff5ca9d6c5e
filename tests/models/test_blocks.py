"""1x1 convolutions, their sequences with norms, and the block with its shortcut."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import (
    Conv1x1,
    ConvBNSequence,
    FrameConv,
    STBlock,
    conv1x1,
    frames_to_maps,
    present,
    shortcut,
)


def test_conv1x1_function_is_a_convolution() -> None:
    x, conv = torch.randn(3, 4, 5, 2), nn.Conv2d(4, 6, 1)
    torch.testing.assert_close(conv1x1(conv.weight, x, conv.bias), conv(x))
    conv.bias = None
    torch.testing.assert_close(conv1x1(conv.weight, x), conv(x))


def test_conv1x1_stays_in_autocasts_precision() -> None:
    x, conv = torch.randn(3, 4, 5, 2), nn.Conv2d(4, 6, 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv1x1(conv.weight, x, conv.bias).dtype == torch.bfloat16


def torchs(layer: nn.Module) -> nn.Module:
    """Return torch's layer with the parameters and statistics of ours."""
    if isinstance(layer, Conv1x1):
        copied: nn.Module = nn.Conv2d(layer.in_channels, layer.out_channels, 1, layer.stride)
    elif isinstance(layer, SyncableBatchNorm2d):
        copied = nn.BatchNorm2d(layer.num_features)
    else:
        return copy.deepcopy(layer)
    copied.load_state_dict(layer.state_dict())
    return copied


def test_conv1x1_is_torchs_convolution_with_its_parameters() -> None:
    torch.manual_seed(3)
    ours = Conv1x1(4, 6, stride=2)
    torch.manual_seed(3)
    theirs = nn.Conv2d(4, 6, 1, stride=(2, 1))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], tensor)
    x = torch.randn(3, 4, 5, 2)
    expected = theirs(x)
    torch.testing.assert_close(ours(x), expected)
    torch.testing.assert_close(ours(x, slice(2)), expected[:, :2])
    torch.testing.assert_close(ours(x, slice(2, None)), expected[:, 2:])
    unbiased = expected - theirs.bias[:, None, None]
    torch.testing.assert_close(ours(x, add_bias=False), unbiased)
    torch.testing.assert_close(ours(x, slice(2), add_bias=False), unbiased[:, :2])


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_convolution_over_frames_is_torchs_with_its_gradients(kernel: int) -> None:
    torch.manual_seed(3)
    ours = FrameConv(4, 6, kernel)
    torch.manual_seed(3)
    theirs = nn.Conv2d(4, 6, (kernel, 1), padding=(kernel // 2, 0), bias=False)
    assert torch.equal(ours.weight, theirs.weight)
    x, probe = torch.randn(3, 7, 4), torch.randn(3, 6, 7, 1)
    results = []
    for layer in (ours, theirs):
        leaf = frames_to_maps(x).clone().requires_grad_()
        y = layer(leaf)
        results.append((y, *torch.autograd.grad((y * probe).sum(), (leaf, layer.weight))))
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected)
    assert ours(frames_to_maps(x)).is_contiguous(memory_format=torch.channels_last)


def test_values_other_than_zero_are_present() -> None:
    values = torch.tensor([0.0, -0.0, 3.0, -1e-30, float("inf")], requires_grad=True)
    assert present(values).tolist() == [0, 0, 1, 1, 1]
    assert not present(values).requires_grad


@pytest.mark.parametrize("training", [True, False])
def test_conv_bn_sequence_equals_torchs_layers_one_after_another(training: bool) -> None:
    sequence = ConvBNSequence(
        SyncableBatchNorm2d(4),
        nn.ReLU(),
        Conv1x1(4, 6, stride=2),
        SyncableBatchNorm2d(6),
        Conv1x1(6, 3),
    )
    literal = nn.Sequential(*map(torchs, sequence))
    x, probe = torch.randn(3, 4, 5, 2), torch.randn(3, 3, 3, 2)
    for stack in (sequence, literal):
        stack.train(training)
        (stack(x) * probe).sum().backward()
    actual, expected = (stack.train(False)(x) for stack in (sequence, literal))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
    named = sequence.named_parameters()
    for (name, parameter), other in zip(named, literal.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-4, atol=1e-4, msg=name)
    for (name, buffer), other in zip(sequence.named_buffers(), literal.buffers(), strict=True):
        torch.testing.assert_close(buffer, other, msg=name)


@torch.no_grad()
def test_conv_bn_sequence_calls_its_layers_and_takes_others_in_their_place() -> None:
    sequence = ConvBNSequence(Conv1x1(4, 6), SyncableBatchNorm2d(6), nn.ReLU(), Conv1x1(6, 3))
    called: list[int] = []
    for index, layer in enumerate(sequence):
        layer.register_forward_hook(lambda _, __, ___, index=index: called.append(index))
    x = torch.randn(3, 4, 5, 2)
    expected = sequence.eval()(x)
    assert called == [0, 1, 2, 3]
    for index in (0, 3):
        sequence[index] = torchs(sequence[index])
        torch.testing.assert_close(sequence(x), expected, rtol=1e-4, atol=1e-5)


def test_shortcut_is_the_identity_where_it_can_be() -> None:
    x = torch.randn(2, 8, 5, 3)
    assert shortcut(8, 8)(x) is x
    assert shortcut(8, 8, 2)(x).shape == (2, 8, 3, 3)
    assert shortcut(8, 16)(x).shape == (2, 16, 5, 3)


def test_block_adds_its_residual_connection_if_it_has_one() -> None:
    x = torch.randn(2, 8, 5, 3)
    torch.testing.assert_close(STBlock(nn.Identity(), nn.Identity(), None)(x), x.relu())
    torch.testing.assert_close(
        STBlock(nn.Identity(), nn.Identity(), nn.Identity())(x), 2 * x.relu()
    )
