"""Test of claims against a literal reference, at chance and on clips with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats  # type: ignore[import-untyped]
from scipy.optimize import brentq  # type: ignore[import-untyped]

from skeletonagent.agents.evidence.claim_test import ClaimTester
from skeletonagent.agents.evidence.measured_clips import MeasuredClips
from skeletonagent.agents.evidence.motion_features import MotionFeatures
from skeletonagent.core.claim_results import ClaimResult, Verdict
from skeletonagent.core.claims import Claim
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.motion_feature import MotionFeature

WRIST = COCO_17.joints.index("right wrist")
HEIGHT = list(MotionFeature).index(MotionFeature.HEIGHT)
HIGHER, LOWER = (Claim.parse(f"right wrist height {word}") for word in ("more", "less"))


def clips_of(heights: list[np.ndarray], unknown: float = 0.0, seed: int = 0) -> MeasuredClips:
    """Return clips of classes ``a``, ``b``, ... that are known by the right wrist's height."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(heights)), [len(one) for one in heights])
    values = torch.zeros(len(labels), COCO_17.num_joints, len(MotionFeature))
    values[:, WRIST, HEIGHT] = torch.from_numpy(np.concatenate(heights)).float()
    known = torch.ones_like(values, dtype=torch.bool)
    known[:, WRIST, HEIGHT] = torch.from_numpy(rng.random(len(labels)) >= unknown)
    names = tuple("abcdefg"[: len(heights)])
    return MeasuredClips(COCO_17, names, torch.from_numpy(labels), MotionFeatures(values, known))


def literal(own: np.ndarray, others: list[np.ndarray]) -> tuple[float, float, float, float]:
    """Return Cohen's d, its interval and the p-value, step by step."""
    means, variances = [np.mean(o) for o in others], [np.var(o, ddof=1) for o in others]
    mixed = np.mean([v + (m - np.mean(means)) ** 2 for v, m in zip(variances, means, strict=True)])
    spread = np.sqrt((np.var(own, ddof=1) + mixed) / 2)
    effect = (np.mean(own) - np.mean(means)) / spread
    parts = [np.var(own, ddof=1) / len(own)]
    parts += [v / len(o) / len(others) ** 2 for v, o in zip(variances, others, strict=True)]
    sizes = [len(own), *map(len, others)]
    error = sum(parts)
    freedom = error**2 / sum(p**2 / (n - 1) for p, n in zip(parts, sizes, strict=True))
    t = effect * spread / np.sqrt(error)
    p = 2 * stats.t.sf(abs(t), freedom)
    unit = np.sqrt(error) / spread
    return effect, unit * center(t, freedom, 0.975), unit * center(t, freedom, 0.025), p


def center(t: float, freedom: float, share: float) -> float:
    """Return the noncentrality with which such a share of t-values are smaller."""
    return float(brentq(lambda x: stats.nct.cdf(t, freedom, x) - share, t - 5, t + 5))


def drawn(seed: int, *means: float) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(mean, 1 + 0.3 * n, 9 + 3 * n) for n, mean in enumerate(means)]


@pytest.mark.parametrize("rival", ["", "b", "c"])
def test_results_are_those_of_the_reference(rival: str) -> None:
    heights = drawn(0, 1.5, 0.0, 0.4)
    others = [heights["abc".index(rival)]] if rival else heights[1:]
    claim = Claim.parse("right wrist height more", rival)
    (result,) = ClaimTester(clips_of(heights)).test("a", (claim,))
    effect, low, high, p = literal(heights[0], others)
    assert (result.effect, result.low, result.high) == pytest.approx((effect, low, high), abs=2e-3)
    assert result.verdict is (Verdict.BORNE_OUT if p < 0.05 else Verdict.UNDECIDED)
    if not rival:  # against a single rival Welch's test is SciPy's
        return
    expected = stats.ttest_ind(heights[0], others[0], equal_var=False).pvalue
    assert p == pytest.approx(expected, rel=1e-9)


def test_the_opposite_claim_has_the_opposite_result() -> None:
    tester = ClaimTester(clips_of(drawn(1, 2.0, 0.0)))
    higher, lower = tester.test("a", (HIGHER, LOWER))
    assert (higher.verdict, lower.verdict) == (Verdict.BORNE_OUT, Verdict.CONTRADICTED)
    assert higher.effect is not None and higher.effect == -(lower.effect or 0)
    assert (higher.low, higher.high) == (-(lower.high or 0), -(lower.low or 0))


def test_a_claim_among_many_needs_more_evidence() -> None:
    heights = [np.linspace(mean - 1, mean + 1, 12) for mean in (0.6, 0.0)]
    p = literal(heights[0], heights[1:])[3]
    assert 0.05 / 4 < p < 0.05
    tester = ClaimTester(clips_of(heights))
    noise = [Claim.parse(f"{part} height more") for part in ("head", "left knee", "right knee")]
    assert tester.test("a", (HIGHER,))[0].verdict is Verdict.BORNE_OUT
    varied = tester.clips.features.values.clone()
    varied[..., HEIGHT] += torch.randn(varied.shape[:2]) * (torch.arange(17) != WRIST)
    clips = MeasuredClips(
        COCO_17, ("a", "b"), tester.clips.labels,
        MotionFeatures(varied, tester.clips.features.known),
    )  # fmt: skip
    many = ClaimTester(clips).test("a", (HIGHER, *noise))
    assert 4 * p > 0.05 and many[0].verdict is Verdict.UNDECIDED
    assert many[0].low == tester.test("a", (HIGHER,))[0].low


def test_a_negligible_difference_is_undecided_however_sure() -> None:
    rng = np.random.default_rng(4)
    heights = [rng.normal(mean, 1.0, 4000) for mean in (0.12, 0.0)]
    assert literal(heights[0], heights[1:])[3] < 1e-3
    assert ClaimTester(clips_of(heights)).test("a", (HIGHER,))[0].verdict is Verdict.UNDECIDED


def test_at_chance_few_are_decided_and_intervals_cover() -> None:
    verdicts, covered = [], 0
    for seed in range(300):
        heights = drawn(seed, 0.0, 0.0, 0.0)
        (result,) = ClaimTester(clips_of(heights)).test("a", (HIGHER,))
        verdicts.append(result.verdict)
        assert result.low is not None and result.high is not None
        covered += result.low <= 0 <= result.high
    assert verdicts.count(Verdict.UNDECIDED) >= 0.92 * 300
    assert 0.92 * 300 <= covered <= 0.985 * 300


@pytest.mark.parametrize(
    ("action", "claim"),
    [
        ("yoga", HIGHER),
        ("a", Claim.parse("right wrist height more", "yoga")),
        ("a", Claim.parse("right wrist height more", "a")),
        ("a", Claim.parse("neck height more")),  # the layout has none
        ("a", Claim.parse("right knee height more")),  # it never varies
    ],
)
def test_what_cannot_be_measured_is_undecided(action: str, claim: Claim) -> None:
    tester = ClaimTester(clips_of(drawn(0, 2.0, 0.0)))
    assert tester.test(action, (claim,)) == (ClaimResult(claim),)
    assert "not measurable" in str(ClaimResult(claim))
    both = tester.test("a", (claim, HIGHER))
    assert both[1] == tester.test("a", (HIGHER,))[0]  # it does not count among those tested


def test_clips_of_which_it_is_not_known_play_no_part() -> None:
    clips = clips_of(drawn(5, 2.0, 0.0), unknown=0.3)
    known = clips.features.known[:, WRIST, HEIGHT].numpy()
    values = clips.features.values[:, WRIST, HEIGHT].double().numpy()
    first, second = (values[known & (clips.labels.numpy() == label)] for label in (0, 1))
    (result,) = ClaimTester(clips).test("a", (HIGHER,))
    assert (result.effect, result.low, result.high) == pytest.approx(
        literal(first, [second])[:3], abs=2e-3
    )


def test_a_class_with_a_single_clip_is_compared_by_the_variance_of_the_others() -> None:
    (result,) = ClaimTester(clips_of([np.array([9.0]), *drawn(6, 0.0, 0.0)])).test("a", (HIGHER,))
    assert result.effect is not None and result.effect > 3 and result.low is not None
    alone = ClaimTester(clips_of([np.array([1.0]), np.array([0.0])])).test("a", (HIGHER,))
    assert alone == (ClaimResult(HIGHER),)


def test_results_are_written_and_read() -> None:
    results = ClaimTester(clips_of(drawn(1, 2.0, 0.0))).test(
        "a", (HIGHER, Claim.parse("head gap less"))
    )
    assert [ClaimResult.from_json(result.to_json()) for result in results] == list(results)
    with pytest.raises(TypeError):
        ClaimResult.from_json({**results[0].to_json(), "effect": "large"})
    with pytest.raises(ValueError, match="sure"):
        ClaimResult.from_json({**results[0].to_json(), "verdict": "sure"})
