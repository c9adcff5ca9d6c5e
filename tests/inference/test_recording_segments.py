"""Whole recordings: what comes in, what is said, and what is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.inference.acting import acted
from tests.small_run import CLASSES, swinging

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import COCO_17, COCO_20, SkeletonLayout
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.inference.predictor import Predictor, load_predictor
from skeletonagent.inference.recording_input import read_recordings
from skeletonagent.inference.recording_segments import runs_of
from skeletonagent.inference.segment_settings import choose_rest, choose_threshold
from skeletonagent.inference.segment_stream import SegmentEvent
from skeletonagent.inference.segments import RecordingPrediction


@pytest.fixture(scope="module")
def model(run: Path) -> Predictor:
    return load_predictor(run, "cpu")


RECORDING = acted([0, 1], 20)


def said(prediction: RecordingPrediction, words: str) -> bool:
    return any(words in warning for warning in prediction.warnings)


def test_a_recording_is_written_in_one_form(model: Predictor, run: Path) -> None:
    prediction = model.segment(RECORDING, fps=30, threshold=0, top_k=2)
    value = json.loads(json.dumps(prediction.to_json(), allow_nan=False))
    assert list(value) == [
        "schema", "name", "source", "fps", "frames", "layout", "engine", "segments", "persons",
        "warnings",
    ]  # fmt: skip
    assert value["schema"] == "skeletonagent.prediction/1" and value["warnings"] == []
    assert value["fps"] == 30 and value["frames"] == len(RECORDING)
    assert value["engine"]["runs"] == [str(run)] and value["engine"]["window"] == 16
    assert len(value["segments"]) == len(prediction) == 2
    for segment in value["segments"]:
        assert list(segment) == [
            "person", "start_frame", "end_frame", "start", "end", "label", "score", "top",
            "explanation",
        ]  # fmt: skip
        assert segment["start"] == round(segment["start_frame"] / 30, 3)
        assert segment["label"] in CLASSES and len(segment["top"]) == 2
        assert segment["top"][0] == {"label": segment["label"], "score": segment["score"]}
        explanation = segment["explanation"]
        assert explanation["runner_up"] == segment["top"][1]
        assert sum(joint["weight"] for joint in explanation["joints"]) == pytest.approx(1, abs=1e-4)
    (person,) = value["persons"]
    assert (person["person"], person["frames"]) == ("1", len(RECORDING))
    assert person["spans"] == [
        {"start_frame": 0, "end_frame": 100, "start": 0.0, "end": round(100 / 30, 3)}
    ]
    assert repr(prediction).count("person 1:") == 2


def test_a_stream_gives_the_same_to_the_bit(model: Predictor) -> None:
    prediction = model.segment(RECORDING, fps=30, batch_size=1)
    stream = model.stream(fps=30)
    events = [event for frame in RECORDING for event in stream.push(frame)] + stream.finish()
    segments = tuple(event.segment for event in events if isinstance(event, SegmentEvent))
    assert segments == prediction.segments and len(segments) == 2
    batched = model.segment(RECORDING, fps=30)
    for one, other in zip(prediction, batched, strict=True):
        assert (one.start, one.end) == (other.start, other.end)
        np.testing.assert_allclose(one.score, other.score, atol=1e-5)


def test_settings_follow_from_the_training(model: Predictor) -> None:
    clips = model.models[0].metadata.training_clips
    assert clips is not None and (clips.shortest, clips.median, clips.longest) == (14, 16, 19)
    engine = model.segment(RECORDING, fps=30).engine
    assert (engine["window"], engine["stride"], engine["longest"]) == (16, 4, 24)
    assert engine["rest"] == "stillness" and "right held-out" in engine["threshold_from"]
    chosen = model.segment(RECORDING, window=30, stride=3, threshold=0.2, rest="wave").engine
    assert (chosen["window"], chosen["stride"], chosen["longest"]) == (30, 3, 30)
    assert (chosen["threshold"], chosen["rest"]) == (0.2, "wave")


def test_settings_out_of_range_are_refused(model: Predictor) -> None:
    for options, problem in (
        ({"window": 0}, "window is 0"),
        ({"stride": -1}, "stride is -1"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"rest": "sleep"}, "wanted is auto, stillness, none, or one of the classes wave"),
    ):
        with pytest.raises(ConfigError, match=problem):
            model.segment(RECORDING, **options)  # type: ignore[arg-type]


def test_old_runs_say_that_they_do_not_know_their_clips(model: Predictor) -> None:
    old = replace(model.models[0], metadata=replace(model.models[0].metadata, training_clips=None))
    prediction = Predictor((old,), (1.0,)).segment(np.stack([RECORDING, RECORDING + 3]), fps=30)
    assert said(prediction, "does not say how long") and said(prediction, "classes are of two")
    assert prediction.engine["window"] == 16 and prediction.engine["threshold"] == 0.5


def test_the_threshold_keeps_most_right_predictions() -> None:
    probs = np.array([[p, 1 - p] for p in np.linspace(0.6, 1, 101)] + [[0.51, 0.49]] * 50)
    labels = np.array([0] * 101 + [1] * 50)
    held_out = ClassProbabilities(tuple(map(str, range(151))), labels, probs)
    threshold, source = choose_threshold(None, held_out)
    assert threshold == pytest.approx(0.62) and "95%" in source
    assert choose_threshold(0.3, held_out) == (0.3, "given")
    sure = ClassProbabilities(("a", "b"), np.zeros(2, int), np.array([[0.9999, 0.0001]] * 2))
    assert choose_threshold(None, sure) == (0.9, "the highest; held-out predictions are surer")
    wrong = ClassProbabilities(("a",), np.array([1]), probs[:1])
    assert choose_threshold(None, wrong) == choose_threshold(None, None) == (0.5, "default")


def test_a_rest_class_is_found_by_its_name() -> None:
    assert choose_rest("auto", ("Idle", "wave")) == ("Idle", False)
    assert choose_rest("auto", ("walk", "wave")) == (None, True)
    assert choose_rest("auto", ("idle", "rest")) == (None, True)  # which of them is not clear
    assert choose_rest("none", ("idle",)) == (None, False)


@pytest.mark.parametrize(
    ("joints", "words"),
    [
        (np.full((20, 17, 2), np.nan), "nobody is seen"),
        (np.zeros((0, 17, 2)), "nobody is seen"),
        (np.zeros((0, 9, 17, 2)), "nobody is seen"),
        (np.zeros((30, 17, 2)), "nobody is seen"),
        (RECORDING[:1], "one frame"),
        (np.repeat(RECORDING[:1], 50, axis=0), "no action of person 1"),
        (RECORDING[20:26], "a movement of less than 0.25 s is left out"),
        (np.where(np.arange(17)[:, None] == 3, np.inf, RECORDING), "infinite numbers"),
        (RECORDING, "frames a second are unknown"),
    ],
)
def test_whatever_is_missing_is_said(model: Predictor, joints: np.ndarray, words: str) -> None:
    prediction = model.segment(joints)
    assert said(prediction, words), prediction.warnings
    json.dumps(prediction.to_json(), allow_nan=False)


def recording(**changes: object) -> KeypointRecording:
    plain = KeypointRecording("walk", RECORDING[None], layout=COCO_17, fps=25.0)
    return replace(plain, **changes)


def test_recordings_bring_their_frame_rate_and_persons(model: Predictor) -> None:
    prediction = model.segment(recording(person_ids=("ann",)))
    assert (prediction.fps, prediction.name) == (25.0, "walk") and prediction.warnings == ()
    assert [person.person for person in prediction.persons] == ["ann"]
    assert model.segment(recording(), fps=50).fps == 50
    twice = model.segment(recording(joints=np.stack([RECORDING] * 2), person_ids=("a", "a")))
    assert said(twice, "numbered") and len({person.person for person in twice.persons}) == 2


def test_joints_are_found_by_name(model: Predictor) -> None:
    expected = model.segment(recording()).segments
    order = np.random.default_rng(0).permutation(17)
    names = tuple(COCO_17.joints[place].replace(" ", "_") for place in order)
    shuffled = recording(joints=RECORDING[None][:, :, order], joint_names=names, layout=None)
    assert model.segment(shuffled).segments == expected
    twenty = np.concatenate([RECORDING[None], np.ones((1, len(RECORDING), 3, 2))], axis=2)
    assert model.segment(recording(joints=twenty, layout=COCO_20)).segments == expected
    unnamed = model.segment(recording(layout=None))
    assert unnamed.segments == expected and said(unnamed, "have no names")


def test_joints_are_found_by_names_that_mean_the_same() -> None:
    layout = SkeletonLayout("mine", ("pelvis", "torso", "left wrist"), ((1, 0), (2, 1)))
    wanted = InputFormat(replace(layout, joints=("hip center", "spine mid", "left wrist")), 2)
    joints = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    for given in (layout, None):
        recording = KeypointRecording("walk", joints, layout.joints, given)
        (read,) = read_recordings(recording, wanted)
        np.testing.assert_array_equal(read.joints[0, :, [0, 2]], joints[0, :, [0, 2]])


def test_joints_that_are_missing_count_as_not_seen(model: Predictor) -> None:
    kept = [n for n in range(17) if n not in (1, 2)]
    names = tuple(COCO_17.joints[place] for place in kept)
    lacking = recording(joints=RECORDING[None][:, :, kept], joint_names=names, layout=None)
    prediction = model.segment(lacking)
    assert said(prediction, "not seen: left eye, right eye")
    few = recording(joints=RECORDING[None][:, :, :6], joint_names=COCO_17.joints[:6], layout=None)
    with pytest.raises(DataError, match="lacks 11 of the 17 joints"):
        model.segment(few)
    with pytest.raises(DataError, match="has 6 joints without names"):
        model.segment(replace(few, joint_names=None))


@pytest.mark.parametrize("shape", [(0, 9, 17, 2), (1, 9, 0, 3), (2, 9, 4, 1), (1, 0, 17, 2)])
def test_recordings_of_nobody_need_no_joints(model: Predictor, shape: tuple[int, ...]) -> None:
    prediction = model.segment(recording(joints=np.full(shape, np.nan), layout=None))
    assert said(prediction, "nobody is seen") and prediction.frames == shape[1]
    assert prediction.persons == () == prediction.segments


def test_coordinates_are_those_of_the_training(model: Predictor) -> None:
    deep = np.concatenate([RECORDING[None], RECORDING[None][..., :1]], axis=-1)
    prediction = model.segment(recording(joints=deep))
    assert prediction.segments == model.segment(recording()).segments and said(prediction, "3D")
    with pytest.raises(DataError, match="1D"):
        model.segment(recording(joints=RECORDING[None][..., :1]))


def test_files_are_recordings(model: Predictor, archive: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", RECORDING)
    prediction = model.segment(tmp_path / "long.npy", fps=30)
    assert prediction.source == str(tmp_path / "long.npy") and prediction.name == "long"
    assert prediction.segments == model.segment(RECORDING, fps=30).segments
    with pytest.raises(DataError, match="holds 12 recordings"):
        model.segment(archive)


def test_clips_much_longer_than_those_of_the_training_are_named(model: Predictor) -> None:
    with pytest.warns(UserWarning, match=r"much longer than the training clips.*sample '0'"):
        model.predict(swinging(0, 0, frames=100))


def test_runs_of_flags() -> None:
    assert runs_of(np.array([1, 1, 0, 1, 0, 0, 1], dtype=bool)) == ((0, 2), (3, 4), (6, 7))
    assert runs_of(np.zeros(3, dtype=bool)) == () == runs_of(np.zeros(0, dtype=bool))


def test_the_rate_of_the_training_is_taken_where_none_is_known() -> None:
    joints = np.zeros((20, 17, 2), np.float32) + np.arange(17)[:, None]
    input_format = InputFormat(COCO_17, 2)
    (unknown,) = read_recordings(joints, input_format)
    assert unknown.fps is None
    (usual,) = read_recordings(joints, input_format, usual_fps=25.0)
    assert usual.fps == 25 and "the 25 of the training clips are taken" in usual.warnings[-1]
    (said,) = read_recordings(joints, input_format, fps=10, usual_fps=25.0)
    assert said.fps == 10 and not said.warnings
    deep = np.concatenate([joints, joints[..., :1]], axis=-1)
    (flat,) = read_recordings(deep, input_format)
    assert flat.joints.shape[-1] == 2 and "trained in 2D" in flat.warnings[0]


def test_a_person_whom_the_tracker_numbered_anew_is_one(model: Predictor) -> None:
    whole = model.segment(RECORDING, fps=30, threshold=0)
    parts = np.full((2, *RECORDING.shape), np.nan)
    parts[0, :50], parts[1, 50:] = RECORDING[:50], RECORDING[50:]
    recording = KeypointRecording("two numbers", parts, COCO_17.joints, person_ids=("7", "9"))
    joined = model.segment(recording, fps=30, threshold=0)
    assert said(joined, "7 = 9")
    assert [replace(s, person="1") for s in joined] == list(whole)
    assert {segment.person for segment in joined} == {"7"}
    assert [person.person for person in joined.persons] == ["7"]
