from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from skeletonagent.core.guidance import Guidance
from skeletonagent.core.layout import KINECT_20
from skeletonagent.report.runs import read_runs
from skeletonagent.report.topologies import topologies
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.feature_snapshots import read_snapshots

from .test_serialize import unpacked


def test_graphs_stand_beside_k(runs: Path) -> None:
    (run,) = read_runs([runs / "guided"])
    checkpoint = run.checkpoint()
    assert checkpoint is not None
    guidance = Guidance.from_json(checkpoint.metadata["guidance"], KINECT_20)
    found = topologies(checkpoint, guidance, read_snapshots(run.directory.path))
    assert found is not None
    assert [block["name"] for block in found["blocks"]] == [f"block {n}" for n in range(1, 11)]
    assert (unpacked(found["salient"]) == guidance.salient().numpy()).all()
    last = checkpoint.tensors["recognizer.backbone.blocks.9.graph.graphs"].numpy()
    np.testing.assert_allclose(unpacked(found["blocks"][9]["graphs"]), last, atol=0.005)
    assert found["epochs"] == [2, 4]
    means = unpacked(found["means"])
    np.testing.assert_allclose(means[1, 9], last.mean(axis=0), atol=0.005)


def test_without_graphs_there_is_nothing_to_show() -> None:
    checkpoint = Checkpoint(1, {"recognizer.weight": torch.zeros(2)}, {})
    assert topologies(checkpoint, Guidance(KINECT_20, ()), []) is None
