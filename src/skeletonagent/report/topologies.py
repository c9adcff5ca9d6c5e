"""Learned graphs as plain values: after training, and after each feature snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.guidance import Guidance
from skeletonagent.report.serialize import pack_json, quantize
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.feature_snapshots import FeatureSnapshot, learned_graphs


def topologies(
    checkpoint: Checkpoint, guidance: Guidance, snapshots: Sequence[FeatureSnapshot]
) -> dict[str, Any] | None:
    """Return the learned graphs beside the salient joints (paper fig. 6); None without graphs.

    Args:
        checkpoint: Checkpoint of the recognizer.
        guidance: Guidance whose K is shown.
        snapshots: Feature snapshots, with the graphs of earlier epochs.
    """
    graphs = learned_graphs(
        checkpoint.tensors_under("ema") or checkpoint.tensors_under("recognizer")
    )
    if not graphs:
        return None
    over_epochs = [shot for shot in snapshots if shot.graphs.keys() == graphs.keys()]
    return {
        "epoch": checkpoint.epoch,
        "blocks": [
            {"name": f"block {number}", "graphs": quantize(graph, "int8")}
            for number, graph in enumerate(graphs.values(), start=1)
        ],
        "epochs": [shot.epoch for shot in over_epochs],
        "means": quantize(_means(over_epochs, list(graphs)), "int8") if over_epochs else None,
        "salient": pack_json(guidance.salient().numpy().astype(np.uint8)),
    }


def _means(shots: Sequence[FeatureSnapshot], names: Sequence[str]) -> Float[np.ndarray, "e b v v"]:
    """Return each block's graphs averaged, snapshot by snapshot."""
    return np.array([[shot.graphs[name].mean(axis=0) for name in names] for shot in shots])
