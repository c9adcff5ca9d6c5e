"""Persons whom a tracker numbered anew: one body, one name, and a word about it."""

from __future__ import annotations

import numpy as np
from tests.data.random_bodies import random_bodies

from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.joined_persons import join_persons, joined_recording


def renumbered(numbers: list[int]) -> KeypointRecording:
    """Return two bodies, of whom the second has several numbers; -1 is nobody."""
    both = random_bodies(0, 2).astype(float)
    both[0] += 9  # elsewhere
    joints = np.full((4, *both.shape[1:]), np.nan)
    joints[0] = both[0]
    for frame, number in enumerate(numbers):
        if number > 0:
            joints[number, frame] = both[1, frame]
    confidence = np.where(np.isnan(joints[..., 0]), 0.0, np.arange(1, 5)[:, None, None] / 4)
    return KeypointRecording(
        "dance", joints, confidence=confidence, person_ids=("a", "b", "c", "d")
    )


def test_a_person_of_several_numbers_is_one_body_under_the_first_name() -> None:
    recording = renumbered([2, 2, 3, -1, 1, 1])
    whole, joined = joined_recording(recording)
    assert joined and whole.person_ids == ("a", "b") and whole.joints.shape[0] == 2
    np.testing.assert_array_equal(whole.joints[0], recording.joints[0])
    expected = np.stack([recording.joints[n, t] for t, n in enumerate([2, 2, 3, 1, 1, 1])])
    expected[3] = np.nan
    np.testing.assert_array_equal(whole.joints[1], expected)
    assert whole.confidence is not None
    np.testing.assert_array_equal(whole.confidence[1].max(axis=1), [0.75, 0.75, 1, 0, 0.5, 0.5])
    found = join_persons(recording.joints)
    assert found is not None and found.groups == ((1, 2, 3),)
    assert "b = c = d" in found.remark(recording.person_ids)


def test_persons_who_are_others_stay_so() -> None:
    recording = renumbered([2, 2, 2, 2, 2, 2])
    assert joined_recording(recording) == (recording, False)
    together = renumbered([2, 2, 3, 3, 1, 1])
    together.joints[1:] += 5 * np.arange(3)[:, None, None, None]  # each in another place
    assert join_persons(together.joints) is None
    nobody = np.full((3, 4, 2, 2), np.nan)
    assert join_persons(nobody) is None
