"""Bodies of several, each by itself: place, heading and order make no difference."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.small_run import samples, small_archive, small_run, swinging

import skeletonagent as sa
from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import COCO_17
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.experiments.base_sources import samples_of_bodies_alone
from skeletonagent.experiments.fine_tuning import PACKAGED_BASE, read_source
from skeletonagent.inference.predictor import load_predictor
from skeletonagent.models.bodies_alone import bodies_alone

CENTER = 2


@pytest.fixture
def clips() -> torch.Tensor:
    return torch.randn(5, 2, 6, 4, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module", params=["two in 3D", "two in 2D", "three in 3D"])
def encoder(request: pytest.FixtureRequest) -> BaseEncoder:
    persons, channels = {"two": 2, "three": 3}[request.param.split()[0]], int(request.param[-2])
    several = [
        SkeletonSequence(swinging(n % 2, n, 20, persons, channels=channels), n % 2, f"clip{n}")
        for n in range(4)
    ]
    store = ClipStore.from_sequences(several, COCO_17, ("wave", "jump"))
    return BaseEncoder.of_base(read_source(PACKAGED_BASE), Preprocessor()(store))


@pytest.mark.parametrize("persons", [2, 3])
def test_each_body_begins_at_the_origin_and_faces_the_others(persons: int) -> None:
    """Worked out body by body, with angles."""
    clips = torch.randn(5, persons, 6, 4, 3, generator=torch.Generator().manual_seed(0))
    clips[0, 0, :2] = 0  # the first two frames
    clips[1, 1, 3, 1] = 0  # a joint in a frame
    alone = bodies_alone(clips, CENTER)
    for clip in range(5):
        for body in range(persons):
            x, _, z = to_the_others(clips[clip], body).tolist()
            angle = -np.arctan2(x, z)
            turn = torch.tensor(
                [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]],
                dtype=torch.float32,
            )
            own = clips[clip, body]
            first = next(frame for frame in own if frame[CENTER].any())
            wanted = (own - first[CENTER]) @ turn.T
            wanted[~own.any(dim=-1)] = 0
            torch.testing.assert_close(alone[clip, body], wanted, rtol=1e-4, atol=1e-5)


def to_the_others(bodies: torch.Tensor, body: int) -> torch.Tensor:
    """Return the sum of the ways from a body to each other, in the frames in which both are."""
    ways = [
        bodies[other, frame, CENTER] - bodies[body, frame, CENTER]
        for other in range(len(bodies))
        for frame in range(bodies.shape[1])
        if bodies[other, frame, CENTER].any() and bodies[body, frame, CENTER].any()
    ]
    return torch.stack(ways).sum(dim=0)


def test_in_pictures_the_others_are_to_the_right(clips: torch.Tensor) -> None:
    pictures = clips[..., :2].clone()
    pictures[0, 0, :2] = 0
    pictures[1, 1, 3, 1] = 0
    alone = bodies_alone(pictures, CENTER)
    signs = set()
    for clip in range(5):
        for body in range(2):
            own = pictures[clip, body]
            sign = 1.0 if to_the_others(pictures[clip], body)[0] > 0 else -1.0
            signs.add(sign)
            first = next(frame for frame in own if frame[CENTER].any())
            wanted = (own - first[CENTER]) * torch.tensor([sign, 1.0])
            wanted[~own.any(dim=-1)] = 0
            torch.testing.assert_close(alone[clip, body], wanted)
    assert len(signs) == 2


@pytest.mark.parametrize("channels", [2, 3])
def test_a_body_alone_keeps_its_heading(clips: torch.Tensor, channels: int) -> None:
    clips = clips[..., :channels].clone()
    clips[:, 1] = 0
    alone = bodies_alone(clips, CENTER)
    torch.testing.assert_close(alone[:, 0], clips[:, 0] - clips[:, 0, :1, CENTER : CENTER + 1])
    assert not alone[:, 1].any()


@pytest.mark.parametrize("channels", [2, 3])
def test_bodies_of_samples_are_those_of_clips(channels: int) -> None:
    store = Preprocessor()(
        ClipStore.from_sequences(samples(channels=channels), COCO_17, ("wave", "jump", "squat"))
    )
    alone = samples_of_bodies_alone(store)
    several = 0
    for sample in range(len(store)):
        given, found = store.sequence(sample).joints, alone.sequence(sample).joints
        wanted = torch.from_numpy(given)
        if len(given) > 1:
            several += 1
            wanted = bodies_alone(wanted[None], store.layout.center)[0]
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert 0 < several < len(store)
    single = ClipStore.from_sequences(samples(2, channels=channels), COCO_17, ("wave", "jump"))
    assert samples_of_bodies_alone(single) is single


def test_features_of_several_are_the_sum_of_their_bodies(encoder: BaseEncoder) -> None:
    persons, channels = encoder.metadata.persons, encoder.metadata.channels
    clips = torch.randn(3, persons, 16, encoder.metadata.layout.num_joints, channels)
    clips[2, 1:] = 0
    there = torch.arange(2 * persons + 1)
    found = encoder(clips, there)
    alone = bodies_alone(encoder.as_in_base(clips), encoder.metadata.layout.center)
    single = copy.deepcopy(encoder.recognizer)
    single.center_alone = None
    wanted = [single.features(alone[:, [body]]).detach() for body in range(persons)]
    for body in wanted[1:]:
        body[2] = 0
    torch.testing.assert_close(found, sum(wanted), rtol=1e-4, atol=1e-4)
    unfused = encoder.recognizer.features(encoder.as_in_base(clips), there)
    torch.testing.assert_close(found, unfused.detach(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(encoder(clips[:2].flip(1)), found[:2], rtol=1e-4, atol=1e-4)
    again = BaseEncoder.from_tensors(encoder.to_tensors(), encoder.to_text())
    torch.testing.assert_close(again(clips[:2]), found[:2], rtol=1e-2, atol=1e-2)


def test_what_former_versions_wrote_of_pairs_is_read(encoder: BaseEncoder) -> None:
    written = json.loads(encoder.to_text())
    written["persons"] = 1
    for former, bodies in (
        ({"pairs": True}, 2), ({"pairs": False}, 1), ({"max_persons": 3}, 3),
    ):  # fmt: skip
        text = json.dumps({**written, **former})
        assert BaseEncoder.from_tensors(encoder.to_tensors(), text).metadata.persons == bodies


@pytest.mark.parametrize("channels", [2, 3])
def test_runs_and_exported_files_have_the_base_of_pairs(tmp_path: Path, channels: int) -> None:
    archive = small_archive(tmp_path / "pairs", samples(channels=channels))
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
