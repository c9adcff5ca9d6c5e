"""The alignment loss gives what the authors' code gave, from the targets and scale it used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skeletonagent.training.objective import alignment_loss


def test_alignment_equals_the_released_code(shared: Path) -> None:
    """The released targets are a softmax of ten times the mask; its scale is a factor."""
    path = shared / "reference" / "golden" / "losses.npz"
    if not path.is_file():
        pytest.skip(f"no reference results at {path}")
    with np.load(path) as file:
        golden = {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}

    labels = golden["labels"]
    same = (labels[:, None] == labels).float()
    cosine = F.normalize(golden["skeleton"]) @ F.normalize(golden["text_table"])[labels].T
    loss = alignment_loss(cosine * golden["logit_scale"], (10 * same).softmax(dim=1))

    both = golden["released_skeleton_to_text"], golden["released_text_to_skeleton"]
    torch.testing.assert_close(loss, sum(both) / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(loss, golden["released_align"], atol=1e-5, rtol=0)
    assert (both[0] - both[1]).abs() > 1e-4  # or one direction taken twice would pass
