"""Input features against loops over bodies, frames and joints."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout
from skeletonagent.models.inputs import MAX_DISTANCES, InputFeatures, distance_targets
from skeletonagent.models.settings import InputFeature

FORK = SkeletonLayout(
    "fork", ("middle", "one end", "other end", "tip"), ((1, 0), (2, 0), (3, 2)), center=0
)
PARENTS = (0, 0, 0, 2)


def chain(joints: int) -> SkeletonLayout:
    """Return a skeleton of one limb."""
    names = tuple(f"joint {i}" for i in range(joints))
    return SkeletonLayout("chain", names, tuple((i, i - 1) for i in range(1, joints)), center=0)


def star(joints: int) -> SkeletonLayout:
    """Return a skeleton of many ends and one middle."""
    names = tuple(f"joint {i}" for i in range(joints))
    return SkeletonLayout("star", names, tuple((i, 0) for i in range(1, joints)), center=0)


def gappy_clips(persons: int, frames: int, channels: int = 3, seed: int = 0) -> Tensor:
    """Return two clips in which joints and a body are absent, and single coordinates are zero."""
    generator = torch.Generator().manual_seed(seed)
    clips = torch.randn(2, persons, frames, 4, channels, generator=generator)
    clips[torch.rand(clips.shape[:-1], generator=generator) < 0.3] = 0
    clips[..., 0][torch.rand(clips.shape[:-1], generator=generator) < 0.2] = 0
    clips[1, -1] = 0
    return clips


def there(joint: Tensor) -> bool:
    return any(value != 0 for value in joint.tolist())


def distance(one: Tensor, other: Tensor) -> float:
    """Return the distance of two joints, zero where one is absent."""
    both = there(one) and there(other)
    squares = [(a - b) ** 2 for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    return sum(squares) ** 0.5 if both else 0.0


def literal(name: InputFeature, clips: Tensor) -> Tensor:
    """Return a feature of clips of the fork, joint by joint."""
    n, m, t, v, c = clips.shape
    partner = name is InputFeature.PARTNER
    size = v if name is InputFeature.DISTANCE or (partner and m > 1) else 0 if partner else c
    feature = torch.zeros(n, m, t, v, size)
    for i, body, frame, joint in itertools.product(*map(range, (n, m, t, v))):
        here = clips[i, body, frame, joint]
        other = (body + 1) % m if partner else body
        to = feature[i, body, frame, joint]
        if name is InputFeature.POSITION:
            to.copy_(here)
        elif name in (InputFeature.DISTANCE, InputFeature.PARTNER):
            for k in range(size):
                to[k] = distance(here, clips[i, other, frame, k])
        elif ends := ends_of(name, frame, joint, t):
            (early, first), (late, last) = ends
            start, end = clips[i, body, early, first], clips[i, body, late, last]
            if there(start) and there(end):
                to.copy_(end - start)
    return feature


def ends_of(
    name: InputFeature, frame: int, joint: int, frames: int
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return frame and joint of both ends of a difference, None beyond the clip's ends."""
    if name is InputFeature.BONE:
        return (frame, PARENTS[joint]), (frame, joint)
    before, after = (0, 1) if name is InputFeature.MOTION else (2, 2)
    if frame < before or frame + after >= frames:
        return None
    return (frame - before, joint), (frame + after, joint)


@pytest.mark.parametrize("persons", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 4, 5, 7])
@pytest.mark.parametrize("name", InputFeature)
def test_feature_equals_a_loop_over_joints(name: InputFeature, frames: int, persons: int) -> None:
    clips = gappy_clips(persons, frames)
    before = clips.clone()
    features = InputFeatures(FORK, 3, persons, [name])
    (feature,) = features(clips)
    assert feature.shape[-1] == features.channels[0]
    torch.testing.assert_close(feature, literal(name, clips), rtol=1e-5, atol=2e-6)
    assert torch.equal(clips, before)


def test_features_keep_the_order_asked_for() -> None:
    names = [InputFeature.DISTANCE, InputFeature.POSITION, InputFeature.BONE]
    clips = gappy_clips(2, 5, channels=2)
    features = InputFeatures(FORK, 2, 2, names)
    assert features.channels == (4, 2, 2)
    for name, feature in zip(names, features(clips), strict=True):
        torch.testing.assert_close(feature, literal(name, clips), rtol=1e-5, atol=2e-6)


def test_a_single_person_has_no_partner() -> None:
    features = InputFeatures(FORK, 3, 1, [InputFeature.POSITION, InputFeature.PARTNER])
    assert features.channels == (3, 0)
    clips = gappy_clips(1, 3)
    position, partner = features(clips)
    assert torch.equal(position, clips)
    assert partner.shape == (2, 1, 3, 4, 0)


def test_joints_at_one_place_have_a_distance_that_is_not_absent() -> None:
    clips = torch.ones(1, 1, 1, 4, 3)
    clips[0, 0, 0, 3] = 0
    (distances,) = InputFeatures(FORK, 3, 1, [InputFeature.DISTANCE])(clips)
    assert distances[..., :3, :3].gt(0).all()
    assert distances.max() < 1e-5
    assert not distances[..., 3, :].any()
    assert not distances[..., :, 3].any()


def test_gradients_of_distances_are_finite_where_joints_meet() -> None:
    clips = gappy_clips(2, 6).requires_grad_()
    for feature in InputFeatures(FORK, 3, 2, list(InputFeature))(clips):
        (gradient,) = torch.autograd.grad(feature.sum(), clips, retain_graph=True)
        assert gradient.isfinite().all()
        assert gradient.any()


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (COCO_17, tuple(range(17))),
        (chain(MAX_DISTANCES), tuple(range(MAX_DISTANCES))),
        (chain(MAX_DISTANCES + 1), (MAX_DISTANCES,)),
        (star(MAX_DISTANCES + 1), tuple(range(1, MAX_DISTANCES + 1))),
        (star(2 * MAX_DISTANCES + 2), tuple(range(1, 2 * MAX_DISTANCES + 2, 3))),
    ],
    ids=lambda value: value.name + str(value.num_joints) if hasattr(value, "name") else "",
)
def test_distances_are_to_all_joints_or_to_the_ends(
    layout: SkeletonLayout, expected: tuple[int, ...]
) -> None:
    assert distance_targets(layout) == expected


def test_a_body_of_25_joints_is_measured_to_all_of_them() -> None:
    assert distance_targets(KINECT_25) == tuple(range(25))
    clips = torch.randn(1, 2, 3, 25, 3, generator=torch.Generator().manual_seed(0))
    features = InputFeatures(KINECT_25, 3, 2, [InputFeature.DISTANCE, InputFeature.PARTNER])
    own, partners = features(clips)
    assert features.channels == (25, 25)
    for place, joint in enumerate(distance_targets(KINECT_25)):
        mine = (clips - clips[..., joint, None, :]).norm(dim=-1).clamp(min=1e-6)
        theirs = (clips - clips.flip(1)[..., joint, None, :]).norm(dim=-1)
        torch.testing.assert_close(own[..., place], mine)
        torch.testing.assert_close(partners[..., place], theirs)
