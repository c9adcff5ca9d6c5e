"""Streams: the same segments however frames arrive, in bounded memory, whatever is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inference.acting import CLIPS, FPS, acted, by_swing, guidance, settings_of, task_of
from tests.small_run import CLASSES

from skeletonagent.core.errors import DataError
from skeletonagent.experiments.training_clips import TrainingClips
from skeletonagent.inference.segment_stream import (
    SegmentEvent,
    SegmentStream,
    StreamEvent,
    StreamTask,
    WindowEvent,
)
from skeletonagent.inference.segments import ActionSegment


def events_of(
    frames: Sequence[object], task: StreamTask | None = None, **options: object
) -> list[StreamEvent]:
    stream = SegmentStream(task or task_of(), **options)  # type: ignore[arg-type]
    events = [event for frame in frames for event in stream.push(frame)]  # type: ignore[arg-type]
    return [*events, *stream.finish()]


def segments_of(
    frames: Sequence[object], task: StreamTask | None = None, **options: object
) -> list[ActionSegment]:
    """Return the segments by their start: when one is known depends on what may still join it."""
    events = events_of(frames, task, **options)
    segments = [event.segment for event in events if isinstance(event, SegmentEvent)]
    return sorted(segments, key=lambda segment: (segment.start, segment.end, segment.person))


def test_actions_between_pauses_are_found() -> None:
    segments = segments_of(acted([0, 1, 2, 0]))
    assert [segment.label for segment in segments] == ["wave", "jump", "squat", "wave"]
    for number, segment in enumerate(segments):
        start = 20 + 50 * number
        assert abs(segment.start - start) <= 10 and abs(segment.end - start - 30) <= 10
        assert segment.person == "1" and segment.is_known
        assert segment.top[0] == (segment.label, segment.score)


def test_a_movement_without_pauses_is_cut_by_windows() -> None:
    joints = np.concatenate([acted([0], 120, pause=0), acted([1], 120, pause=0)])
    segments = segments_of(joints)
    assert [segment.label for segment in segments] == ["wave", "jump"]
    assert segments[0].end == segments[1].start and abs(segments[0].end - 120) <= 12
    assert segments[0].start == 0 and segments[1].end == 240


@pytest.mark.parametrize("clips_at_once", [2, 1000])
def test_segments_do_not_depend_on_how_clips_are_batched(clips_at_once: int) -> None:
    joints = np.concatenate([acted([0], 20, pause=14), acted([2], 90, pause=0)])
    one = segments_of(joints)
    assert len(one) >= 2
    assert segments_of(joints, clips_at_once=clips_at_once, previews=False) == one


def test_a_movement_that_goes_on_has_previews() -> None:
    events = events_of(acted([1], 36))
    before = [event for event in events if isinstance(event, WindowEvent)]
    assert len(before) >= 3 and isinstance(events[-1], SegmentEvent)
    assert before[-1].label == "jump" and before[-1].person == "1"
    assert [event.frame for event in before] == sorted(event.frame for event in before)


def test_below_the_threshold_an_action_is_unknown() -> None:
    (segment,) = segments_of(acted([0]), task_of(settings_of(threshold=1.0)))
    assert segment.label == "unknown" and not segment.is_known and segment.score < 1
    assert segment.top[0][0] == "wave"


def test_persons_are_segmented_each_by_itself() -> None:
    one, two = acted([0, 1]), acted([2, 0], pause=30)[: len(acted([0, 1]))] + np.float32(5)
    together = segments_of([{"ann": a, "bob": b} for a, b in zip(one, two, strict=True)])
    for name, joints in (("ann", one), ("bob", two)):
        alone = segments_of([{name: frame} for frame in joints])
        assert [s for s in together if s.person == name] == alone
    as_array = segments_of(np.stack([one, two], axis=1))
    assert [s.label for s in as_array] == [s.label for s in together]


def test_persons_may_come_go_and_come_back() -> None:
    joints = acted([0])
    nothing: list[object] = [None] * 60
    frames = [*nothing, *joints, *nothing, *joints]
    first, second = segments_of(frames)
    assert first.label == second.label == "wave"
    assert second.start - first.start == len(joints) + 60


PAIRS = TrainingClips(16, 24, 40, pair_classes=("jump",), fps=30.0)


def test_two_persons_together_have_classes_of_two() -> None:
    task = task_of(settings_of(PAIRS), persons=2)
    one, two = acted([1, 0]), acted([1, 0], seed=1) + np.float32(5)
    found = segments_of([{"a": a, "b": b} for a, b in zip(one, two, strict=True)], task)
    known = {(s.person, s.label) for s in found if s.is_known}
    assert known == {("a+b", "jump"), ("a", "wave"), ("b", "wave")}
    alone = segments_of([{"a": a} for a in one], task)
    assert {(s.person, s.label) for s in alone if s.is_known} == {("a", "wave")}
    no_room = segments_of([{"a": a, "b": b} for a, b in zip(one, two, strict=True)],
                          task_of(settings_of(PAIRS), persons=1))  # fmt: skip
    assert all("+" not in segment.person for segment in no_room)


def test_a_class_of_rest_takes_the_place_of_stillness() -> None:
    task = task_of(settings_of(rest="squat"))
    joints = np.concatenate([acted([label], 90, pause=0) for label in (0, 2, 1)])
    found = segments_of(joints, task)
    assert [segment.label for segment in found] == ["wave", "jump"]
    assert found[0].end < found[1].start
    without = segments_of(joints, task_of(settings_of(rest="none")))
    assert [segment.label for segment in without] == ["wave", "squat", "jump"]


def test_dropped_frames_are_frames_of_nobody() -> None:
    joints = acted([0, 1])
    kept = [t for t in range(len(joints)) if t % 7 != 3]
    stream = SegmentStream(task_of())
    events = [e for t in kept for e in stream.push(joints[t], timestamp=100 + t / FPS)]
    events += stream.finish()
    frames = [joints[t] if t in kept else None for t in range(len(joints))]
    assert [e.segment for e in events if isinstance(e, SegmentEvent)] == segments_of(frames)
    assert stream.warnings == ()


def test_a_long_drop_ends_what_goes_on() -> None:
    joints, stream = acted([0], pause=0), SegmentStream(task_of())
    for t in range(len(joints)):
        stream.push(joints[t], timestamp=t / FPS)
    (event,) = [e for e in stream.push(joints[0], timestamp=3600.0) if isinstance(e, SegmentEvent)]
    assert event.segment.label == "wave" and event.segment.end <= len(joints)
    assert stream.frame == 3600 * FPS + 1
    assert stream.push(joints[0], timestamp=3599.0) == []
    assert any("too late" in word for word in stream.warnings)


def test_memory_does_not_grow_with_the_stream() -> None:
    stream, joints = SegmentStream(task_of(), previews=False), acted([0], 30)
    sizes = []
    for repeat in range(6):
        for frame in [*joints, *acted([2], 80, pause=0)]:
            stream.push({f"visitor {repeat // 2}": frame})
        sizes.append(sum(len(track._frames) for track in stream._tracks.values()))
        assert len(stream._tracks) <= 2 and len(stream._waiting) == 0
    assert max(sizes) <= stream.task.settings.longest + 60


def test_explanations_name_joints_and_what_tells_classes_apart() -> None:
    sentences = ("the arm swings", "both feet leave", "jump"[::-1])
    joints = ((3, 6), (), ())
    task = task_of(guidance=guidance(sentences, joints))
    first, second = segments_of(acted([0, 1]), task)
    names = {task.input_format.layout.joints[joint] for joint in joints[0]}
    assert {joint.joint for joint in first.explanation.joints} == names
    assert sum(joint.weight for joint in first.explanation.joints) == pytest.approx(1)
    assert first.explanation.from_guidance and not second.explanation.from_guidance
    assert first.explanation.runner_up == first.top[1]
    assert first.explanation.sentences["wave"] == "the arm swings"
    assert len(second.explanation.joints) == 5
    assert all(
        task.input_format.layout.joints.index(joint.joint) % 3 == 1
        for joint in second.explanation.joints
    )
    plain = segments_of(acted([0]))[0].explanation
    assert plain.sentences == {}  # the name of a class is no sentence


@pytest.mark.parametrize(
    "frame", [np.zeros((16, 2)), np.zeros((17, 3)), np.array([["a"]]), np.zeros(17)]
)
def test_frames_of_another_shape_are_refused(frame: object) -> None:
    with pytest.raises(DataError, match="a frame"):
        SegmentStream(task_of()).push(frame)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="a frame"):
        SegmentStream(task_of()).push({"1": frame})


def test_frames_may_be_tensors_and_joints_infinite_or_zero() -> None:
    joints = acted([0])
    plain = segments_of(joints)
    assert segments_of([torch.from_numpy(frame) for frame in joints]) == plain
    strange = joints.copy()
    strange[:, 4] = np.inf
    gone = joints.copy()
    gone[:, 4] = 0
    stream = SegmentStream(task_of())
    for frame in strange:
        stream.push(frame)
    assert any("infinite" in word for word in stream.warnings)
    assert segments_of(strange) == segments_of(gone)


def mutilated(joints: np.ndarray, seed: int) -> list[object]:
    """Return frames of several persons with random damage of every kind."""
    rng = np.random.default_rng(seed)
    persons = int(rng.integers(1, 4))
    bodies = [np.roll(joints, int(rng.integers(0, 90)), axis=0) + 3 * n for n in range(persons)]
    frames: list[object] = []
    begin = int(rng.integers(0, len(joints)))
    for t in range(begin, min(begin + int(rng.integers(0, 45)), len(joints))):
        frame = {}
        for number, body in enumerate(bodies):
            damaged = body[t].copy()
            damaged[rng.random(len(damaged)) < rng.choice([0, 0.2, 0.95])] = np.nan
            if rng.random() < 0.02:
                damaged *= rng.choice([0, 1e-30, 1e30, np.inf])
            if rng.random() < 0.02:
                damaged[:] = damaged[0]  # a body of no size
            if rng.random() > 0.1:
                frame[str(number)] = damaged
        if persons > 1 and rng.random() < 0.05:
            bodies[0], bodies[1] = bodies[1], bodies[0]
        frames.append(frame if rng.random() > 0.1 else None)
    return frames


def check_sound(segments: Sequence[ActionSegment], frames: int) -> None:
    for segment in segments:
        assert 0 <= segment.start < segment.end <= frames
        assert segment.label in (*CLASSES, "unknown")
        numbers = [segment.score, *(share for _, share in segment.top)]
        numbers += [joint.weight for joint in segment.explanation.joints]
        assert np.isfinite(numbers).all() and 0 <= min(numbers) <= max(numbers) <= 1 + 1e-6


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**31),
    rest=st.sampled_from(["auto", "none", "squat"]),
    pairs=st.booleans(),
)
def test_whatever_is_wrong_with_frames_segments_are_sound(
    seed: int, rest: str, pairs: bool
) -> None:
    frames = mutilated(LONG, seed)
    task = task_of(settings_of(PAIRS if pairs else CLIPS, rest=rest), persons=2)
    segments = segments_of(frames, task)
    check_sound(segments, len(frames))
    if seed % 8 == 0:
        assert segments_of(frames, task, clips_at_once=50) == segments


LONG = np.concatenate([acted([0, 1], 20, pause=14), acted([2], 60, pause=0)])


def test_a_recognizer_that_fails_leaves_unknown_actions() -> None:
    def broken(clips: Sequence[np.ndarray]) -> np.ndarray:
        return np.full_like(by_swing(clips), np.nan)

    stream = SegmentStream(task_of(classify=broken))
    events = [e for frame in acted([0]) for e in stream.push(frame)] + stream.finish()
    (segment,) = [e.segment for e in events if isinstance(e, SegmentEvent)]
    assert segment.label == "unknown" and segment.score == 0
    assert any("too large" in word for word in stream.warnings)


def test_the_first_frames_are_compared_with_the_training_once() -> None:
    seen: list[tuple[int, ...]] = []

    def check(joints: np.ndarray) -> str:
        seen.append(joints.shape)
        return "unlike the training clips"

    stream = SegmentStream(task_of(check_source=check))
    frames = [None, *acted([0, 1, 2, 0, 1])]
    for number, frame in enumerate(frames):
        stream.push(frame)
        assert len(seen) == int(number >= 150)  # five seconds of somebody
    stream.finish()
    assert seen == [(1, 150, 17, 2)] and "unlike the training clips" in stream.warnings
    short = SegmentStream(task_of(check_source=check))
    short.push(frames[1])
    short.finish()
    assert len(seen) == 2 and "unlike the training clips" in short.warnings
