"""Measures of clips: equal to a literal reading, in any company, and as a still body has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.data.random_bodies import SMALL_BODY, random_bodies

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.measured_joints import bone_ends
from skeletonagent.data.clip_measures import measure_clips, measure_some


def store_of(*clips: np.ndarray) -> ClipStore:
    sequences = [SkeletonSequence(clip, 0, f"clip{n}") for n, clip in enumerate(clips)]
    return ClipStore.from_sequences(sequences, SMALL_BODY, ("one",))


def clips(count: int = 5, absent: float = 0.2) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    made = []
    for n in range(count):
        joints = random_bodies(n, 1 + n % 2, frames=9 + n)
        made.append(joints * (rng.random(joints.shape[:3]) >= absent)[..., None])
    return made


def literal(clip: np.ndarray) -> dict[str, float]:
    """Return measures of one clip, body by body and joint by joint."""
    present = clip.any(axis=-1)
    child, parent = bone_ends(SMALL_BODY)
    bones = []
    for a, b in zip(child, parent, strict=True):
        of_bodies = []
        for body, there in zip(clip, present, strict=True):
            both = there[:, a] & there[:, b]
            if both.any():
                of_bodies.append(np.linalg.norm(body[both, a] - body[both, b], axis=-1).mean())
        bones.append(np.mean(of_bodies))
    ways = []
    for joint in range(clip.shape[2]):
        of_bodies = []
        for body, there in zip(clip, present, strict=True):
            both = there[1:, joint] & there[:-1, joint]
            steps = np.linalg.norm(np.diff(body[:, joint], axis=0), axis=-1)[both]
            if len(steps):
                of_bodies.append(steps.mean())
        if of_bodies:
            ways.append(np.mean(of_bodies))
    frames = present.any(axis=2).sum()
    size = float(np.mean(bones))
    return {
        "size": size,
        "first bone": float(np.log(bones[0] / size)),
        "speed": float(np.mean(ways)) / size,
        "absent": 1 - present.sum() / (frames * clip.shape[2]),
    }


def test_measures_are_those_of_a_literal_reading() -> None:
    made = clips()
    measures = measure_clips(store_of(*made))
    for n, clip in enumerate(made):
        wanted = literal(clip)
        assert measures.size[n] == pytest.approx(wanted["size"])
        assert measures.bones[n, 0] == pytest.approx(wanted["first bone"])
        assert measures.speed[n] == pytest.approx(wanted["speed"])
        assert measures.absent[n] == pytest.approx(wanted["absent"])


def test_measures_of_a_clip_do_not_depend_on_the_others() -> None:
    made = clips()
    together = measure_clips(store_of(*made))
    for n, clip in enumerate(made):
        alone = measure_clips(store_of(clip))
        for name in ("size", "bones", "speed", "roughness", "absent", "seen", "up", "left"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[n])
    kept = together.of_samples(["clip3", "nobody", "clip1"])
    assert kept.sample_ids == ("clip3", "clip1") and kept.size[0] == together.size[3]


def test_even_movement_is_smooth_and_stillness_has_no_speed() -> None:
    body = random_bodies(0, 1, frames=1)
    even = body + 0.1 * np.arange(8)[None, :, None, None]
    still = np.repeat(body, 8, axis=1)
    measures = measure_clips(store_of(even.astype(np.float32), still.astype(np.float32)))
    assert measures.roughness[0] == pytest.approx(0, abs=1e-5)
    step = 0.1 * np.sqrt(3) / measures.size[0]
    assert measures.speed.tolist() == pytest.approx([step, 0], abs=1e-5)
    assert np.isnan(measures.roughness[1])


def test_size_speed_and_bones_follow_the_scale_and_nobody_is_unknown() -> None:
    clip, nobody = clips(1)[0], np.zeros((1, 4, SMALL_BODY.num_joints, 3), np.float32)
    measures = measure_clips(store_of(clip, clip * 1000, nobody))
    assert measures.size[1] == pytest.approx(1000 * measures.size[0])
    np.testing.assert_allclose(measures.bones[1], measures.bones[0], atol=1e-5)
    assert measures.speed[1] == pytest.approx(measures.speed[0])
    for name in ("size", "speed", "roughness", "absent", "up", "left"):
        assert np.isnan(getattr(measures, name)[2]).all()


def test_a_picture_of_clips_is_measured_in_the_plane() -> None:
    store = store_of(*clips())
    flat = replace(store, frames=store.frames[..., :2])
    plane = measure_clips(store, coordinates=2)
    np.testing.assert_array_equal(plane.bones, measure_clips(flat).bones)
    assert plane.up.shape == (5, 2)


def test_of_many_clips_some_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skeletonagent.data.clip_measures.MOST_MEASURED", 3)
    store = store_of(*clips(6))
    assert measure_some(store).sample_ids == ("clip0", "clip2", "clip4")
    np.testing.assert_array_equal(
        measure_some(store).size, measure_clips(store.subset(torch.tensor([0, 2, 4]))).size
    )
