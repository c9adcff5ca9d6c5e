"""Suggestions: slips, case, names that are like none."""

from __future__ import annotations

import pytest

from skeletonagent.core.suggestions import did_you_mean, nearest_name

KNOWN = ("joint-cnn", "stgcn++", "tiny-gcn")


@pytest.mark.parametrize(
    ("name", "near"),
    [("joint_cnn", "joint-cnn"), ("JointCNN", "joint-cnn"), ("stgcn", "stgcn++"), ("lstm", None)],
)
def test_a_slip_is_near_one_name(name: str, near: str | None) -> None:
    assert nearest_name(name, KNOWN) == near
    assert did_you_mean(name, KNOWN) == (f"did you mean {near!r}? " if near else "")
