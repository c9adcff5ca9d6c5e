"""Descriptions of classes from typed lines and class notes."""

from __future__ import annotations

import pytest

from skeletonagent.core.claims import Claim
from skeletonagent.core.errors import ConfigError
from skeletonagent.inference.class_descriptions import (
    describe_by_lines,
    describe_by_notes,
)
from skeletonagent.llm.class_notes import bundled_class_notes, bundled_notes

CLASSES = ("wave", "jump", "wave, with both hands")


def test_lines_as_they_are_typed() -> None:
    found = describe_by_lines(
        "salute", "Right hand height MORE; both feet speed less than Jump,\nleft hand speed less;",
        CLASSES,
    )  # fmt: skip
    assert found.name == "salute"
    assert found.claims == (
        Claim.parse("right hand height more"),
        Claim.parse("both feet speed less", "jump"),
        Claim.parse("left hand speed less"),
    )


def test_names_of_classes_may_have_commas() -> None:
    text = "hand height less than wave, with both hands; head speed more"
    first, second = describe_by_lines("salute", text, CLASSES).claims
    assert (first.rival, second.rival) == ("wave, with both hands", "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (" ; ", "is empty; write claims such as"),
        ("a person salutes", "'a person salutes' is no claim: it lacks 'more' or 'less'"),
        ("the tail height more", "no body part 'the tail'"),
        ("hand height more than swim", "compares with no class of the run; there are wave, jump"),
    ],
)
def test_other_texts_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        describe_by_lines("salute", text, CLASSES)


def test_notes_compare_with_known_classes_alone() -> None:
    (clap,) = (c for c in bundled_class_notes("utd_mhad").classes if "clap" in c.action)
    alone = describe_by_notes(clap, ())
    assert [str(claim) for claim in alone.claims] == list(clap.claims)
    beside = describe_by_notes(clap, ("Two hand push", "swim"))
    assert {claim.rival for claim in beside.claims} == {"", "Two hand push"}


def test_bundled_notes_by_the_names_of_classes() -> None:
    found = bundled_notes(("swim", "Carry", "sit down", "throw"))
    assert list(found) == ["Carry", "sit down", "throw"]
    assert found["throw"].action == "throw"
    assert found["throw"] in bundled_class_notes("nw_ucla").classes  # which has most of them
