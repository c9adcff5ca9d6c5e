"""Bodies of pairs, each by itself: their place, heading and order make no difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.small_run import samples, small_archive, small_run

import skeletonagent as sa
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import COCO_17
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.experiments.bodies_alone import bodies_alone
from skeletonagent.experiments.fine_tuning import PACKAGED_BASE, read_source
from skeletonagent.inference.predictor import load_predictor

CENTER = 2


@pytest.fixture
def clips() -> torch.Tensor:
    return torch.randn(5, 2, 6, 4, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def encoder() -> BaseEncoder:
    pairs = ClipStore.from_sequences(samples(channels=3), COCO_17, ("wave", "jump", "squat"))
    return BaseEncoder.of_base(read_source(PACKAGED_BASE), Preprocessor()(pairs))


def test_each_body_begins_at_the_origin_and_faces_the_other(clips: torch.Tensor) -> None:
    """Worked out body by body, with angles."""
    clips[0, 0, :2] = 0  # the first two frames
    clips[1, 1, 3, 1] = 0  # a joint in a frame
    alone = bodies_alone(clips, CENTER)
    for clip in range(5):
        seen = [[t for t in range(6) if clips[clip, m, t, CENTER].any()] for m in range(2)]
        both = [t for t in seen[0] if t in seen[1]]
        for body in range(2):
            own, other = clips[clip, body], clips[clip, 1 - body]
            x, _, z = (other - own)[both, CENTER].mean(dim=0).tolist()
            angle = -np.arctan2(x, z)
            turn = torch.tensor(
                [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]],
                dtype=torch.float32,
            )
            wanted = (own - own[seen[body][0], CENTER]) @ turn.T
            wanted[~own.any(dim=-1)] = 0
            torch.testing.assert_close(alone[clip, body], wanted)


def test_a_body_alone_keeps_its_heading(clips: torch.Tensor) -> None:
    clips[:, 1] = 0
    alone = bodies_alone(clips, CENTER)
    torch.testing.assert_close(alone[:, 0], clips[:, 0] - clips[:, 0, :1, CENTER : CENTER + 1])
    assert not alone[:, 1].any()


def test_features_of_a_pair_are_the_sum_of_its_bodies(encoder: BaseEncoder) -> None:
    clips = torch.randn(3, 2, 16, encoder.metadata.layout.num_joints, 3)
    clips[2, 1] = 0
    found = encoder(clips, torch.tensor([0, 1, 2, 3, 4]))
    alone = bodies_alone(clips, encoder.metadata.layout.center)
    single = replace(encoder, pairs=False)
    first, second = (single(alone[:, [body]]) for body in range(2))
    second[2] = 0
    torch.testing.assert_close(found, first + second, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(encoder(clips[:2].flip(1)), found[:2], rtol=1e-4, atol=1e-4)
    again = BaseEncoder.from_tensors(encoder.to_tensors(), encoder.to_text())
    torch.testing.assert_close(again(clips[:2]), found[:2], rtol=1e-2, atol=1e-2)


def test_runs_and_exported_files_have_the_base_of_pairs(tmp_path: Path) -> None:
    archive = small_archive(tmp_path / "pairs", samples(channels=3))
    run = small_run(
        archive, tmp_path / "run", kernel_ridge__weight=1.0, agents__chat="none",
        model__backbone="tiny-gcn", model__width=4,
    )  # fmt: skip
    assert run.summary is not None and run.summary["base"] == "base"
    theirs = load_predictor(run.path, "cpu")
    theirs.export(tmp_path / "model.onnx")
    store = sa.open_dataset(archive).store
    given = [store.sequence(n).joints for n in range(12)]
    found = sa.load(tmp_path / "model.onnx").predict(given).probs
    np.testing.assert_allclose(found, theirs.predict(given).probs, atol=1e-4)
