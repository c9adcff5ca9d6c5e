"""Figures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure

from skeletonagent.core.files import write_atomically


def save_confusions(
    counts: Mapping[str, Int[np.ndarray, "y y"]], class_names: Sequence[str], path: Path
) -> None:
    """Write confusion matrices side by side as a PNG; each row is a share of its class.

    Args:
        counts: Matrices by the title above them; ``[m, n]`` samples of ``m`` predicted as ``n``.
        class_names: Names in label order.
        path: File to write.
    """
    y = len(class_names)
    side = max(3.2, 0.27 * y)
    figure = Figure(figsize=(len(counts) * side + 2.2, side + 1.9), layout="constrained")
    axes = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
    for axis, (title, matrix) in zip(axes, counts.items(), strict=True):
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for m, n in np.argwhere((share >= 0.1) & ~np.eye(y, dtype=bool)):
            dark = share[m, n] > 0.55
            axis.text(n, m, f"{share[m, n]:.0%}"[:-1], ha="center", va="center", fontsize=6,
                      color="white" if dark else "black")  # fmt: skip
        axis.set_title(title, fontsize=11)
        axis.set_xticks(range(y), class_names, rotation=90, fontsize=8)
        axis.set_yticks(range(y), class_names, fontsize=8)
        axis.set_xlabel("predicted")
    axes[0].set_ylabel("true")
    figure.colorbar(image, ax=axes, shrink=0.7, label="share of the class")
    with write_atomically(path) as file:
        figure.savefig(file, format="png", dpi=130)
