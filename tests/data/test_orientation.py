"""Orientation of bodies: a literal loop, invariances, pairs, absent joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.random_bodies import SMALL_BODY, STANDING, body_store, random_bodies, turn

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import KINECT_20, SkeletonLayout
from skeletonagent.data.orientation import OrientationAxes, body_axes, rotate
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import Orientation, OrientationPer, Origin, Scale
from skeletonagent.data.stored_bodies import body_chunks

SEEDS = st.integers(0, 9999)
TURNED = (Orientation.HEADING, Orientation.BODY)
UPPER, LOWER, TRUNK = (1, 2, 3), (4, 6, 5, 7), ((2, 3), (4, 5))


def unit(vector: np.ndarray) -> np.ndarray | None:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-9 else None


def literal_center(body: np.ndarray) -> list[np.ndarray | None]:
    """Return the place of a body (T, V, 3) in each frame, None where it is not seen."""
    if (body[:, 0] != 0).any():
        return [frame[0] if frame[0].any() else None for frame in body]
    places: list[np.ndarray | None] = []
    for frame in body:
        seen = set(np.flatnonzero(frame.any(axis=1)).tolist())
        around = [j for j in range(1, 6) if {j, SMALL_BODY.mirror[j]} <= seen]
        places.append(frame[around or sorted(seen)].mean(axis=0) if seen else None)
    return places


def literal_up(frames: list[dict[int, np.ndarray]]) -> np.ndarray | None:
    """Return up by the mean of the joints, given in each frame as far as they count."""
    place = literal_places(frames)
    upper, lower = (
        [place[j] for j in part if j in place and SMALL_BODY.mirror[j] in place]
        or [place[j] for j in part if j in place]
        for part in (UPPER, LOWER)
    )
    return unit(np.mean(upper, axis=0) - np.mean(lower, axis=0)) if upper and lower else None


def literal_axes(frames: list[dict[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return left and up by the mean of the joints."""
    place, up = literal_places(frames), literal_up(frames)
    pairs = [place[a] - place[b] for a, b in TRUNK if a in place and b in place]
    if up is None or not pairs:
        return None
    left = np.sum(pairs, axis=0)
    left = unit(left - left @ up * up)
    return None if left is None else (left, up)


def literal_places(frames: list[dict[int, np.ndarray]]) -> dict[int, np.ndarray]:
    seen = {j: [frame[j] for frame in frames if j in frame] for j in range(8)}
    return {j: np.mean(places, axis=0) for j, places in seen.items() if places}


def counted_joints(body: np.ndarray) -> list[dict[int, np.ndarray]]:
    """Return the joints of each frame that count, relative to the body's place."""
    places = literal_center(body)
    return [
        {}
        if place is None
        else {j: (joint - place).astype(float) for j, joint in enumerate(frame) if joint.any()}
        for frame, place in zip(body, places, strict=True)
    ]


def literal_rotation(axes: tuple[np.ndarray, np.ndarray], kind: Orientation) -> np.ndarray:
    across, up = axes
    if kind is Orientation.HEADING:
        up = np.array([0.0, 1, 0])
    across = unit(across - across @ up * up)
    return np.array([across, up, np.cross(across, up)])


def literal_pair(
    line: np.ndarray | None, ups: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the axes of two bodies, given the way between them and all ups."""
    if line is None or not ups or (up := unit(np.sum(ups, axis=0))) is None:
        return None
    return None if unit(line - line @ up * up) is None else (line, up)


def literal_clip_axes(
    bodies: np.ndarray, origin: Origin
) -> tuple[tuple[np.ndarray, np.ndarray] | None, int]:
    """Return a sample's axes and the number of the body that lends its own."""
    own = [literal_axes(counted_joints(body)) for body in bodies]
    measured = next((m for m, axes in enumerate(own) if axes), 0)
    if origin is Origin.GROUP and len(bodies) > 1:
        ways = literal_ways(bodies)
        seen = [way for way in ways if way is not None]
        line = np.mean(seen, axis=0) if seen else None
        ups = [up for body in bodies if (up := literal_up(counted_joints(body))) is not None]
        if pair := literal_pair(line, ups):
            return pair, measured
    return own[measured], measured


def literal_ways(bodies: np.ndarray) -> list[np.ndarray | None]:
    places = [literal_center(body) for body in bodies[:2]]
    return [
        None if one is None or other is None else (other - one).astype(float)
        for one, other in zip(*places, strict=True)
    ]


def interpolated(values: list[np.ndarray | None]) -> list[np.ndarray | None]:
    known = [t for t, value in enumerate(values) if value is not None]
    if not known:
        return values
    stacked = np.array([values[t] for t in known])
    frames = np.arange(len(values))
    channels = [np.interp(frames, known, column) for column in stacked.reshape(len(known), -1).T]
    return list(np.array(channels).T.reshape(-1, *stacked.shape[1:]))


def literal_frame_axes(
    bodies: np.ndarray, origin: Origin, measured: int
) -> list[tuple[np.ndarray, np.ndarray] | None]:
    tracks = []
    for body in bodies:
        frames = counted_joints(body)
        ever = set().union(*frames) & {*UPPER, *LOWER, *np.ravel(TRUNK).tolist()}
        own = [literal_axes([frame]) if ever <= set(frame) else None for frame in frames]
        tracks.append(interpolated([None if axes is None else np.array(axes) for axes in own]))
    axes: list[tuple[np.ndarray, np.ndarray] | None] = []
    ways = interpolated(literal_ways(bodies)) if len(bodies) > 1 else [None] * bodies.shape[1]
    for t, way in enumerate(ways):
        lent = tracks[measured][t]
        pair = None
        if origin is Origin.GROUP and len(bodies) > 1:
            tops = [unit(track[t][1]) for track in tracks if track[t] is not None]
            ups = [up for up in tops if up is not None]
            pair = literal_pair(way, ups)
        if pair is None and lent is not None:
            up, left = unit(lent[1]), unit(lent[0])
            if up is not None and left is not None:
                left = unit(left - left @ up * up)
                pair = None if left is None else (left, up)
        axes.append(pair)
    return axes


def literally_turned(
    joints: np.ndarray, origin: Origin, kind: Orientation, per: OrientationPer
) -> np.ndarray:
    """Return (M, T, V, 3) turned about zero."""
    clip, measured = literal_clip_axes(joints, origin)
    frames = [clip] * joints.shape[1]
    if per is OrientationPer.FRAME:
        own = literal_frame_axes(joints, origin, measured)
        frames = [one or clip for one in own]
    turned = joints.copy()
    for t, axes in enumerate(frames):
        if axes is not None:
            turned[:, t] = joints[:, t] @ literal_rotation(axes, kind).T
    return turned


@given(
    seed=SEEDS,
    kind=st.sampled_from(TURNED),
    per=st.sampled_from(list(OrientationPer)),
    absent=st.sampled_from([0.0, 0.1, 0.5]),
    leaves=st.sampled_from([0.0, 0.3]),
)
@pytest.mark.parametrize("group", [False, True])
def test_samples_are_turned_as_by_a_loop(
    group: bool, seed: int, kind: Orientation, per: OrientationPer, absent: float, leaves: float
) -> None:
    """Without centring by a recipe, so that no frame is dropped and all bodies stay in order."""
    samples = [
        random_bodies(seed + i, 1 + i % 3, 1 + (seed + i) % 5, absent, leaves) for i in range(4)
    ]
    samples[0][:, :, 0] = 0  # the center is never seen
    origin = Origin.GROUP if group else Origin.PERSON
    store = body_store(samples)
    turned = [
        rotate(chunk.joints, OrientationAxes(chunk, SMALL_BODY, origin).rotations(kind, per))
        for chunk in body_chunks(store, 3)
    ]
    ours = replace(store, frames=torch.cat(turned))
    for index, joints in enumerate(samples):
        expected = literally_turned(joints, origin, kind, per)
        np.testing.assert_allclose(ours.sequence(index).joints, expected, atol=2e-3)


@pytest.mark.parametrize("origin", [Origin.PERSON, Origin.GROUP])
@pytest.mark.parametrize("per", list(OrientationPer))
@given(seed=SEEDS, angle=st.floats(0, 6.2), absent=st.sampled_from([0.0, 0.1]))
def test_the_place_of_the_camera_does_not_matter(
    origin: Origin, per: OrientationPer, seed: int, angle: float, absent: float
) -> None:
    joints = random_bodies(seed, 1 + seed % 2, absent=absent)
    about_y, tilted = turn(1, angle), turn(1, angle) @ turn(0, 0.7) @ turn(2, 0.4)
    for kind, turns in ((Orientation.HEADING, [about_y]), (Orientation.BODY, [about_y, tilted])):
        prepare = Preprocessor(origin=origin, orientation=kind, orientation_per=per)
        usual = prepare(body_store([joints])).sequence(0).joints
        for matrix in turns:
            moved = (joints @ matrix.T).astype(np.float32)
            moved = np.where(joints.any(axis=-1, keepdims=True), moved + np.float32(0.5), 0)
            other = prepare(body_store([moved])).sequence(0).joints
            np.testing.assert_allclose(other, usual, atol=1e-4)


@pytest.mark.parametrize("per", list(OrientationPer))
def test_a_turned_body_stands_as_it_was_drawn(per: OrientationPer) -> None:
    pose = np.broadcast_to(STANDING, (1, 4, 8, 3)) @ turn(1, 2.0).T
    for kind, tilt in ((Orientation.HEADING, 0.0), (Orientation.BODY, 1.1)):
        joints = (pose @ turn(2, tilt).T + [1, 2, 3]).astype(np.float32)
        prepare = Preprocessor(orientation=kind, orientation_per=per)
        turned = prepare(body_store([joints])).sequence(0).joints[0]
        up = STANDING[list(UPPER)].mean(axis=0) - STANDING[list(LOWER)].mean(axis=0)
        lean = turn(0, -np.arctan2(up[2], up[1])) if kind is Orientation.BODY else np.eye(3)
        np.testing.assert_allclose(
            turned, np.broadcast_to(STANDING @ lean.T, turned.shape), atol=1e-5
        )


def test_a_body_upside_down_as_in_images_is_set_upright_by_body_alone() -> None:
    joints = (np.broadcast_to(STANDING, (1, 3, 8, 3)) @ turn(2, np.pi).T + 5).astype(np.float32)
    heads = {
        kind: Preprocessor(orientation=kind)(body_store([joints])).sequence(0).joints[0, :, 1, 1]
        for kind in TURNED
    }
    assert (heads[Orientation.HEADING] < -0.5).all() and (heads[Orientation.BODY] > 0.5).all()


def test_turns_of_the_body_remain_per_clip_and_vanish_per_frame() -> None:
    angles = np.linspace(0, 1.5, 7)
    joints = np.stack([STANDING @ turn(1, angle).T + [0.5, 1, 3] for angle in angles])[None]
    hips = {}
    for per in OrientationPer:
        prepare = Preprocessor(orientation=Orientation.HEADING, orientation_per=per)
        turned = prepare(body_store([joints.astype(np.float32)])).sequence(0).joints[0]
        left = turned[:, 4] - turned[:, 5]
        hips[per] = np.arctan2(left[:, 2], left[:, 0])
    np.testing.assert_allclose(hips[OrientationPer.FRAME], 0, atol=1e-5)
    np.testing.assert_allclose(np.abs(hips[OrientationPer.CLIP]), np.abs(angles - 0.75), atol=1e-5)


def test_axes_of_frames_with_absent_joints_lie_between_their_neighbours() -> None:
    angles = np.array([0.0, 0.2, 0.4, 0.6, 0.8])
    joints = np.stack([STANDING @ turn(1, angle).T + [0.5, 1, 3] for angle in angles])[None]
    joints = joints.astype(np.float32)
    joints[0, 2, 2] = 0  # a shoulder
    prepare = Preprocessor(orientation=Orientation.HEADING, orientation_per=OrientationPer.FRAME)
    turned = prepare(body_store([joints])).sequence(0).joints[0]
    left = turned[:, 4] - turned[:, 5]
    np.testing.assert_allclose(left[:, 2], 0, atol=1e-5)


@pytest.mark.parametrize("kind", TURNED)
@given(seed=SEEDS)
def test_joints_absent_at_random_turn_the_axes_only_a_little(kind: Orientation, seed: int) -> None:
    whole = random_bodies(seed, 1, frames=40)
    holes = np.where(np.random.default_rng(seed).random((1, 40, 8, 1)) < 0.2, 0, whole)
    holes[:, 0] = whole[:, 0]  # the same origin
    one, other = (
        Preprocessor(orientation=kind)(body_store([joints.astype(np.float32)])).sequence(0).joints
        for joints in (whole, holes)
    )
    seen = holes.any(axis=-1)
    assert np.abs(one - other)[seen].max() < 0.12


def test_a_pair_lies_along_x_and_one_body_alone_has_its_own_axes() -> None:
    pair = random_bodies(3, 2)
    for kind in TURNED:
        prepare = Preprocessor(origin=Origin.GROUP, orientation=kind)
        turned = prepare(body_store([pair])).sequence(0).joints
        way = (turned[1, :, 0] - turned[0, :, 0]).mean(axis=0)
        np.testing.assert_allclose(way[2], 0, atol=1e-5)
        assert way[0] > 0.5
        alone = pair.copy()
        alone[1] = 0
        own = Preprocessor(orientation=kind)
        np.testing.assert_array_equal(
            prepare(body_store([alone])).sequence(0).joints,
            own(body_store([alone])).sequence(0).joints,
        )


@pytest.mark.parametrize("per", list(OrientationPer))
@pytest.mark.parametrize("kind", TURNED)
def test_samples_without_axes_are_not_turned(kind: Orientation, per: OrientationPer) -> None:
    nobody = np.zeros((2, 3, 8, 3), dtype=np.float32)
    head = nobody.copy()
    head[0, :, 1] = [1, 2, 3]
    lying = np.zeros((1, 2, 8, 3), dtype=np.float32) + np.float32([1, 2, 3])  # all in one place
    prepare = Preprocessor(orientation=kind, orientation_per=per)
    store = prepare(body_store([nobody, head, lying]))
    assert not store.frames.isnan().any()
    np.testing.assert_array_equal(store.sequence(0).joints, nobody)
    np.testing.assert_array_equal(store.sequence(1).joints, nobody)


@pytest.mark.parametrize("kind", TURNED)
def test_samples_in_2d_and_skeletons_without_sides_are_refused(kind: Orientation) -> None:
    prepare = Preprocessor(orientation=kind)
    flat = np.ones((1, 2, 8, 2), dtype=np.float32)
    with pytest.raises(DataError, match=f"{kind.value}' needs joints in 3D, and .* 2 "):
        prepare(body_store([flat]))
    confident = np.ones((1, 2, 8, 3), dtype=np.float32)
    with pytest.raises(DataError, match="set it to camera"):
        prepare(body_store([confident], has_confidence=True))
    layout = SkeletonLayout("rod", ("top", "bottom"), ((1, 0),))
    with pytest.raises(DataError, match="needs left and right joints, and rod names none"):
        prepare(body_store([np.ones((1, 2, 2, 3), dtype=np.float32)], layout))


def test_axes_of_known_joints_equal_those_of_all_where_all_are_known() -> None:
    place = torch.randn(5, KINECT_20.num_joints, 3, dtype=torch.float64)
    all_known = torch.ones(place.shape[:2], dtype=torch.bool)
    for some, every in zip(
        body_axes(place, KINECT_20, all_known), body_axes(place, KINECT_20), strict=True
    ):
        torch.testing.assert_close(some, every)


def test_confidence_is_not_turned() -> None:
    joints = random_bodies(0, 1)
    confident = np.concatenate([joints, np.full((*joints.shape[:3], 1), 0.5, np.float32)], axis=-1)
    prepare = Preprocessor(Scale.BODY, orientation=Orientation.BODY)
    turned = prepare(body_store([confident], has_confidence=True)).sequence(0).joints
    np.testing.assert_array_equal(turned[..., 3], 0.5)
    np.testing.assert_array_equal(turned[..., :3], prepare(body_store([joints])).sequence(0).joints)
