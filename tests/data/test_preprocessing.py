"""Centring, sizes and added joints: literal loops, known values, invariances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from tests.data.random_bodies import SMALL_BODY, body_store, random_bodies

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import COCO_17, COCO_20, SkeletonLayout
from skeletonagent.data.preprocessing import (
    Preprocessor,
    add_coco20_joints,
    center_sequence,
    scale_store,
)
from skeletonagent.data.settings import (
    AbsentRule,
    DataSettings,
    Gaps,
    Orientation,
    OrientationPer,
    Origin,
    Scale,
)

seeds = st.integers(0, 9999)
RECIPE = Preprocessor(absent_rule=AbsentRule.ZERO)
"""Preprocessing by the recipe of the paper's benchmarks."""


def body_seen(present: np.ndarray, seed: int, v: int = 4, c: int = 3) -> np.ndarray:
    """Return joints of persons who are there in the frames where ``present`` (M, T) is true."""
    joints = np.random.default_rng(seed).normal(size=(*present.shape, v, c)) + 5
    return np.where(present[:, :, None, None], joints, 0).astype(np.float32)


def literally_centred(
    joints: np.ndarray, center: int, origin: Origin = Origin.PERSON, coordinates: int = 3
) -> np.ndarray:
    persons = list(joints)
    seen = [[bool((f[:, :coordinates] != 0).any()) for f in person] for person in persons]
    if len(persons) == 2 and sum(seen[0]) < sum(seen[1]):
        persons.reverse()
        seen.reverse()
    if not any(seen[0]):
        return joints
    kept = [t for t, there in enumerate(seen[0]) if there]
    counted = [m for m in range(len(persons)) if seen[m][kept[0]]]
    if origin is Origin.PERSON:
        counted = [0]
    middle = np.mean([persons[m][kept[0]][center, :coordinates] for m in counted], axis=0)
    centred = np.stack([person[kept] for person in persons])
    for m, person in enumerate(persons):
        for i, t in enumerate(kept):
            for v, joint in enumerate(person[t]):
                if (joint[:coordinates] != 0).any():
                    centred[m, i, v, :coordinates] = joint[:coordinates] - middle
    return centred


presences = st.lists(
    st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=2
).filter(lambda rows: any(map(any, rows)))


@given(rows=presences, center=st.integers(0, 3), seed=seeds)
def test_centring_equals_a_loop(rows: list[list[bool]], center: int, seed: int) -> None:
    joints = body_seen(np.array(rows), seed)
    joints[0, :, 2] = 0  # a joint nobody saw
    np.testing.assert_array_equal(
        center_sequence(joints, center), literally_centred(joints, center)
    )


@given(rows=presences, seed=seeds)
def test_centring_makes_the_centre_joint_zero_and_is_idempotent(
    rows: list[list[bool]], seed: int
) -> None:
    centred = center_sequence(body_seen(np.array(rows), seed), 1)
    np.testing.assert_array_equal(centred[0, 0, 1], 0)
    np.testing.assert_array_equal(center_sequence(centred, 1), centred)


@given(rows=presences, seed=seeds)
def test_centring_ignores_a_translation(rows: list[list[bool]], seed: int) -> None:
    joints = body_seen(np.array(rows), seed)
    moved = np.where(joints != 0, joints + np.float32([20, -30, 40]), 0).astype(np.float32)
    np.testing.assert_allclose(center_sequence(moved, 0), center_sequence(joints, 0), atol=1e-4)


def test_the_body_in_more_frames_leads_and_other_frames_are_dropped() -> None:
    joints = body_seen(np.array([[1, 1, 0, 0], [0, 1, 1, 1]], dtype=bool), seed=0)
    centred = center_sequence(joints, 0)
    assert centred.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(centred[0], joints[1, 1:] - joints[1, 1, 0])
    assert centred[1, 0].any() and not centred[1, 1:].any()


def test_of_two_bodies_in_equally_many_frames_the_first_leads() -> None:
    joints = body_seen(np.array([[1, 1], [1, 1]], dtype=bool), seed=0)
    np.testing.assert_array_equal(center_sequence(joints, 0)[1], joints[1] - joints[0, 0, 0])


def test_origin_group_is_the_mean_of_the_present_bodies() -> None:
    joints = body_seen(np.array([[1, 1], [1, 1]], dtype=bool), seed=0)
    centred = center_sequence(joints, 0, Origin.GROUP)
    middle = (joints[0, 0, 0] + joints[1, 0, 0]) / 2
    np.testing.assert_allclose(centred, joints - middle, atol=1e-5)
    np.testing.assert_allclose(centred[0, 0, 0], -centred[1, 0, 0], atol=1e-5)


def test_a_body_absent_in_the_first_frame_does_not_change_the_origin() -> None:
    joints = body_seen(np.array([[1, 1, 1], [0, 1, 1]], dtype=bool), seed=0)
    np.testing.assert_array_equal(
        center_sequence(joints, 0, Origin.GROUP), center_sequence(joints, 0)
    )


@given(row=presences.filter(lambda rows: len(rows) == 1), seed=seeds)
def test_origins_agree_for_one_person(row: list[list[bool]], seed: int) -> None:
    joints = body_seen(np.array(row), seed)
    np.testing.assert_array_equal(
        center_sequence(joints, 1, Origin.GROUP), center_sequence(joints, 1)
    )


def test_a_sample_of_nobody_is_unchanged() -> None:
    nobody = np.zeros((2, 3, 4, 3), dtype=np.float32)
    np.testing.assert_array_equal(center_sequence(nobody, 0), nobody)


@pytest.mark.parametrize("origin", list(Origin))
def test_of_three_bodies_the_first_leads_even_if_always_absent(
    origin: Origin,
) -> None:
    joints = body_seen(np.array([[0, 0], [1, 1], [0, 1]], dtype=bool), seed=0)
    np.testing.assert_array_equal(center_sequence(joints, 0, origin), joints)


def test_the_recipe_centres_each_sample() -> None:
    layout = SkeletonLayout("four", ("a", "b", "c", "d"), ((1, 0), (2, 1), (3, 2)), center=1)
    seen = [np.array([[0, 1, 1, 1]], dtype=bool), np.array([[1, 1, 0], [1, 1, 1]], dtype=bool)]
    sequences = [
        SkeletonSequence(body_seen(present, seed=i), i, f"sample {i}", subject=7 + i)
        for i, present in enumerate(seen)
    ]
    store = RECIPE(ClipStore.from_sequences(sequences, layout, ("one", "two")))
    assert (store.sample_ids, store.subjects) == (("sample 0", "sample 1"), (7, 8))
    assert store.layout is layout and store.class_names == ("one", "two")
    assert store.labels.tolist() == [0, 1]
    for index, sequence in enumerate(sequences):
        np.testing.assert_array_equal(
            store.sequence(index).joints, center_sequence(sequence.joints, 1)
        )


FOUR = SkeletonLayout("four", ("a", "b", "c", "d"), ((1, 0), (2, 1), (3, 2)), center=1)


def random_store(seed: int, samples: int = 5, has_confidence: bool = False) -> ClipStore:
    """Return samples of one to three bodies, who come and go."""
    rng = np.random.default_rng(seed)
    sequences = []
    for index in range(samples):
        present = rng.random((rng.integers(1, 4), rng.integers(1, 6))) < rng.choice([0, 0.4, 0.8])
        joints = body_seen(present, seed=seed + index)
        joints[rng.random(joints.shape[:-1]) < 0.1] = 0
        if has_confidence:
            joints[..., 2] = rng.random(joints.shape[:-1])  # of absent bodies too
        sequences.append(SkeletonSequence(joints, 0, f"sample {index}", image_size=(640, 480)))
    return ClipStore.from_sequences(sequences, FOUR, ("only",), has_confidence=has_confidence)


@given(
    seed=seeds, origin=st.sampled_from([Origin.PERSON, Origin.GROUP]), has_confidence=st.booleans()
)
def test_the_recipe_equals_a_loop(seed: int, origin: Origin, has_confidence: bool) -> None:
    store = random_store(seed, has_confidence=has_confidence)
    centred = replace(RECIPE, origin=origin)(store)
    assert centred.has_confidence == has_confidence
    assert centred.image_sizes is None  # no coordinate is a pixel any more
    assert len(centred.frames) == int((centred.lengths * centred.persons).sum())
    for index in range(len(store)):
        joints, ours = store.sequence(index).joints, centred.sequence(index).joints
        expected = literally_centred(joints, 1, origin, store.coordinates)
        np.testing.assert_array_equal(ours, expected)
        np.testing.assert_array_equal(
            center_sequence(joints, 1, origin, store.coordinates), expected
        )


def test_without_an_origin_nothing_is_centred() -> None:
    store = random_store(0)
    for rule in AbsentRule:
        placed = Preprocessor(origin=Origin.NONE, absent_rule=rule)(store)
        assert torch.equal(placed.lengths, store.lengths)
        assert torch.equal(placed.image_sizes, store.image_sizes)
    joints = store.sequence(0).joints
    np.testing.assert_array_equal(center_sequence(joints, 1, Origin.NONE), joints)


def test_scale_image_divides_by_the_longer_side_of_images() -> None:
    store = random_store(0, has_confidence=True)
    unit = scale_store(store, Scale.IMAGE)
    torch.testing.assert_close(unit.frames[..., :2] * 640, store.frames[..., :2])
    torch.testing.assert_close(unit.frames[..., 2], store.frames[..., 2], atol=0, rtol=0)
    torch.testing.assert_close(unit.image_sizes, torch.tensor([[1.0, 0.75]] * len(store)))
    assert scale_store(store, Scale.NONE) is store


@given(seed=seeds, factor=st.floats(0.01, 1000))
def test_scale_image_without_images_divides_by_the_rms_distance(seed: int, factor: float) -> None:
    store = replace(random_store(seed), image_sizes=None)
    unit = scale_store(store, Scale.IMAGE)
    for index in range(len(store)):
        joints = unit.sequence(index).joints.reshape(-1, 3).astype(np.float64)
        there = joints[(joints != 0).any(axis=1)]
        if len(there) > 1:
            distances = np.linalg.norm(there - there.mean(axis=0), axis=1)
            assert np.sqrt((distances**2).mean()) == pytest.approx(1, abs=1e-4)
    larger = scale_store(replace(store, frames=store.frames * factor), Scale.IMAGE)
    if not one_point(store):
        torch.testing.assert_close(larger.frames, unit.frames, atol=1e-4, rtol=1e-4)


def one_point(store: ClipStore) -> bool:
    """Return whether there is a sample of a single joint, which has no size."""
    counts = [(store.sequence(i).joints != 0).any(axis=-1).sum() for i in range(len(store))]
    return 1 in counts


def test_a_single_point_is_not_scaled() -> None:
    joints = np.full((1, 4, 4, 2), 300.0, dtype=np.float32)
    store = ClipStore.from_sequences([SkeletonSequence(joints, 0, "point")], FOUR, ("only",))
    torch.testing.assert_close(scale_store(store, Scale.IMAGE).frames, store.frames)


def test_add_coco20_joints_adds_three_middle_joints() -> None:
    rng = np.random.default_rng(0)
    sequence = SkeletonSequence(rng.random((2, 3, 17, 3)).astype(np.float32), 0, "only")
    store = ClipStore.from_sequences([sequence], COCO_17, ("class",), has_confidence=True)
    complete = add_coco20_joints(store)
    assert complete.layout is COCO_20 and complete.has_confidence
    joints = dict(zip(COCO_20.joints, complete.frames.unbind(1), strict=True))
    for name, ends in {
        "middle of hips": ("left hip", "right hip"),
        "middle of shoulders": ("left shoulder", "right shoulder"),
        "thorax": ("middle of hips", "middle of shoulders"),
    }.items():
        torch.testing.assert_close(joints[name], (joints[ends[0]] + joints[ends[1]]) / 2)
    torch.testing.assert_close(complete.frames[:, :17], store.frames, atol=0, rtol=0)
    assert add_coco20_joints(complete) is complete


def literal_bone_length(joints: np.ndarray, layout: SkeletonLayout) -> float:
    """Return the mean bone length, of a layout without sides."""
    sizes = []
    for body in joints:
        ever = body.any(axis=(0, 2))

        def way(one: int, other: int, body: np.ndarray = body) -> float | None:
            spans = [f[one] - f[other] for f in body if f[one].any() and f[other].any()]
            return float(np.mean([np.linalg.norm(span) for span in spans])) if spans else None

        parents, lengths = dict(layout.bones), []
        for child, parent in layout.bones:
            length, half = way(child, parent), None
            beyond = next((c for c, p in layout.bones if p == child), child)
            if length is None and not ever[child]:
                half = way(beyond, parent)
            elif length is None and not ever[parent] and parent in parents:
                half = way(child, parents[parent])
            lengths += [value for value in (length, half and half / 2) if value]
        if lengths:
            sizes.append(np.mean(lengths))
    return float(np.mean(sizes)) if sizes else 1.0


SIDES = SkeletonLayout(
    "sides",
    ("hips", "left hip", "right hip", "left knee", "right knee", "left foot", "right foot"),
    ((1, 0), (2, 0), (3, 1), (4, 2), (5, 3), (6, 4)),
)


def test_bones_that_are_never_seen_are_as_long_as_those_of_the_other_side() -> None:
    rng = np.random.default_rng(0)
    body = np.cumsum(rng.normal(2, 0.3, (1, 5, 4, 3)), axis=2)
    whole = body[:, :, [0, 1, 1, 2, 2, 3, 3]].astype(np.float32)  # both legs alike
    expected = scale_store(body_store([whole], SIDES), Scale.BODY).frames.abs().max()
    for joint in (3, 5):  # a knee, then the foot as well: no bone of the leg below the hip
        whole[:, :, joint] = 0
        ours = scale_store(body_store([whole], SIDES), Scale.BODY).frames.abs().max()
        torch.testing.assert_close(ours, expected)


def test_two_bones_that_meet_in_a_joint_never_seen_are_half_of_the_way_each() -> None:
    straight = np.zeros((1, 3, 4, 2), dtype=np.float32)
    straight[..., 0] = [1, 3, 5, 8]  # bones of 2, 2 and 3
    whole = scale_store(body_store([straight], FOUR), Scale.BODY).frames
    for joint in (1, 2):
        lacking = straight.copy()
        lacking[:, :, joint] = 0
        scaled = scale_store(body_store([lacking], FOUR), Scale.BODY).frames
        torch.testing.assert_close(scaled[:, [0, 3]], whole[:, [0, 3]])


@given(seed=seeds)
def test_scale_body_divides_by_the_mean_bone_length(seed: int) -> None:
    store = replace(random_store(seed), image_sizes=None)
    scaled = scale_store(store, Scale.BODY)
    for index in range(len(store)):
        joints, ours = store.sequence(index).joints, scaled.sequence(index).joints
        np.testing.assert_allclose(ours * literal_bone_length(joints, FOUR), joints, rtol=1e-4)
        assert literal_bone_length(ours, FOUR) == pytest.approx(1, rel=1e-4)


@given(seed=seeds, factor=st.floats(0.01, 1000))
def test_after_scale_body_the_unit_does_not_matter(seed: int, factor: float) -> None:
    for coordinates in (2, 3):
        joints = random_bodies(seed, 2, absent=0.2)[..., :coordinates]
        one, other = (
            Preprocessor(Scale.BODY)(body_store([given])).sequence(0).joints
            for given in (joints, joints * np.float32(factor))
        )
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_scale_body_keeps_the_shape_of_images() -> None:
    store = random_store(0, has_confidence=True)
    scaled = scale_store(store, Scale.BODY)
    assert scaled.image_sizes is not None
    ratio = store.frames[..., :2].abs().sum() / scaled.frames[..., :2].abs().sum()
    assert ratio > 0 and torch.equal(scaled.frames[..., 2], store.frames[..., 2])
    torch.testing.assert_close(
        scaled.image_sizes[:, 0] / scaled.image_sizes[:, 1], torch.full((5,), 640 / 480)
    )


def test_an_absent_center_joint_is_no_origin() -> None:
    """Its place in the next frame in which it is seen is the origin instead."""
    joints = random_bodies(0, 2)
    joints[0, :2, 0] = 0
    prepare = Preprocessor(Scale.BODY)
    size = literal_bone_length(joints, SMALL_BODY)
    placed = prepare(body_store([joints])).sequence(0).joints
    expected = np.where(joints.any(axis=-1, keepdims=True), joints - joints[0, 2, 0], 0) / size
    np.testing.assert_allclose(placed, expected, atol=1e-5)
    group = replace(prepare, origin=Origin.GROUP)(body_store([joints])).sequence(0).joints
    middle = (joints[0, 2, 0] + joints[1, 2, 0]) / 2
    expected = np.where(joints.any(axis=-1, keepdims=True), joints - middle, 0) / size
    np.testing.assert_allclose(group, expected, atol=1e-5)


def test_a_center_joint_that_is_never_seen_gives_way_to_the_mean_of_those_around_it() -> None:
    joints = random_bodies(0, 1)
    joints[:, :, 0] = 0
    placed = Preprocessor()(body_store([joints])).sequence(0).joints
    np.testing.assert_array_equal(placed[:, :, 0], 0)
    middle = joints[0, 0, 1:6].mean(axis=0)  # head, shoulders and hips
    np.testing.assert_allclose(placed[0, :, 1:], joints[0, :, 1:] - middle, atol=1e-5)
    joints[:, :, 2] = 0  # one shoulder would draw it to its side
    placed = Preprocessor()(body_store([joints])).sequence(0).joints
    middle = joints[0, 0, [1, 4, 5]].mean(axis=0)
    np.testing.assert_allclose(placed[0, :, 3:], joints[0, :, 3:] - middle, atol=1e-5)


def test_clips_centred_frame_by_frame_stay_where_they_are() -> None:
    joints = random_bodies(0, 1)
    joints -= joints[:, :, :1]
    placed = Preprocessor(Scale.BODY)(body_store([joints])).sequence(0).joints
    np.testing.assert_allclose(placed * literal_bone_length(joints, SMALL_BODY), joints, atol=1e-5)


def test_of_any_bodies_the_one_seen_most_leads_and_frames_of_somebody_stay() -> None:
    joints = random_bodies(0, 4, frames=8)
    joints[0, 2:] = joints[1, 5] = joints[2, ::2] = joints[3] = 0
    joints[:, 7] = 0
    for gaps in Gaps:
        placed = Preprocessor(gaps=gaps)(body_store([joints])).sequence(0).joints
        expected = np.where(joints != 0, joints - joints[1, 0, 0], 0)[[1, 2, 0, 3], :7]
        if gaps is Gaps.INTERPOLATE:  # between the frames in which the body is seen
            expected[0, 5] = (expected[0, 4] + expected[0, 6]) / 2
            expected[1, 2:6:2] = (expected[1, 1:5:2] + expected[1, 3:7:2]) / 2
        np.testing.assert_allclose(placed, expected, atol=1e-5)


def test_frames_with_the_second_body_alone_stay() -> None:
    joints = body_seen(np.array([[1, 1, 1, 0, 0], [0, 0, 0, 0, 1]], dtype=bool), seed=0)
    placed = Preprocessor()(body_store([joints], FOUR)).sequence(0).joints
    expected = np.where(joints != 0, joints - joints[0, 0, 1], 0)[:, [0, 1, 2, 4]]
    np.testing.assert_allclose(placed, expected, atol=1e-5)
    assert RECIPE(body_store([joints], FOUR)).lengths.tolist() == [3]


def test_middles_of_absent_ends_are_absent_where_absence_counts() -> None:
    joints = np.random.default_rng(0).normal(5, 1, (1, 3, 17, 2)).astype(np.float32)
    joints[0, 1, COCO_17.joints.index("left hip")] = 0
    store = body_store([joints], COCO_17)
    names = ("middle of hips", "thorax", "middle of shoulders")
    middles = [COCO_20.joints.index(name) for name in names]
    kept = add_coco20_joints(store, of_seen_joints=True).frames[:, middles]
    assert kept[1].ne(0).any(dim=-1).tolist() == [False, False, True]
    assert kept[[0, 2]].ne(0).all()
    filled = Preprocessor(gaps=Gaps.INTERPOLATE, origin=Origin.NONE)(store).frames
    joints[0, 1, COCO_17.joints.index("left hip")] = joints[0, ::2, 11].mean(axis=0)
    torch.testing.assert_close(filled, add_coco20_joints(body_store([joints], COCO_17)).frames)


@pytest.mark.parametrize("origin", list(Origin))
def test_settings_that_change_nothing_give_the_ntu_recipe(origin: Origin) -> None:
    """On bodies whose joints are all seen, gaps are filled without a trace."""
    store = body_store([random_bodies(seed, 1 + seed % 3) for seed in range(5)])
    one, other = (Preprocessor(Scale.NONE, origin, gaps=gaps)(store) for gaps in Gaps)
    torch.testing.assert_close(one.frames, other.frames)


def test_preprocessing_has_all_settings_of_a_configuration() -> None:
    settings = DataSettings(
        scale=Scale.BODY,
        origin=Origin.GROUP,
        orientation=Orientation.BODY,
        orientation_per=OrientationPer.FRAME,
        gaps=Gaps.INTERPOLATE,
    )
    assert Preprocessor.from_settings(settings) == Preprocessor(
        Scale.BODY, Origin.GROUP, Orientation.BODY, OrientationPer.FRAME, Gaps.INTERPOLATE
    )
    assert Preprocessor.from_settings(DataSettings()) == Preprocessor()


def test_the_former_name_of_scale_image_is_refused_with_the_present_one() -> None:
    with pytest.raises(ValidationError, match="'unit' is called 'image' now"):
        TypeAdapter(DataSettings).validate_python({"scale": "unit"})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("origin", list(Origin))
@pytest.mark.parametrize("per", list(OrientationPer))
def test_bodies_are_turned_alike_on_a_gpu(origin: Origin, per: OrientationPer) -> None:
    store = body_store([random_bodies(n, 1 + n % 3, absent=0.1, leaves=0.1) for n in range(9)])
    prepare = Preprocessor(Scale.BODY, origin, Orientation.BODY, per, Gaps.INTERPOLATE)
    ours = prepare(store.to(torch.device("cuda"), torch.float32))
    torch.testing.assert_close(ours.frames.cpu(), prepare(store).frames, atol=1e-5, rtol=1e-5)
