"""MultiRocket: features of multivariate time series from fixed convolutions, without training.

Source: Tan, Dempster, Bergmeir and Webb 2022 (arXiv 2102.00457), and for several channels the
authors' code. Where code and paper differ, as in the sign of the bias in the mean of positive
values, this follows the paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.runtime.rocket import POSITIVE_TAPS, TAPS, require_kernels

NUM_FEATURES = 6216
"""Features of a series and one pooling operator: 84 kernels with 74 biases each (paper 3.4)."""
SHORTEST = TAPS + 1
"""Frames that series need, so that a kernel fits their differences."""

_MOST_CHANNELS = 9
_MOST_DILATIONS = 32
_KERNELS = torch.tensor(
    [[[2.0 if tap in taps else -1.0 for tap in range(TAPS)]] for taps in POSITIVE_TAPS]
)
_FEW = 4
"""Series up to which all frames are pooled at once: more no longer fit a processor's cache."""
_CHUNK = 48
"""Series that are transformed at a time, so that what is pooled stays in a processor's cache."""


@dataclass(frozen=True)
class _DilatedKernels:
    """All kernels with one dilation.

    Args:
        dilation: Number of frames from one tap of a kernel to the next.
        channels: Whether a kernel sees the sum over a channel or not, as 1 or 0.
        biases: Biases of each kernel.
        padded: Kernels whose series is padded with zeros; the others start and end inside it.
    """

    dilation: int
    channels: Float[Tensor, "k c"]
    biases: Float[Tensor, "k f"]
    padded: Int[Tensor, " p"]

    def convolve(self, series: Float[Tensor, "n c t"]) -> Float[Tensor, "n k t"]:
        """Return the output of each kernel at each frame, zeros around the series."""
        return _convolved(self.channels @ series, self.dilation)

    def transform(self, series: Float[Tensor, "n c t"]) -> Float[Tensor, "n kfp"]:
        """Return the pooled outputs of each kernel with each bias."""
        outputs, margin = self.convolve(series), TAPS // 2 * self.dilation
        inner = torch.ones(len(self.biases), dtype=torch.bool)
        inner[self.padded] = False
        cropped = outputs[:, inner, margin : outputs.shape[2] - margin]
        parts = [
            pooled_outputs(outputs[:, self.padded], self.biases[self.padded]),
            pooled_outputs(cropped, self.biases[inner]),
        ]
        return torch.cat([part.flatten(1) for part in parts], dim=1)


@dataclass(frozen=True)
class MultiRocket:
    """Transform of time series of one length into features.

    Args:
        of_series: Kernels for the series.
        of_differences: Kernels for the differences of neighbouring frames.
    """

    of_series: tuple[_DilatedKernels, ...]
    of_differences: tuple[_DilatedKernels, ...]

    @classmethod
    def fit(
        cls,
        series: Float[Tensor, "n c t"],
        generator: torch.Generator,
        num_features: int = NUM_FEATURES,
    ) -> MultiRocket:
        """Return a transform whose biases are quantiles of what kernels give for the series.

        Args:
            series: Training set.
            generator: Random numbers that choose channels and the series that biases come from.
            num_features: Features for each pooling operator, at least 84.

        Raises:
            ValueError: If there are too few features, or series are shorter than a kernel.
        """
        if num_features < len(POSITIVE_TAPS) or series.shape[2] < SHORTEST:
            raise ValueError(
                f"needs {len(POSITIVE_TAPS)} features and {SHORTEST} frames, got {num_features} "
                f"and {series.shape[2]}"
            )
        return cls(
            _fitted(series, generator, num_features),
            _fitted(series.diff(dim=2), generator, num_features),
        )

    @property
    def num_features(self) -> int:
        """Number of features of a series, four for each kernel and bias."""
        return 4 * sum(part.biases.numel() for part in (*self.of_series, *self.of_differences))

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the kernels as tensors by name, which :meth:`from_tensors` reads."""
        tensors = {}
        for name, kernels in (("series", self.of_series), ("differences", self.of_differences)):
            for place, part in enumerate(kernels):
                prefix = f"rocket.{name}.{place}."
                tensors[prefix + "dilation"] = torch.tensor(part.dilation)
                tensors[prefix + "channels"] = part.channels
                tensors[prefix + "biases"] = part.biases
                tensors[prefix + "padded"] = part.padded
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> MultiRocket:
        """Return the transform whose kernels tensors hold, among others.

        Raises:
            KeyError: If a tensor is missing.
            ValueError: If tensors do not fit each other.
        """

        def kernels(name: str) -> Iterator[_DilatedKernels]:
            for place in count():
                prefix = f"rocket.{name}.{place}."
                if prefix + "dilation" not in tensors:
                    return
                parts = [tensors[prefix + part] for part in ("channels", "biases", "padded")]
                dilation = int(tensors[prefix + "dilation"])
                require_kernels(dilation, *parts)
                yield _DilatedKernels(dilation, *parts)

        return cls(tuple(kernels("series")), tuple(kernels("differences")))

    def transform(self, series: Float[Tensor, "n c t"]) -> Float[Tensor, "n f"]:
        """Return the features of each series, four poolings for each kernel and bias."""
        rows = []
        for part in series.split(_CHUNK):
            differences = part.diff(dim=2)
            features = [kernels.transform(part) for kernels in self.of_series]
            features += [kernels.transform(differences) for kernels in self.of_differences]
            rows.append(torch.cat(features, dim=1))
        return torch.cat(rows)


def dilations_of(length: int, biases_per_kernel: int) -> list[tuple[int, int]]:
    """Return dilations, spread exponentially, each with its number of biases for a kernel.

    Args:
        length: Number of frames of a series.
        biases_per_kernel: Number of biases of a kernel, over all dilations.
    """
    count = min(biases_per_kernel, _MOST_DILATIONS)
    largest = math.log2((length - 1) / (TAPS - 1))
    exponents = np.logspace(0, largest, count, base=2).astype(int)
    dilations, times = np.unique(exponents, return_counts=True)
    shares = (times * (biases_per_kernel / count)).astype(int)
    for place in range(biases_per_kernel - int(shares.sum())):
        shares[place % len(shares)] += 1
    return list(zip(dilations.tolist(), shares.tolist(), strict=True))


def pooled_outputs(
    outputs: Float[Tensor, "n k t"], biases: Float[Tensor, "k f"]
) -> Float[Tensor, "n k f 4"]:
    """Return the poolings of kernel outputs minus a bias.

    These are the share of positive values, the mean of positive values (0 without any), the mean
    frame of positive values (-1 without any) and the longest stretch of positive values.
    """
    n, k, t = outputs.shape
    if n <= _FEW:
        return _pooled_at_once(outputs, biases)
    count, total, frames, stretch, longest = torch.zeros(5, n, k, biases.shape[1])
    for frame, values in enumerate(outputs.permute(2, 0, 1)[..., None].contiguous()):
        above = values - biases
        positive = (above > 0).float()
        count += positive
        total += above.clamp_(min=0)
        frames.add_(positive, alpha=frame)
        stretch.add_(1).mul_(positive)
        torch.maximum(longest, stretch, out=longest)
    some = count.clamp(min=1)
    mean_frame = torch.where(count > 0, frames / some, -1.0)
    return torch.stack([count / t, total / some, mean_frame, longest], dim=-1)


def _pooled_at_once(
    outputs: Float[Tensor, "n k t"], biases: Float[Tensor, "k f"]
) -> Float[Tensor, "n k f 4"]:
    """Return what :func:`pooled_outputs` does, all frames side by side."""
    t = outputs.shape[2]
    frames = torch.arange(t, dtype=torch.float32)
    above = outputs[:, :, None] - biases[..., None]
    positive = above > 0
    number = positive.sum(dim=-1).float()
    some = number.clamp(min=1)
    mean_frame = torch.where(number > 0, positive.float() @ frames / some, -1.0)
    latest_other = torch.where(positive, -1.0, frames).cummax(dim=-1).values
    longest = torch.where(positive, frames - latest_other, 0.0).amax(dim=-1)
    mean = above.clamp_(min=0).sum(dim=-1) / some
    return torch.stack([number / t, mean, mean_frame, longest], dim=-1)


def _convolved(sums: Float[Tensor, "n k t"], dilation: int) -> Float[Tensor, "n k t"]:
    """Return series convolved with a kernel each: three taps are 2, the others -1."""
    return torch.nn.functional.conv1d(
        sums, _KERNELS, padding=TAPS // 2 * dilation, dilation=dilation, groups=len(_KERNELS)
    )


def _fitted(
    series: Float[Tensor, "n c t"], generator: torch.Generator, num_features: int
) -> tuple[_DilatedKernels, ...]:
    """Return kernels with the channels they see and their biases."""
    n, c, t = series.shape
    kernels, first = len(POSITIVE_TAPS), 0
    fitted = []
    for place, (dilation, biases) in enumerate(dilations_of(t, num_features // kernels)):
        channels = _random_channels(kernels, c, generator)
        chosen = series[torch.randint(n, (kernels,), generator=generator)]
        outputs = _convolved(torch.einsum("kc,kct->kt", channels, chosen)[None], dilation)[0]
        quantiles = _golden_ratio_sequence(first, kernels * biases).view(kernels, biases)
        padded = torch.arange(place % 2, kernels, 2)
        fitted.append(
            _DilatedKernels(dilation, channels, _row_quantiles(outputs, quantiles), padded)
        )
        first += kernels * biases
    return tuple(fitted)


def _random_channels(
    kernels: int, channels: int, generator: torch.Generator
) -> Float[Tensor, "k c"]:
    """Return the channels of each kernel: one to nine, few more often than many."""
    exponent = math.log2(min(channels, _MOST_CHANNELS) + 1)
    counts = (2 ** (exponent * torch.rand(kernels, generator=generator))).int()
    order = torch.rand(kernels, channels, generator=generator).argsort(dim=1).argsort(dim=1)
    return (order < counts[:, None]).float()


def _golden_ratio_sequence(first: int, count: int) -> Float[Tensor, " q"]:
    """Return numbers from 0 to 1 that are spread evenly wherever the sequence ends."""
    numbers = torch.arange(first + 1, first + count + 1, dtype=torch.float64)
    return (numbers * ((math.sqrt(5) + 1) / 2) % 1).float()


def _row_quantiles(
    rows: Float[Tensor, "k t"], quantiles: Float[Tensor, "k f"]
) -> Float[Tensor, "k f"]:
    """Return quantiles of each row, interpolated between its sorted values."""
    ordered = rows.sort(dim=1).values
    position = quantiles * (rows.shape[1] - 1)
    below = position.floor().long()
    above = (below + 1).clamp(max=rows.shape[1] - 1)
    low, high = ordered.gather(1, below), ordered.gather(1, above)
    return low + (high - low) * (position - below)
