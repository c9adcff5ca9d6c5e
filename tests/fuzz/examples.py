"""Small good files of every kind that is read from outside, which are then mutated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from tests.data.miniature import image_annotations, plain_pickle, write_ntu60, write_pickle
from tests.data.miniature_raw import write_ntu, write_uav
from tests.small_run import small_archive, small_run

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.archive import write_archive
from skeletonagent.data.keypoints.recorded import write_keypoints
from skeletonagent.experiments.config import Config, write_config

RNG = np.random.default_rng(5)
BODY = (RNG.uniform(100, 400, (1, 17, 2)) + RNG.normal(size=(6, 17, 2))).round(2)
FLAT = np.concatenate([BODY, np.full((6, 17, 1), 0.9)], axis=2).reshape(6, -1).tolist()
BVH = """HIERARCHY
ROOT hip
{
 OFFSET 0 0 0
 CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
 JOINT knee
 {
  OFFSET 0 -4 0
  CHANNELS 3 Zrotation Xrotation Yrotation
  End Site
  {
   OFFSET 0 -4 0
  }
 }
}
MOTION
Frames: 2
Frame Time: 0.0333
0 9 0 0 0 0 10 0 0
0 9 1 0 5 0 20 0 0
"""
LAYOUT = """joints: [hip, chest, left hand, right hand]
bones: [[chest, hip], [left hand, chest], [3, 1]]
center: hip
pairs: [[left hand, right hand]]
"""


ANSWERS = {
    "text": {"content": "A person walks forward."},
    "object": {"content": '{"sentence": "A person walks forward."}'},
    "call": {
        "tool_calls": [
            {"id": "c", "type": "function",
             "function": {"name": "Sentence", "arguments": '{"sentence": "A person walks."}'}}
        ]
    },
}  # fmt: skip
"""Messages of a language model."""


def completion(message: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a server of chat completions that has a message."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 5,
                                           "total_tokens": 14}}  # fmt: skip


def write_examples(folder: Path) -> dict[str, list[Path]]:
    """Write the files into a folder for each kind; return their paths by kind."""
    kinds = ("archive", "pickle", "skeleton", "layout", "keypoints", "text", "config", "answer")
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
    npz = write_archive(_data(), folder / "archive")
    with np.load(npz) as arrays:
        (folder / "archive" / "mapped").mkdir()
        for name in arrays.files:
            np.save(folder / "archive" / "mapped" / f"{name}.npy", arrays[name])
    (folder / "archive" / "mapped.json").write_bytes(npz.with_suffix(".json").read_bytes())
    write_ntu60(folder / "pickle" / "ntu.pkl", frames=4)
    write_pickle(folder / "pickle" / "own.pkl", plain_pickle(17, 2, has_confidence=True), 2)
    write_pickle(folder / "pickle" / "list.pickle", image_annotations(labels=(0, 1), frames=3))
    write_ntu(folder / "skeleton", actions=(1, 50), subjects=(1,), cameras=(1,), frames=14)
    write_uav(folder / "skeleton", actions=(1,), subjects=(1,), frames=3)
    (folder / "layout" / "own.yaml").write_text(LAYOUT)
    (folder / "text" / "names.txt").write_text("walk\nfall\nsit\n")
    (folder / "text" / "labels.csv").write_text("file,label,subject,start,end\na,sit,1,0,2.5\n")
    _write_keypoints(folder / "keypoints")
    write_config(Config(), folder / "config" / "own.yaml")
    for name, message in ANSWERS.items():
        (folder / "answer" / f"{name}.json").write_text(json.dumps(completion(message)))
    run = small_run(small_archive(folder / "of_runs" / "mine"), folder / "run" / "one")
    (run.path / "report.html").unlink(missing_ok=True)
    shutil.rmtree(run.path / "snapshots", ignore_errors=True)
    return {
        kind.name: sorted(
            path for path in kind.iterdir() if kind.name != "archive" or path.suffix != ".json"
        )
        for kind in folder.iterdir()
        if kind.name != "of_runs"
    }


def _data() -> SkeletonData:
    sequences = [
        SkeletonSequence(
            RNG.normal(size=(1 + n % 2, 4 + n, 17, 3)).astype(np.float32), n % 3, f"s{n}", n
        )
        for n in range(6)
    ]
    store = ClipStore.from_sequences(sequences, COCO_17, ("walk", "fall", "sit"), True)
    splits = {"one": Split(("s0", "s1", "s2"), ("s3", "s4")), "two": Split(("s5",), ("s0",))}
    return SkeletonData("small", "Small", store, splits, "one", fps=30)


def _write_keypoints(folder: Path) -> None:
    recording = KeypointRecording("r", BODY[None].astype(np.float32), layout=COCO_17, fps=25)
    write_keypoints(folder / "own.json", recording)
    write_keypoints(folder / "own.npz", recording)
    np.save(folder / "array.npy", BODY)
    np.savez(folder / "arrays.npz", keypoints=BODY, fps=30.0, names=np.array(COCO_17.joints))
    rows = "\n".join(",".join(map(str, frame.ravel())) for frame in BODY)
    head = ",".join(f"{joint}_{axis}" for joint in COCO_17.joints for axis in "xy")
    (folder / "table.csv").write_text(f"{head}\n{rows}\n")
    (folder / "move.bvh").write_text(BVH)
    cases = {
        "openpose_000000000001_keypoints.json": {
            "version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": FLAT[0]}],
        },
        "coco.json": {
            "images": [{"id": n, "file_name": f"v/{n}.jpg"} for n in range(6)],
            "annotations": [
                {"id": n, "image_id": n, "category_id": 1, "keypoints": FLAT[n]} for n in range(6)
            ],
            "categories": [{"id": 1, "name": "person", "keypoints": []}],
        },
        "alphapose.json": [
            {"image_id": f"{n}.jpg", "category_id": 1, "keypoints": FLAT[n], "score": 2, "idx": 1}
            for n in range(6)
        ],
        "mmpose.json": {
            "instance_info": [
                {"frame_id": n, "instances": [{"keypoints": BODY[n].tolist()}]} for n in range(6)
            ]
        },
        "mediapipe.json": [[{"x": 0.5, "y": 0.1 * v, "z": 0.1, "visibility": 0.9}
                            for v in range(33)]] * 3,
        "kinetics.json": {
            "data": [{"frame_index": 1, "skeleton": [{"pose": [0.5] * 36, "score": [0.5] * 18}]}],
            "label": "jump", "label_index": 3,
        },
    }  # fmt: skip
    for name, value in cases.items():
        (folder / name).write_text(json.dumps(value))
