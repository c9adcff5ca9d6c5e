"""Videos are read upright, with the times at which their pictures are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.video.made import CLOCKWISE, picture, turn, write_sound, write_times

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.video.camera import read_camera
from skeletonagent.video.reading import VideoFrame, describe_video, frames_at_rate, read_frames
from skeletonagent.video.writing import write_video

RED, GREY = (200, 0, 0), (120, 120, 120)


def test_pictures_and_times_are_those_that_were_written(tmp_path: Path) -> None:
    images = [picture(level) for level in (40, 120, 220)]
    assert write_video(tmp_path / "v.mp4", images, fps=25) == 3
    frames = list(read_frames(tmp_path / "v.mp4"))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.04, 0.08])
    for frame, image in zip(frames, images, strict=True):
        assert np.abs(frame.image.astype(int) - image).mean() < 4


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0.5, 0.533, 0.6, 1.1, 1.133]
    levels = write_times(tmp_path / "v.mp4", times)
    frames = list(read_frames(tmp_path / "v.mp4"))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.033, 0.1, 0.6, 0.633], abs=2e-3)
    assert [int(np.median(frame.image[-8:])) for frame in frames] == pytest.approx(levels, abs=3)


def test_a_picture_that_is_stored_lying_is_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "phone.mp4"
    write_video(path, [np.rot90(picture(120)).copy()], fps=25)  # stored anticlockwise
    turn(path, CLOCKWISE)
    (frame,) = read_frames(path)
    assert frame.image.shape == (48, 64, 3)
    assert frame.image[4, 32] == pytest.approx(RED, abs=12)
    assert frame.image[-4, 32] == pytest.approx(GREY, abs=12)
    info = describe_video(path)
    assert (info.width, info.height, info.fps, info.frames) == (64, 48, 25, 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.mp4", None, "there is no such file"),
        ("text.mp4", b"no video at all", "cannot be read as a video"),
        ("empty.mp4", b"", "cannot be read as a video"),
    ],
)
def test_what_is_no_video_is_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        next(read_frames(tmp_path / name))
    assert name in str(caught.value)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    write_sound(tmp_path / "sound.wav")
    with pytest.raises(DataError, match="no video stream"):
        next(read_frames(tmp_path / "sound.wav"))


def test_a_file_that_breaks_off_gives_what_is_there_and_a_word(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (96, 128, 3), dtype=np.uint8) for _ in range(30)]
    write_video(tmp_path / "whole.mp4", images, fps=25)
    content = bytearray((tmp_path / "whole.mp4").read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    (tmp_path / "torn.mp4").write_bytes(content)
    with pytest.warns(UserWarning, match="damaged"):
        frames = list(read_frames(tmp_path / "torn.mp4"))
    assert 0 < len(frames) < 30


def shown(times: list[float], fps: float) -> list[tuple[int, float]]:
    frames = [VideoFrame(np.full((1, 1, 3), n, np.uint8), time) for n, time in enumerate(times)]
    return [(int(f.image[0, 0, 0]), round(f.time, 6)) for f in frames_at_rate(frames, fps)]


def test_frames_of_that_very_rate_pass_as_they_are() -> None:
    rounded = [round(n / 30, 2) for n in range(20)]
    assert shown(rounded, 30) == [(n, round(n / 30, 6)) for n in range(20)]


def test_what_lasts_is_repeated_and_what_is_too_quick_is_left_out() -> None:
    assert shown([0, 0.1, 0.4, 0.5], 10) == [
        (0, 0), (1, 0.1), (1, 0.2), (1, 0.3), (2, 0.4), (3, 0.5),
    ]  # fmt: skip
    assert shown([0, 0.01, 0.1, 0.11, 0.2], 10) == [(1, 0), (3, 0.1), (4, 0.2)]
    assert shown([0.0], 10) == [(0, 0)]
    assert shown([], 10) == []


def test_no_rate_is_refused() -> None:
    with pytest.raises(ConfigError, match="positive"):
        next(frames_at_rate([], 0))


def test_a_camera_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match=r"camera"):
        next(read_camera(97, seconds=1))
