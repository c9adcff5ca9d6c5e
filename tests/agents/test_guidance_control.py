"""Controls of a study: guidance of the same form with other content."""

from __future__ import annotations

import torch

from skeletonagent.agents.guidance_control import (
    controlled_claims,
    controlled_joints,
    controlled_sentences,
)
from skeletonagent.agents.settings import GuidanceControl
from skeletonagent.core.claims import parse_claims

SALIENT = (torch.rand(7, 20, generator=torch.Generator().manual_seed(0)) < 0.3).float()
TABLE = torch.nn.functional.normalize(
    torch.randn(7, 12, generator=torch.Generator().manual_seed(1)), dim=1
)
CLAIMS = (
    parse_claims(["right hand height more", "both feet speed less", "head speed more"]),
    parse_claims(["left knee height more"]),
    (),
    parse_claims(["hand head distance less", "trunk net vertical less"]),
)


def test_without_a_control_guidance_is_its_own() -> None:
    none = GuidanceControl.NONE
    assert torch.equal(controlled_joints(SALIENT, none, 0), SALIENT)
    assert torch.equal(controlled_sentences(TABLE, none, 0), TABLE)
    assert controlled_claims(CLAIMS, none, 0) == CLAIMS


def test_shuffled_guidance_is_all_that_of_one_other_class() -> None:
    shuffled = GuidanceControl.SHUFFLED
    others = [4, 5, 6, 0, 1, 2, 3]
    assert torch.equal(controlled_joints(SALIENT, shuffled, 3), SALIENT[others])
    assert torch.equal(controlled_sentences(TABLE, shuffled, 3), TABLE[others])
    assert controlled_claims(CLAIMS, shuffled, 3) == tuple(CLAIMS[i] for i in (2, 3, 0, 1))


def test_random_joints_are_as_many_and_others_with_each_seed() -> None:
    first, again, other = (
        controlled_joints(SALIENT, GuidanceControl.RANDOM, seed) for seed in (8, 8, 9)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, SALIENT)
    assert torch.equal(first.sum(dim=1), SALIENT.sum(dim=1))
    assert set(first.flatten().tolist()) == {0.0, 1.0}


def test_random_sentences_have_the_same_products() -> None:
    drawn = controlled_sentences(TABLE, GuidanceControl.RANDOM, 5)
    torch.testing.assert_close(drawn @ drawn.T, TABLE @ TABLE.T)
    assert float((drawn - TABLE).abs().max()) > 0.1


def test_random_claims_are_as_many_about_what_others_are_about() -> None:
    drawn = controlled_claims(CLAIMS, GuidanceControl.RANDOM, 2)
    about = {(c.part, c.side, c.feature) for of_class in CLAIMS for c in of_class}
    assert [len(of_class) for of_class in drawn] == [3, 1, 0, 2]
    assert {(c.part, c.side, c.feature) for of_class in drawn for c in of_class} <= about
    assert drawn == controlled_claims(CLAIMS, GuidanceControl.RANDOM, 2)
    assert drawn != controlled_claims(CLAIMS, GuidanceControl.RANDOM, 3)
