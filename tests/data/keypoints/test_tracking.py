"""Tracking by keypoints, and frames by their numbers."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.data.keypoints.bodies import (
    NobodySeenError,
    SeenBody,
    frame_places,
    recording_of_bodies,
)
from skeletonagent.data.keypoints.tracking import MAX_LOST_FRAMES, track_bodies

BODY = np.random.default_rng(1).uniform(-50, 50, size=(9, 2))
SIZE = float(np.linalg.norm(np.ptp(BODY, axis=0)))


def at(x: float) -> np.ndarray:
    """Return the body, x sizes of it to the right."""
    return BODY + np.array([x * SIZE, 0])


@pytest.mark.parametrize("seed", range(6))
def test_the_cheapest_assignment_is_taken(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = [at(x) for x in np.arange(4) * 0.5]
    places = [float(x) for x in np.arange(4) * 0.5 + rng.uniform(-0.2, 0.2, size=4)]
    after = [at(places[n]) for n in rng.permutation(4)]
    tracks = track_bodies([before, after])

    def cost(order: tuple[int, ...]) -> float:
        return sum(
            float(np.linalg.norm(body - before[track], axis=1).mean())
            for body, track in zip(after, order, strict=True)
        )

    assert tracks[0] == [0, 1, 2, 3]
    assert tuple(tracks[1]) == min(itertools.permutations(range(4)), key=cost)


def test_who_jumps_is_another_one_and_who_was_lost_may_have_moved_farther() -> None:
    assert track_bodies([[at(0)], [at(0.5)], [at(1.2)]]) == [[0], [0], [1]]
    assert track_bodies([[at(0)], [], [], [], [at(0.8)]]) == [[0], [], [], [], [0]]
    for lost, track in ((MAX_LOST_FRAMES - 1, 0), (MAX_LOST_FRAMES, 1)):
        assert track_bodies([[at(0)], *([[]] * lost), [at(0)]])[-1] == [track]


def test_persons_who_stand_side_by_side_keep_their_tracks_in_any_order() -> None:
    rng = np.random.default_rng(4)
    frames, expected = [], []
    for _ in range(40):
        order = rng.permutation(3)
        frames.append([at(n * 0.4) + rng.normal(scale=2, size=BODY.shape) for n in order])
        expected.append(order)
    tracks = track_bodies(frames)
    names = {track: int(n) for track, n in zip(tracks[0], expected[0], strict=True)}
    assert [[names[t] for t in frame] for frame in tracks] == [list(order) for order in expected]


def test_keypoints_that_are_hidden_in_turn() -> None:
    upper, lower = at(0).copy(), at(0.1).copy()
    upper[5:] = np.nan
    lower[:5] = np.nan
    assert track_bodies([[upper], [lower], [at(0.1)]]) == [[0], [0], [0]]
    assert track_bodies([[], [np.full((9, 2), np.nan)], [at(0)]]) == [[], [0], [1]]


def test_bodies_of_a_recording_keep_the_names_of_the_source(tmp_path: Path) -> None:
    frames = [[SeenBody(at(0), person="b"), SeenBody(at(1), person="a")], [], [
        SeenBody(at(5), person="a"),
    ]]  # fmt: skip
    recording = recording_of_bodies("x", frames, tmp_path)
    assert recording.person_ids == ("b", "a") and recording.confidence is None
    assert recording.seen.all(axis=2).tolist() == [[True, False, False], [True, False, True]]
    twice = [[SeenBody(at(0), person="a"), SeenBody(at(1), person="a")]]
    with pytest.warns(UserWarning, match="they are tracked anew"):
        assert recording_of_bodies("x", twice, tmp_path).person_ids == ("0", "1")
    with pytest.raises(NobodySeenError, match="in any of its 2 frames"):
        recording_of_bodies("x", [[], []], tmp_path)
    with pytest.raises(DataError, match="different shapes"):
        recording_of_bodies("x", [[SeenBody(at(0)), SeenBody(at(0)[:4])]], tmp_path)


@pytest.mark.parametrize(
    ("numbers", "places"),
    [
        ([3, 4, 6], [0, 1, 3]),
        ([6, 3, 4], [3, 0, 1]),
        ([0, 2, 4], [0, 2, 4]),
        (list(range(0, 60, 5)), list(range(12))),
        ([7], [0]),
    ],
)
def test_numbers_of_frames(numbers: list[int], places: list[int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert frame_places(numbers, "a") == places


def test_the_time_axis_begins_with_the_first_frame_of_the_video() -> None:
    assert frame_places([3, 4, 5, 9], "a", first=1) == [2, 3, 4, 8]
    assert frame_places([0, 2], "a", first=0) == [0, 2]
    with pytest.warns(UserWarning, match="begins with frame 900; the frames before it"):
        assert frame_places([900, 901], "a", first=0) == [0, 1]


def test_numbers_that_count_something_else() -> None:
    with pytest.warns(UserWarning, match="taken one after another"):
        assert frame_places([1700000000033, 1700000000000, 1700000000070], "a") == [1, 0, 2]
