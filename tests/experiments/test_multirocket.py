"""MultiRocket's features, against loops that follow the paper word by word."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from skeletonagent.experiments.multirocket import (
    NUM_FEATURES,
    MultiRocket,
    dilations_of,
    pooled_outputs,
)

SERIES = 5
CHANNELS = 4
FRAMES = 21


def random_series(frames: int = FRAMES, channels: int = CHANNELS) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(SERIES, channels, frames, generator=generator).cumsum(dim=2)


def fitted(series: torch.Tensor, features: int = 3 * 84, seed: int = 0) -> MultiRocket:
    return MultiRocket.fit(series, torch.Generator().manual_seed(seed), features)


def output_of(
    series: np.ndarray, taps: tuple[int, ...], dilation: int, channels: np.ndarray
) -> list[float]:
    """Return a kernel's output: the middle tap is on the frame, zeros around the series."""
    outputs = []
    for frame in range(series.shape[1]):
        value = 0.0
        for tap in range(9):
            at = frame + (tap - 4) * dilation
            if 0 <= at < series.shape[1]:
                weight = 2 if tap in taps else -1
                value += weight * sum(series[c, at] for c in channels.nonzero()[0])
        outputs.append(value)
    return outputs


def poolings_of(outputs: list[float], bias: float) -> list[float]:
    positive = [frame for frame, value in enumerate(outputs) if value - bias > 0]
    longest = run = 0
    for value in outputs:
        run = run + 1 if value - bias > 0 else 0
        longest = max(longest, run)
    return [
        len(positive) / len(outputs),
        float(np.mean([outputs[f] - bias for f in positive])) if positive else 0,
        float(np.mean(positive)) if positive else -1,
        longest,
    ]


def test_features_are_those_of_loops() -> None:
    series = random_series()
    rocket = fitted(series)
    features = rocket.transform(series).numpy()
    kernels = list(combinations(range(9), 3))
    for sample in (0, SERIES - 1):
        expected: list[float] = []
        for part, groups in (
            (series, rocket.of_series), (series.diff(dim=2), rocket.of_differences),
        ):  # fmt: skip
            values = part[sample].double().numpy()
            for place, group in enumerate(groups):
                margin = 4 * group.dilation
                even = [k for k in range(84) if k % 2 == place % 2]
                odd = [k for k in range(84) if k % 2 != place % 2]
                for kernel in [*even, *odd]:
                    outputs = output_of(
                        values, kernels[kernel], group.dilation, group.channels[kernel].numpy()
                    )
                    if kernel in odd:
                        outputs = outputs[margin : len(outputs) - margin]
                    for bias in group.biases[kernel].tolist():
                        expected += poolings_of(outputs, bias)
        # A value that equals its bias up to rounding may count as positive or not.
        near = np.isclose(features[sample], expected, rtol=1e-3, atol=1e-3)
        assert near.mean() > 0.98
    assert features.shape == (SERIES, len(expected)) == (SERIES, 2 * 4 * 3 * 84)


def test_biases_are_quantiles_of_the_outputs_of_a_training_series() -> None:
    series = random_series()[:1]
    rocket, kernels, number = fitted(series), list(combinations(range(9), 3)), 0
    for group in rocket.of_series:
        for kernel, biases in enumerate(group.biases):
            outputs = output_of(
                series[0].double().numpy(), kernels[kernel], group.dilation,
                group.channels[kernel].numpy(),
            )  # fmt: skip
            for bias in biases.tolist():
                number += 1
                share = number * (5**0.5 + 1) / 2 % 1
                assert bias == pytest.approx(np.quantile(outputs, share), abs=1e-3)
    assert number == 3 * 84


def test_poolings_of_a_case_worked_out_by_hand() -> None:
    outputs = torch.tensor([[[1.0, -1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0]]])
    pooled = pooled_outputs(outputs, torch.tensor([[0.0, 2.5], [0.0, -1.0]]))
    expected = [
        [[3 / 4, 2, 5 / 3, 2], [1 / 4, 0.5, 3, 1]],
        [[0, 0, -1, 0], [1, 1, 1.5, 4]],
    ]
    torch.testing.assert_close(pooled[0], torch.tensor(expected))


def test_dilations_fit_the_series_and_share_all_biases() -> None:
    # Worked out by hand: 11, 6, 4, 4, 2, 3 and 2 of 32 exponents, times 74 / 32, and 4 left over.
    assert dilations_of(64, NUM_FEATURES // 84) == [
        (1, 26), (2, 14), (3, 10), (4, 10), (5, 4), (6, 6), (7, 4),
    ]  # fmt: skip
    for length in (9, 10, 17, 150):
        for biases in (1, 3, 74):
            found = dilations_of(length, biases)
            assert sum(count for _, count in found) == biases
            assert all(count and 8 * dilation < length for dilation, count in found)


def test_kernels_see_one_to_nine_channels() -> None:
    counts = torch.cat(
        [group.channels.sum(dim=1) for group in fitted(random_series(channels=30)).of_series]
    )
    assert counts.min() == 1 and 7 <= counts.max() <= 9
    assert (counts == 1).sum() > (counts == 9).sum()


def test_the_seed_decides() -> None:
    series = random_series()
    first, again, other = (fitted(series, seed=seed).transform(series) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_samples_do_not_affect_each_other() -> None:
    series = random_series()
    rocket, many = fitted(series), series.repeat(30, 1, 1)
    torch.testing.assert_close(rocket.transform(many), rocket.transform(series).repeat(30, 1))


def test_what_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match=r"84 features and 10 frames, got 252 and 9"):
        fitted(random_series(frames=9))
    with pytest.raises(ValueError, match="got 83 and 10"):
        fitted(random_series(frames=10), features=83)
    assert fitted(random_series(frames=10)).transform(random_series(frames=10)).isfinite().all()


def test_one_series_has_the_features_that_it_has_among_others() -> None:
    series = random_series()
    rocket = fitted(series)
    together = rocket.transform(series)
    assert len(series) > 4  # pooled frame by frame, one series all frames at once
    for index in range(SERIES):
        alone = rocket.transform(series[index : index + 1])
        torch.testing.assert_close(alone[0], together[index], rtol=1e-5, atol=1e-5)


def test_kernels_are_the_same_after_they_were_stored() -> None:
    series = random_series()
    rocket = fitted(series)
    again = MultiRocket.from_tensors({**rocket.to_tensors(), "other": torch.zeros(1)})
    assert torch.equal(again.transform(series), rocket.transform(series))
