"""Scores by claims against a reference sample by sample."""

from __future__ import annotations

import math

import pytest
import torch

from skeletonagent.agents.evidence.claim_prior import PRIOR_SATURATION, ClaimPrior
from skeletonagent.agents.evidence.claim_values import measure_claims
from skeletonagent.agents.evidence.motion_features import MotionFeatures
from skeletonagent.core.claims import parse_claims
from skeletonagent.core.layout import LAYOUTS
from skeletonagent.core.motion_feature import MotionFeature

LAYOUT = LAYOUTS["kinect-20"]
CLAIMS = (
    parse_claims(["right hand height more", "hand speed more"]),
    (),
    parse_claims(["right hand height less", "both feet vertical range less", "hand speed more"]),
)


def features(samples: int, seed: int) -> MotionFeatures:
    generator = torch.Generator().manual_seed(seed)
    shape = samples, LAYOUT.num_joints, len(MotionFeature)
    known = torch.rand(shape, generator=generator) > 0.1
    return MotionFeatures(torch.randn(shape, generator=generator) * known, known)


def raw_scores(train: MotionFeatures, measured: MotionFeatures) -> list[list[float]]:
    """Return the sum over each class's claims, signed, over the root of their number."""
    rows = []
    for sample in range(len(measured.values)):
        row = []
        for of_class in CLAIMS:
            total = 0.0
            for claim in of_class:
                seen = measure_claims([claim], LAYOUT, train)
                values = seen.values[seen.known].tolist()
                mean = sum(values) / len(values)
                scale = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
                own = measure_claims([claim], LAYOUT, measured)
                if own.known[sample, 0]:
                    away = (float(own.values[sample, 0]) - mean) / scale
                    total += claim.sign * math.tanh(away / PRIOR_SATURATION)
            row.append(total / math.sqrt(len(of_class)) if of_class else 0.0)
        rows.append(row)
    return rows


def test_scores_are_those_of_the_reference() -> None:
    train, others = features(40, 0), features(6, 1)
    scores = ClaimPrior.fit(CLAIMS, LAYOUT, train)
    trained = torch.tensor(raw_scores(train, train))
    spread = trained.std(dim=0, correction=0)[[0, 2]].mean()
    expected = (torch.tensor(raw_scores(train, others)) - trained.mean(dim=0)) / spread
    torch.testing.assert_close(scores.scores(LAYOUT, others), expected, rtol=1e-4, atol=1e-5)
    assert not scores.scores(LAYOUT, others)[:, 1].any()


def test_a_sample_of_which_claims_hold_scores_higher() -> None:
    train = features(40, 0)
    scores = ClaimPrior.fit(CLAIMS, LAYOUT, train)
    sample = MotionFeatures(train.values[:1].clone(), torch.ones_like(train.known[:1]))
    hand = LAYOUT.joints.index("right hand")
    rows = []
    for height in (-3.0, 0.0, 3.0):
        sample.values[:, hand, list(MotionFeature).index(MotionFeature.HEIGHT)] = height
        rows.append(scores.scores(LAYOUT, sample)[0])
    assert rows[0][0] < rows[1][0] < rows[2][0]
    assert rows[0][2] > rows[1][2] > rows[2][2]


def test_scores_are_kept_in_tensors() -> None:
    train = features(40, 0)
    scores = ClaimPrior.fit(CLAIMS, LAYOUT, train)
    again = ClaimPrior.from_tensors(scores.to_tensors())
    assert again is not None
    assert again.claims == CLAIMS
    assert torch.equal(again.scores(LAYOUT, train), scores.scores(LAYOUT, train))
    assert ClaimPrior.from_tensors({}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("claims.lines", b'[["tail speed more"]]'),
        ("claims.lines", b'{"a": 1}'),
        ("claims.lines", b"[["),
        ("claims.lines", b"\xff"),
        ("claims.center", torch.zeros(2)),
        ("claims.mean", torch.zeros(9)),
        ("claims.scale", torch.zeros(1, 1)),
        ("claims.mean", torch.zeros(9, dtype=torch.bfloat16)),
        ("claims.spread", torch.ones(2)),
    ],
)
def test_tensors_that_do_not_fit_are_refused(name: str, value: bytes | torch.Tensor) -> None:
    tensors = ClaimPrior.fit(CLAIMS, LAYOUT, features(9, 0)).to_tensors()
    if isinstance(value, bytes):
        value = torch.frombuffer(bytearray(value), dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"claim|part|decode|delimiter|Expecting|lines"):
        ClaimPrior.from_tensors(tensors | {name: value})
