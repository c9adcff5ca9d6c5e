"""The authors' recorded dialogues give the masks their code made of them, and the known counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skeletonagent.agents.dialogue_stats import compute_dialogue_stats
from skeletonagent.agents.released_dialogues import (
    RELEASED,
    read_released_dialogues,
    released_salient,
    salient_joints,
)
from skeletonagent.core.dialogue import Outcome, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.streams import Stream

DATASETS = ("nturgbd_60", "nturgbd_120", "finegym", "k400", "uav_human")
COUNTS = {
    "classes": (60, 120, 99, 400, 155),
    "critical": ((10, 15, 25), (8, 15, 25), (9, 15, 20), (2, 11, 16), (2, 11, 17)),
    "critical_many": (58, 110, 96, 307, 87),
    "critical_all": (9, 13, 1, 0, 3),
    "critical_near_all": (23, 50, 1, 2, 3),
    "details": ((5, 8, 8.6, 25), (4, 8, 8.4, 25), (6, 7, 7.3, 8), (2, 8, 7.7, 15), (2, 8, 7.2, 11)),
    "count_rule": (8, 11, 0, 1, 8),
    "dropped": (2, 8, 3, 32, 14),
    "unsorted": (3, 4, 0, 1, 13),
    "duplicate": (1, 1, 0, 0, 0),
    "note": (2, 3, 0, 1, 0),
    "one_line": (0, 0, 0, 5, 4),
    "dash": (0, 0, 5, 13, 0),
    "indirect": (60, 117, 58, 252, 147),
    "named": (40, 80, 0, 198, 81),
    "one_sided": (25, 60, 4, 42, 34),
    "odd_rivals": (0, 0, 0, 0, 0),
    "sets": ((36, 8), (66, 15), (16, 32), (63, 73), (43, 30)),
}
"""What is known of the answers, by data set. Source: spec 3.3."""


@pytest.fixture(scope="module", params=DATASETS)
def told(request: pytest.FixtureRequest, shared: Path) -> tuple[str, DialogueCollection]:
    """Each data set's dialogues."""
    path = shared / "dialogues" / "gpt4o_dialogues.zip"
    if not path.is_file():
        pytest.skip(f"needs shared data: nothing at {path}")
    return request.param, read_released_dialogues(path, request.param)


def test_all_published_data_sets_are_compared() -> None:
    assert tuple(RELEASED) == DATASETS


def test_the_masks_are_those_of_the_released_code(
    told: tuple[str, DialogueCollection], shared: Path
) -> None:
    path = shared / "reference" / "golden" / "salient_joints.npz"
    if not path.is_file():
        pytest.skip(f"needs shared data: nothing at {path}")
    name, transcripts = told
    layout = transcripts.layout
    guidance = Guidance(
        layout,
        tuple(
            ClassGuidance(d.action, salient_joints(d, layout), "") for d in transcripts.dialogues
        ),
    )
    with np.load(path) as golden:
        for stream in (Stream.JOINT, Stream.BONE, Stream.KBONE):
            expected = golden[f"{name}_{stream.short}"]
            np.testing.assert_array_equal(released_salient(guidance, stream).numpy(), expected)
            np.testing.assert_array_equal(
                released_salient(guidance, Stream(f"{stream}_motion")).numpy(), expected
            )


def test_the_counts_are_the_known_ones(told: tuple[str, DialogueCollection]) -> None:
    name, transcripts = told
    found = compute_dialogue_stats(transcripts)
    critical, details = found.critical, found.details
    counts = {
        "classes": found.classes,
        "critical": (critical.least, critical.median, critical.most),
        "details": (details.least, details.median, round(details.mean, 1), details.most),
        "sets": (found.distinct_sets, found.largest_group),
        **found.oddities,
    }
    column = DATASETS.index(name)
    assert counts == {key: row[column] for key, row in COUNTS.items()}


def test_no_answer_that_breaks_the_rules_is_taken_as_it_is(
    told: tuple[str, DialogueCollection],
) -> None:
    name, transcripts = told
    found, column = compute_dialogue_stats(transcripts), DATASETS.index(name)
    assert found.exchanges.least == found.exchanges.most == 5
    assert (
        found.outcomes[Step.CRITICAL_JOINTS][Outcome.REJECTED]
        == COUNTS["critical_near_all"][column]
    )
    assert found.outcomes[Step.JOINT_DETAILS][Outcome.REJECTED] == COUNTS["count_rule"][column]
    assert found.outcomes[Step.BODY_PARTS][Outcome.REPAIRED] == COUNTS["one_line"][column]
    assert found.outcomes[Step.KEY_FEATURES][Outcome.REPAIRED] == COUNTS["dash"][column]
    assert not any(counts[Outcome.UNANSWERED] for counts in found.outcomes.values())
