"""Pictures become a recording: who was seen when, where, and how surely."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.pose.bodies import FakeScene, body
from tests.video.made import write_times

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import COCO_17, MEDIAPIPE_33
from skeletonagent.pose import estimate as module
from skeletonagent.pose.estimate import PoseOptions, recording_of_frames
from skeletonagent.pose.estimator import PoseEstimator
from skeletonagent.pose.fetch import PoseModelFiles
from skeletonagent.pose.videos import recording_of_video
from skeletonagent.video.reading import VideoFrame
from skeletonagent.video.writing import write_video


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Have estimates see a scene."""

    def see(scene: FakeScene) -> FakeScene:
        monkeypatch.setattr(
            module,
            "build_estimator",
            lambda options: PoseEstimator(scene, scene, options.max_persons),
        )
        return scene

    return see


def test_persons_are_where_and_when_they_were_seen(use) -> None:  # type: ignore[no-untyped-def]
    scene = use(FakeScene(lambda n: [100 + n] if n < 12 else [100 + n, 400]))
    images = [scene.picture(n) for n in range(36)]
    recording = recording_of_frames(images, 30, name="walk", source=Path("walk.mp4"))
    assert recording.joints.shape == (2, 36, 33, 2) and recording.layout == MEDIAPIPE_33
    assert (recording.fps, recording.image_size) == (30, (640, 480))
    assert (recording.name, recording.source) == ("walk", Path("walk.mp4"))
    assert recording.person_ids == ("1", "2")
    for n in range(36):
        np.testing.assert_allclose(recording.joints[0, n], body(100 + n).points)
    seen = recording.seen.all(axis=2)
    assert seen[0].all() and not seen[1, :12].any() and seen[1, 13:].all()
    assert recording.confidence is not None
    assert (recording.confidence[1, :12] == 0).all() and (recording.confidence[0] == 0.9).all()


def test_joints_are_smoothed_if_that_is_wanted(use) -> None:  # type: ignore[no-untyped-def]
    scene = use(FakeScene(lambda n: [300 + (-1) ** n]))
    pictures = [scene.picture(n) for n in range(12)]
    steps = {
        smooth: np.abs(np.diff(recording.joints[0], axis=0))[6:].mean()
        for smooth in (True, False)
        for recording in [recording_of_frames(pictures, 30, PoseOptions(smooth=smooth))]
    }
    assert steps[True] < 0.7 * steps[False]


def test_world_joints_are_in_metres(use) -> None:  # type: ignore[no-untyped-def]
    scene = use(FakeScene(lambda n: [300]))
    recording = recording_of_frames(
        [scene.picture(n) for n in range(9)], 30, PoseOptions(world=True)
    )
    assert recording.image_size is None
    np.testing.assert_allclose(recording.joints[0, 4], body(300).world)


def test_joints_of_little_confidence_are_absent(use) -> None:  # type: ignore[no-untyped-def]
    scene = use(FakeScene(lambda n: [300]))
    images = [scene.picture(n) for n in range(9)]
    assert np.isnan(recording_of_frames(images, 30, PoseOptions(min_confidence=0.95)).joints).all()


def test_somebody_for_a_moment_is_left_out_with_a_word(use) -> None:  # type: ignore[no-untyped-def]
    scene = use(FakeScene(lambda n: [100, 400] if 6 <= n < 9 else [100]))
    with pytest.warns(UserWarning, match=r"1 person\(s\) seen in fewer than 6 frames"):
        recording = recording_of_frames([scene.picture(n) for n in range(30)], 30)
    assert recording.person_ids == ("1",)


def test_nobody_is_said_and_is_one_body_never_there(use) -> None:  # type: ignore[no-untyped-def]
    scene = use(FakeScene(lambda n: []))
    with pytest.warns(UserWarning, match="nobody is found in 8 frame"):
        recording = recording_of_frames([scene.picture(n) for n in range(8)], 30)
    assert recording.joints.shape == (1, 8, 33, 2) and not recording.seen.any()
    assert recording.person_ids == ()


def test_a_single_picture_is_enough_and_none_is_not(use) -> None:  # type: ignore[no-untyped-def]
    scene = use(FakeScene(lambda n: [300]))
    assert recording_of_frames([VideoFrame(scene.picture(0), 0.0)], 30).seen.all()
    with pytest.raises(DataError, match="no picture"):
        recording_of_frames(iter([]), 30)


def test_a_variable_rate_becomes_constant(use, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    use(FakeScene(lambda n: [30]))
    write_times(tmp_path / "v.mp4", [0, 0.1, 0.2, 0.7, 0.8])
    recording = recording_of_video(tmp_path / "v.mp4", fps=10)
    assert (recording.num_frames, recording.fps, recording.name) == (9, 10, "v")
    assert recording.image_size == (64, 48)
    assert recording_of_video(tmp_path / "v.mp4", fps=10, max_frames=4).num_frames == 4
    with pytest.warns(UserWarning, match=r"the frame rate varies.* repeated .* left out"):
        recording_of_video(tmp_path / "v.mp4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_persons": 0, "min_confidence": 2}, "max_persons.*; min_confidence"),
        ({"smallest_person": 0}, "smallest_person"),
        ({"model": Path("m.onnx")}, "needs its layout"),
        ({"layout": COCO_17}, "give none"),
        ({"model": Path("m.onnx"), "layout": COCO_17, "world": True}, "2D alone"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PoseOptions(**options)


def test_models_that_were_not_fetched_are_asked_for(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", [np.zeros((64, 64, 3), np.uint8)], fps=10)
    with pytest.raises(ConfigError, match="skeletonagent pose fetch"):
        recording_of_video(tmp_path / "v.mp4")


def test_the_fetched_models_find_nobody_in_noise(fetched_models: PoseModelFiles) -> None:
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 255, (240, 320, 3), dtype=np.uint8) for _ in range(2)]
    with pytest.warns(UserWarning, match="nobody is found"):
        recording_of_frames(images, 10)


def test_the_fetched_landmarks_have_the_form_that_is_read(fetched_models: PoseModelFiles) -> None:
    from skeletonagent.pose.runtime import LiteModel

    shapes = [
        a.shape
        for a in LiteModel(fetched_models.landmarks).run(np.zeros((1, 256, 256, 3), np.float32))
    ]
    assert shapes == [(1, 195), (1, 1), (1, 256, 256, 1), (1, 64, 64, 39), (1, 117)]
    shapes = [
        a.shape
        for a in LiteModel(fetched_models.detector).run(np.zeros((1, 224, 224, 3), np.float32))
    ]
    assert shapes == [(1, 2254, 12), (1, 2254, 1)]
