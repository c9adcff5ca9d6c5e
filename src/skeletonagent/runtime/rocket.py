"""MultiRocket's features of one time series in NumPy, by kernels that were chosen in training.

For the transform see :mod:`skeletonagent.experiments.multirocket`; both give the same features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, count

import numpy as np
from jaxtyping import Float, Int

TAPS = 9
"""Length of a kernel."""
POSITIVE_TAPS = tuple(combinations(range(TAPS), 3))
"""Taps of each kernel that are 2; the others are -1."""
_LARGEST_DILATION = 10_000
_WEIGHTS = np.array(
    [[2.0 if tap in taps else -1.0 for tap in range(TAPS)] for taps in POSITIVE_TAPS],
    dtype=np.float32,
)


@dataclass(frozen=True)
class FixedKernels:
    """All kernels with one dilation.

    Args:
        dilation: Number of frames from one tap of a kernel to the next.
        channels: Whether a kernel sees the sum over a channel or not, as 1 or 0.
        biases: Biases of each kernel.
        padded: Kernels whose series is padded with zeros; the others start and end inside it.
    """

    dilation: int
    channels: Float[np.ndarray, "k c"]
    biases: Float[np.ndarray, "k f"]
    padded: Int[np.ndarray, " p"]

    def transform(self, series: Float[np.ndarray, "c t"]) -> Float[np.ndarray, " p"]:
        """Return the pooled outputs of each kernel with each bias."""
        outputs, margin = self._convolved(series), TAPS // 2 * self.dilation
        inner = np.ones(len(self.biases), dtype=bool)
        inner[self.padded] = False
        cropped = outputs[inner, margin : outputs.shape[1] - margin]
        parts = [
            _pooled(outputs[self.padded], self.biases[self.padded]),
            _pooled(cropped, self.biases[inner]),
        ]
        return np.concatenate([part.reshape(-1) for part in parts])

    def _convolved(self, series: Float[np.ndarray, "c t"]) -> Float[np.ndarray, "k t"]:
        """Return the output of each kernel at each frame, zeros around the series."""
        sums, margin = self.channels @ series, TAPS // 2 * self.dilation
        padded = np.pad(sums, ((0, 0), (margin, margin)))
        outputs: np.ndarray = np.zeros_like(sums)
        for tap in range(TAPS):
            first = tap * self.dilation
            outputs += _WEIGHTS[:, [tap]] * padded[:, first : first + sums.shape[1]]
        return outputs


@dataclass(frozen=True)
class FixedRocket:
    """Transform of a time series of a fixed length into features.

    Args:
        of_series: Kernels for the series.
        of_differences: Kernels for the differences of neighbouring frames.
    """

    of_series: tuple[FixedKernels, ...]
    of_differences: tuple[FixedKernels, ...]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> FixedRocket:
        """Return the transform whose kernels arrays hold, among others.

        Raises:
            KeyError: If an array is missing.
            ValueError: If arrays do not fit each other.
        """

        def kernels(name: str) -> Iterator[FixedKernels]:
            for place in count():
                prefix = f"rocket.{name}.{place}."
                if prefix + "dilation" not in arrays:
                    return
                dilation = int(arrays[prefix + "dilation"])
                parts = [arrays[prefix + part] for part in ("channels", "biases", "padded")]
                require_kernels(dilation, *parts)
                yield FixedKernels(dilation, *parts)

        return cls(tuple(kernels("series")), tuple(kernels("differences")))

    @property
    def num_features(self) -> int:
        """Number of features of a series, four for each kernel and bias."""
        return 4 * sum(part.biases.size for part in (*self.of_series, *self.of_differences))

    def transform(self, series: Float[np.ndarray, "c t"]) -> Float[np.ndarray, " f"]:
        """Return the features, four poolings for each kernel and bias."""
        differences = np.diff(series, axis=1)
        return np.concatenate(
            [kernels.transform(series) for kernels in self.of_series]
            + [kernels.transform(differences) for kernels in self.of_differences]
        )


def require_kernels(dilation: int, channels: object, biases: object, padded: object) -> None:
    """Check that arrays or tensors of any shapes are kernels with one dilation.

    Raises:
        ValueError: If they are no kernels of this transform.
    """
    kernels = len(POSITIVE_TAPS)
    seen, offsets, rows = (np.asarray(value) for value in (channels, biases, padded))
    if not (
        1 <= dilation <= _LARGEST_DILATION
        and seen.ndim == offsets.ndim == 2
        and len(seen) == len(offsets) == kernels
        and rows.ndim == 1
        and set(rows.tolist()) < set(range(kernels))
    ):
        raise ValueError(f"other than {kernels} kernels, or of dilation {dilation}")


def _pooled(
    outputs: Float[np.ndarray, "k t"], biases: Float[np.ndarray, "k f"]
) -> Float[np.ndarray, "k f 4"]:
    """Return the poolings of kernel outputs minus a bias.

    These are the share of positive values, the mean of positive values (0 without any), the mean
    frame of positive values (-1 without any) and the longest stretch of positive values.
    """
    frames = np.arange(outputs.shape[1], dtype=np.float32)
    above = outputs[:, None] - biases[..., None]
    positive = above > 0
    number = positive.sum(axis=-1).astype(np.float32)
    some = np.maximum(number, 1)
    mean_frame = np.where(number > 0, positive.astype(np.float32) @ frames / some, -1.0)
    latest_other = np.maximum.accumulate(np.where(positive, -1.0, frames), axis=-1)
    longest = np.where(positive, frames - latest_other, 0.0).max(axis=-1)
    mean = np.maximum(above, 0).sum(axis=-1) / some
    poolings = [number / outputs.shape[1], mean, mean_frame, longest]
    return np.stack(poolings, axis=-1).astype(np.float32)
