"""Claims of the bundled notes: enough of them, and none that another one contradicts."""

from __future__ import annotations

from itertools import combinations

import pytest

from skeletonagent.core.claims import Claim, claim_joints, parse_claims
from skeletonagent.llm.class_notes import ClassNotes, bundled_class_notes, normalized_name

CLAIMING = ("jhmdb", "nturgbd_60", "nw_ucla", "sbu", "utd_mhad")
NOTES = [notes for name in CLAIMING for notes in bundled_class_notes(name).classes]


def about(claim: Claim) -> tuple[str, str, str]:
    """Return what a claim is about, whatever its direction."""
    return claim.part, claim.side, claim.feature


@pytest.mark.parametrize("notes", NOTES, ids=lambda notes: notes.action)
def test_a_class_has_four_to_ten_claims_and_says_nothing_twice(notes: ClassNotes) -> None:
    claims = parse_claims(notes.claims)
    assert 4 <= len(claims) <= 10
    assert len({about(claim) for claim in claims}) == len(claims)
    for contrast in notes.against:
        against = parse_claims(contrast.claims)
        assert len({about(claim) for claim in against}) == len(contrast.claims)


@pytest.mark.parametrize("name", CLAIMING)
def test_claims_about_parts_that_the_skeleton_has(name: str) -> None:
    found = bundled_class_notes(name)
    for notes in found.classes:
        lines = [*notes.claims, *(line for one in notes.against for line in one.claims)]
        lacking = [line for line in lines if claim_joints(Claim.parse(line), found.layout) is None]
        assert lacking == [], notes.action


@pytest.mark.parametrize("name", CLAIMING)
def test_two_classes_have_claims_of_their_own(name: str) -> None:
    for one, other in combinations(bundled_class_notes(name).classes, 2):
        assert set(one.claims) != set(other.claims), (one.action, other.action)


@pytest.mark.parametrize("name", CLAIMING)
def test_claims_of_two_rivals_do_not_contradict_each_other(name: str) -> None:
    by_name = {normalized_name(notes.action): notes for notes in bundled_class_notes(name).classes}
    wrong = []
    for one, other in combinations(by_name, 2):
        there, back = by_name[one].contrast(other), by_name[other].contrast(one)
        if there is None or back is None:
            continue
        theirs = {about(claim): claim.sign for claim in parse_claims(back.claims)}
        for claim in parse_claims(there.claims):
            if theirs.get(about(claim)) == claim.sign:
                wrong.append((one, other, str(claim)))
    assert wrong == []
