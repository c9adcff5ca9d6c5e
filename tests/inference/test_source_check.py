"""Recordings of another source than the training clips are said in one line, others are not."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.data.random_bodies import SMALL_BODY
from tests.experiments.test_training_statistics import bodies, measured, turn

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.settings import DataSettings, Orientation, Scale
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.experiments.training_clips import TrainingClips
from skeletonagent.experiments.training_statistics import TrainingStatistics
from skeletonagent.inference.predictor import load_predictor
from skeletonagent.inference.segment_settings import entropy_limit
from skeletonagent.inference.source_check import SourceCheck, check_clips, novelty


def metadata_of(data: DataSettings | None = None, fps: float | None = 30.0) -> RecognizerMetadata:
    plain = DataSettings(scale=Scale.NONE, orientation=Orientation.CAMERA)
    return RecognizerMetadata(
        Config(data=data or plain), ("one",), SMALL_BODY, 3, 1, 4, InputFormat(SMALL_BODY, 3),
        TrainingClips(12, 12, 12, (), fps), TrainingStatistics.of(measured(bodies(60))),
    )  # fmt: skip


def sequences(clips: list[np.ndarray]) -> list[SkeletonSequence]:
    return [SkeletonSequence(clip, 0, f"clip{n}") for n, clip in enumerate(clips)]


NEW = bodies(10, first=100)


def test_clips_of_the_source_are_not_remarked_on() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        deviations = check_clips(sequences(NEW), metadata_of())
    assert deviations.shape == (10,) and 0 < deviations.max() < 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda clip: 1000 * clip, "coordinates (9..|1e.03) times as large"),
        (lambda clip: clip @ turn(0, 1.0).T, "tilted by .* degrees"),
        (lambda clip: clip[:, :, [1, 0, *range(2, 8)]], "other proportions, such as"),
        (lambda clip: clip * (np.arange(8) != 6)[:, None], "absent, such as left foot, 0% in"),
    ],
)
def test_what_differs_is_named_with_what_to_do(change, words: str) -> None:
    with pytest.warns(UserWarning, match=f"clip0.*{words}.*Train on keypoints of this source"):
        deviations = check_clips(
            sequences([change(clip).astype(np.float32) for clip in NEW]), metadata_of()
        )
    assert np.median(deviations) > 1


def test_what_preprocessing_takes_out_does_not_count() -> None:
    free = metadata_of(DataSettings(scale=Scale.BODY, orientation=Orientation.BODY))
    turned = [(1000 * clip @ turn(0, 1.0).T).astype(np.float32) for clip in NEW]
    assert SourceCheck(free).of_clips(sequences(turned)) is None
    assert SourceCheck(metadata_of()).of_clips(sequences(turned)) is not None


def test_a_rare_clip_among_many_is_no_other_source() -> None:
    many = sequences([*bodies(30, first=100), 1000 * NEW[0]])
    assert SourceCheck(metadata_of()).of_clips(many) is None
    assert SourceCheck(metadata_of()).of_clips(many[-1:]) is not None


def test_runs_without_statistics_and_nothing_to_look_at_say_nothing() -> None:
    old = replace(metadata_of(), statistics=None, training_clips=None)
    large = sequences([1000 * clip for clip in NEW])
    assert SourceCheck(old).of_clips(large) is None
    assert check_clips(large, old).tolist() == [0] * 10
    assert SourceCheck(metadata_of()).of_clips([]) is None
    nobody = np.full((1, 30, 8, 3), np.nan, np.float32)
    assert SourceCheck(metadata_of()).of_recording(nobody, 30.0) is None


def test_recordings_are_measured_in_pieces() -> None:
    check, long = SourceCheck(metadata_of()), np.concatenate(NEW, axis=1)
    assert check.of_recording(long, None) is None
    still = np.repeat(long[:, :1], 80, axis=1)
    assert check.of_recording(np.concatenate([long, still], axis=1), 30.0) is None
    assert "times as large" in str(check.of_recording(1000 * long, None))
    gap = long.copy()
    gap[:, 20:60] = np.nan
    assert check.of_recording(gap, 30.0) is None


def test_other_frame_rates_are_said() -> None:
    long = np.concatenate(NEW, axis=1)
    said = SourceCheck(metadata_of()).of_recording(np.repeat(long, 4, axis=1), 120.0)
    assert "120 frames a second, the training clips had 30" in str(said)
    assert SourceCheck(metadata_of(fps=None)).of_recording(long, 120.0) is None


def test_trimmed_clips_at_another_frame_rate_are_said() -> None:
    halved = [SkeletonSequence(clip[:, ::2], 0, f"clip{n}", fps=15.0) for n, clip in enumerate(NEW)]
    with pytest.warns(UserWarning, match="clip0.*: 15 frames a second, the training clips had 30"):
        deviations = check_clips(halved, metadata_of())
    assert deviations.max() < 1, "a rate alone makes no clip unknown"
    usual = [replace(clip, fps=25.0) for clip in sequences(NEW)]
    assert SourceCheck(metadata_of()).of_clips(usual) is None
    assert SourceCheck(metadata_of(fps=None)).of_clips(halved[:0]) is None
    said = SourceCheck(metadata_of()).of_rate(15.0)
    assert said and said.startswith("unlike the training clips: 15 frames a second, the training")
    assert SourceCheck(metadata_of()).of_rate(25.0) is SourceCheck(metadata_of()).of_rate(None)
    mixed = [*sequences(NEW), replace(sequences(NEW)[0], fps=15.0)]
    assert SourceCheck(metadata_of()).of_clips(mixed) is None


def test_rates_of_archives_and_of_callers_reach_the_check(run: Path) -> None:
    model = load_predictor(run, "cpu")
    metadata = model.models[0].metadata
    clips = metadata.training_clips
    assert clips is not None
    timed = replace(metadata, training_clips=replace(clips, fps=30.0))
    model = replace(model, models=(replace(model.models[0], metadata=timed),))
    clip = np.random.default_rng(0).normal(size=(20, 17, 2)).astype(np.float32)
    with pytest.warns(UserWarning, match="15 frames a second, the training clips had 30"):
        model.predict(clip, fps=15)


def test_novelty_is_in_units_of_the_limits() -> None:
    entropies = np.array([0.5, 0.25, 0.0, 0.5])
    found = novelty(entropies, np.array([0.0, 0.0, 2.0, 0.5]), limit=0.5)
    assert found.tolist() == pytest.approx([1, 0.5, 8.0, 1])
    worst = novelty(np.array([np.nan, 0.0]), np.array([0.0, 1e40]), limit=0.5)
    assert worst.tolist() == pytest.approx([1e6, 16.0])


def test_the_limit_is_what_most_clips_that_are_recognized_stay_below() -> None:
    probs = np.array(
        [[0.6, 0.4, 0.0]] * 19 + [[1 / 3 + 0.01, 1 / 3, 1 / 3 - 0.01], [0.0, 1.0, 0.0]]
    )
    held_out = ClassProbabilities(tuple(map(str, range(21))), np.zeros(21, dtype=np.int64), probs)
    entropies = np.array(
        [-0.6 * np.log(0.6) - 0.4 * np.log(0.4)] * 19 + [-(row := probs[19]) @ np.log(row)]
    )
    assert entropy_limit(held_out) == pytest.approx(np.quantile(entropies, 0.95))
    of_network = replace(held_out, network_entropies=np.linspace(1, 3, 21))
    assert entropy_limit(of_network) == pytest.approx(np.quantile(np.linspace(1, 2.9, 20), 0.95))
    sure = replace(held_out, probs=np.array([[1.0, 0.0, 0.0]] * 21))
    assert entropy_limit(sure) == pytest.approx(-0.9 * np.log(0.9) - 0.1 * np.log(0.1))
    assert entropy_limit(None) == pytest.approx(np.log(2))


def test_runs_keep_their_statistics_and_predictions_say_whether_they_know(run: Path) -> None:
    model = load_predictor(run, "cpu")
    statistics = model.models[0].metadata.statistics
    assert statistics is not None and statistics.samples == 6 and statistics.coordinates == 2
    clip = np.random.default_rng(0).normal(size=(20, 17, 2)).astype(np.float32)
    with pytest.warns(UserWarning, match="unlike the training clips"):
        out = model.predict(clip)
    assert not out[0].is_known and out[0].novelty == pytest.approx(float(out.novelty[0]))
    with pytest.warns(UserWarning, match="unlike the training clips"):
        assert len(model.predict([clip, clip])[:1].novelty) == 1
