"""Which lines of the documents the tests do not run, and why."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

NOT_RUN: Mapping[str, str] = {
    "skeletonagent curve * --split xview_v12_v3_nodup *": "it takes a split of that set alone, and "
    "a base that a benchmark makes; the guide of bases trains with one",
    "skeletonagent data download *": "it fetches what publishers serve; a server of its own stands "
    "for them in tests/data/test_download.py",
    "skeletonagent convert-checkpoint *": "it takes a checkpoint of the authors, of hundreds of "
    "megabytes; tests/cli/test_checkpoints.py converts one that is made up",
    "skeletonagent evaluate runs/released*": "it follows the conversion of such a checkpoint",
    "skeletonagent export * --precision int8": "it exports the same run once more; "
    "tests/export/test_write.py exports in 8 bits",
    "skeletonagent train --from runs/released *": "it begins with such a checkpoint; "
    "tests/cli/test_checkpoints.py begins with one that is made up",
    "skeletonagent pose *": "it takes models from a package index, and videos of people; "
    "tests/cli/test_pose.py runs it on videos that are made up",
    "skeletonagent predict *.mp4 *": "it takes those models too; tests/cli/test_predict_video.py",
    "skeletonagent predict 0 *": "it takes a camera; tests/cli/test_predict_video.py has one of "
    "pictures that are made up",
    "skeletonagent data import rendered/*": "it takes keypoints that a benchmark finds in its own "
    "pictures of a data set; tests/benchmarks/test_mannequin.py draws two",
    "skeletonagent train --data skeletons/pose *": "it takes the archive of such keypoints",
    "skeletonagent train --data skeletons/sensor *": "it takes the archive beside it",
    "skeletonagent dialogues ping *": "it asks a language model; tests/cli/test_ping.py asks a "
    "server of its own",
    "skeletonagent predict * --cluster *": "it starts Ray; tests/cluster/test_ray.py starts it "
    "once",
    "skeletonagent data import * --cluster *": "it starts Ray, too",
    "skeletonagent ablate * --launcher *": "it starts jobs; tests/experiments/launchers does so",
    "skeletonagent push runs/* *": "it sends to the Hugging Face Hub; tests/hub has a stand-in",
    "skeletonagent pull *": "it fetches from there",
    "skeletonagent predict * --run models/mine/model.onnx": "it follows that",
    "skeletonagent page *": "it takes ONNX Runtime Web from npm's registry; "
    "tests/page/engine writes and opens the page in one file",
    "python -m benchmarks.page_engine *": "it takes that too",
    "python -m benchmarks.mannequin *": "it draws pictures of a data set; "
    "tests/benchmarks/test_mannequin.py draws two",
    "python -m benchmarks.page_pose *": "it takes that and the pose models",
    "skeletonagent serve *": "it runs until it is stopped; tests/server and tests/page serve",
    "torchrun --nnodes *": "it takes several machines",
    "torchrun --nproc-per-node *": "it is run by a test of its own, with two processes",
    "pip install *": "it installs, from a package registry",
    "export OPENAI_API_KEY=*": "it holds a key; a stand-in answers in place of every provider",
}
"""Patterns of lines, each with the reason; their options are checked all the same."""


def reason_not_to_run(line: str) -> str | None:
    """Return why a line is not run, or None if it is."""
    reasons = (why for pattern, why in NOT_RUN.items() if fnmatchcase(line, pattern))
    return next(reasons, None)
