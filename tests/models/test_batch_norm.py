"""Batch norms against torch's, alone and with the statistics of several batches."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.batch_norm import (
    SyncableBatchNorm2d,
    batch_moments,
    enable_sync_batch_norm,
)
from skeletonagent.models.recognizer import build_recognizer
from skeletonagent.models.settings import InputFeature, ReadoutKind

FORK = SkeletonLayout("fork", ("middle", "one end", "other end"), ((1, 0), (2, 0)))


def pair(channels: int = 4) -> tuple[SyncableBatchNorm2d, nn.BatchNorm2d]:
    """Return our norm and torch's with the same parameters and statistics."""
    torch.manual_seed(0)
    ours, theirs = SyncableBatchNorm2d(channels), nn.BatchNorm2d(channels)
    nn.init.normal_(theirs.weight)
    nn.init.normal_(theirs.bias)
    nn.init.normal_(theirs.running_mean)
    nn.init.uniform_(theirs.running_var, 0.5, 2)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def assert_same_buffers(ours: nn.Module, theirs: nn.Module) -> None:
    for (name, buffer), expected in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(buffer, expected, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("training", [True, False])
def test_a_skipped_bias_makes_no_difference(training: bool) -> None:
    ours, theirs = (norm.train(training) for norm in pair())
    x, probe = torch.randn(3, 4, 5, 2), torch.randn(3, 4, 5, 2)
    results = []
    for norm, given in ((ours, ours), (theirs, lambda x, c: theirs(x + c[:, None, None]))):
        leaf, constant = x.clone().requires_grad_(), (3 * torch.ones(4)).requires_grad_()
        y = given(leaf, constant)
        (y * probe).sum().backward()
        results.append((y, leaf.grad, constant.grad, norm.weight.grad, norm.bias.grad))
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    assert_same_buffers(ours, theirs)
    assert training is not bool(results[0][2].any())


@pytest.mark.parametrize("constant", [None, torch.tensor([1.0, -2.0, 3.0, 0.0])])
def test_statistics_of_two_batches_are_those_of_both_together(constant: Tensor | None) -> None:
    ours, theirs = pair()
    here, there = torch.randn(3, 4, 5, 2) + 1, 2 * torch.randn(2, 4, 5, 2)
    elsewhere = iter(sums_of(there, torch.cat([here, there])))
    ours.all_reduce = lambda summed: summed + next(elsewhere)
    probe = torch.randn_like(here)
    mine, both = here.clone().requires_grad_(), here.clone().requires_grad_()
    whole = torch.cat([both, there])
    expected = theirs(whole if constant is None else whole + constant[:, None, None])[:3]
    actual = ours(mine, constant)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    (actual * probe).sum().backward()
    (expected * probe).sum().backward()
    assert ours.bias.grad is not None
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, rtol=1e-4, atol=1e-4)
    assert_same_buffers(ours, theirs)


def sums_of(x: Tensor, both: Tensor) -> list[Tensor]:
    """Return sum and count of a batch, and its squares about the mean of both batches."""
    dims, mean = (0, 2, 3), both.mean((0, 2, 3))
    count = torch.tensor([x.numel() / x.shape[1]])
    squares = (x - mean[:, None, None]).square().sum(dims)
    return [torch.cat([x.sum(dims), count]), squares]


class Meeting:
    """Sums over threads, through which gradients pass as between processes."""

    def __init__(self, parties: int) -> None:
        self.given: list[Tensor] = [torch.zeros(())] * parties
        self.barrier = threading.Barrier(parties, timeout=60)

    def of(self, party: int) -> Callable[[Tensor], Tensor]:
        def reduce(summed: Tensor) -> Tensor:
            self.given[party] = summed
            self.barrier.wait()
            total = torch.stack(list(self.given)).sum(dim=0)
            self.barrier.wait()
            return total

        return reduce


@pytest.mark.parametrize(
    ("name", "readout", "inputs"),
    [
        *((name, ReadoutKind.MEAN, ()) for name in BACKBONES),
        ("joint-cnn", ReadoutKind.TEMPORAL, tuple(InputFeature)),
        ("tiny-gcn", ReadoutKind.JOINTS, (InputFeature.BONE,)),
    ],
)
def test_a_synchronised_recognizer_learns_as_from_one_batch(
    name: str, readout: ReadoutKind, inputs: tuple[InputFeature, ...]
) -> None:
    torch.manual_seed(0)
    whole = build_recognizer(
        name,
        FORK,
        channels=3,
        persons=2,
        num_classes=4,
        text_dim=5,
        width=8,
        inputs=inputs,
        readout=readout,
        readout_width=8,
    )
    for module in whole.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for key, parameter in whole.named_parameters():
        if key.endswith(("alpha", "beta", "share")):
            nn.init.constant_(parameter, 0.1)
    salient = torch.ones(4, 3)
    clips = torch.randn(5, 2, 8, 3, 3)
    clips[[0, 3, 4], 1] = 0
    parts = [(clips[:2], torch.tensor([0, 2, 3])), (clips[2:], torch.tensor([0, 1, 2, 4]))]
    replicas = [copy.deepcopy(whole) for _ in parts]
    meeting = Meeting(len(parts))
    for party, replica in enumerate(replicas):
        enable_sync_batch_norm(replica, meeting.of(party))

    def run(party: int) -> Tensor:
        prediction = replicas[party](parts[party][0], salient, parts[party][1])
        return torch.cat([*prediction], dim=1)

    with ThreadPoolExecutor(len(parts)) as threads:
        joined = torch.cat(list(threads.map(run, range(len(parts)))))
    expected = torch.cat([*whole(clips, salient, torch.tensor([0, 2, 3, 4, 5, 6, 8]))], dim=1)
    torch.testing.assert_close(joined, expected, rtol=1e-3, atol=1e-4)
    probe = torch.randn_like(expected)
    (joined * probe).sum().backward()
    (expected * probe).sum().backward()
    for key, parameter in whole.named_parameters():
        assert parameter.grad is not None, key
        total = sum(replica.get_parameter(key).grad for replica in replicas)
        scale = float(parameter.grad.norm()) + 0.1
        assert float((total - parameter.grad).norm()) < 1e-2 * scale, key
    for replica in replicas:
        assert_same_buffers(replica, whole)


def test_norm_without_all_reduce_is_torchs_bit_for_bit() -> None:
    ours, theirs = pair()
    x = torch.randn(3, 4, 5, 2)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)
    enable_sync_batch_norm(ours, lambda summed: 2 * summed)
    assert ours.all_reduce is not None
    enable_sync_batch_norm(ours, None)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)
    assert_same_buffers(ours, theirs)


def test_batch_moments_of_a_slot_equal_numpys() -> None:
    joints = torch.randn(5, 4, 2, 3) + 10
    slots = torch.tensor([0, 2, 0, 0, 2])
    frames, mean, covariance = batch_moments(joints, slots, 3, None)
    assert frames.tolist() == [12, 0, 8]
    for slot in (0, 2):
        for joint in range(2):
            rows = joints[slots == slot][:, :, joint].reshape(-1, 3)
            torch.testing.assert_close(mean[slot, joint], rows.mean(0))
            expected = torch.cov(rows.T, correction=0)
            torch.testing.assert_close(covariance[slot, joint], expected, rtol=1e-4, atol=1e-5)
    assert not mean[1].any()
    assert not covariance[1].any()
