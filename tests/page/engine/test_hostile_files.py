"""Files that are no recordings: each is refused in one sentence, and none is guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .conftest import BrowserUser

JOINTS = [[0.0, 1.0, 2.0]] * 20

REFUSED = {
    "empty.json": "",
    "text.json": "no JSON",
    "nan.json": '{"frames": [[[[NaN, 1, 2]]]]}',
    "null.json": "null",
    "number.json": "3",
    "nothing.json": "{}",
    "both.json": json.dumps({"frames": [], "keypoints": []}),
    "ragged.json": json.dumps({"frames": [[JOINTS], [JOINTS[:5]]]}),
    "widths.json": json.dumps({"frames": [[[[1, 2], [1, 2, 3]]]]}),
    "five.json": json.dumps({"frames": [[[[1, 2, 3, 4, 5]] * 20]]}),
    "huge.json": '{"frames": [[' + json.dumps([[1e39, 0, 0]] * 20).replace("e+39", "e999") + "]]}",
    "words.json": json.dumps({"frames": "many"}),
    "numbers.json": json.dumps({"frames": [3, 4]}),
    "deep.json": "[" * 5000 + "]" * 5000,
    "layout.json": json.dumps({"frames": [[JOINTS]], "layout": "no such"}),
    "rate.json": json.dumps({"frames": [[JOINTS]], "fps": -3}),
    "own.json": json.dumps({"schema": "skeletonagent.keypoints/1", "shape": [1, 1, 20, 3],
                            "joints": [1], "confidence": None}),
    "own2.json": json.dumps({"schema": "skeletonagent.keypoints/1"}),
    "empty.csv": "",
    "head.csv": "a,b,c\n",
    "plain.csv": "a,b,c,d\n1,2,3,4\n",
    "word.csv": "frame,head_x,head_y\n0,1,two\n",
    "short.csv": "frame,head_x,head_y\n0,1\n",
    "twice.csv": "frame,person,head_x,head_y\n0,a,1,2\n0,a,3,4\n",
    "who.csv": "frame,head_x,head_y\n0,1,2\n0,3,4\n",
    "long.csv": "joint,x,y\nhead,1,2\n",
    "again.csv": "frame,joint,x,y\n0,head,1,2\n0,head,1,3\n",
    "array.npy": "no array",
    "clip.mat": "MATLAB 5.0",
}  # fmt: skip


@pytest.fixture(scope="module")
def user(deep_file: Path, in_browser: Callable[[Path], BrowserUser]) -> BrowserUser:
    return in_browser(deep_file)


def test_what_is_no_recording_is_refused_in_one_sentence(user: BrowserUser, tmp_path: Path) -> None:
    for number, array in enumerate(
        (np.zeros(3), np.zeros((4, 7, 3)), np.zeros((4, 20, 3), np.complex64),
         np.full((4, 20, 3), np.inf), np.asfortranarray(np.zeros((4, 20, 3))))
    ):  # fmt: skip
        np.save(tmp_path / f"array{number}.npy", array)
    for name, text in REFUSED.items():
        (tmp_path / name).write_bytes(text.encode())
    (tmp_path / "latin.csv").write_bytes(b"frame,h\xe9_x\n0,1\n")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(Exception, match="RecognizerError") as refused:
            user.predict_file(path)
        sentence = str(refused.value).partition("RecognizerError: ")[2].splitlines()[0]
        assert 10 < len(sentence) < 400 and "undefined" not in sentence, (path.name, sentence)


def test_a_recording_of_nobody_is_no_mistake(user: BrowserUser) -> None:
    for frames in ([[]] * 40, [[None]] * 40, [[[None] * 20]] * 40):
        found = user.predict({"frames": frames, "fps": 15})
        assert found["segments"] == [] and "nobody is seen in it" in found["warnings"]
        assert found["frames"] == 40
