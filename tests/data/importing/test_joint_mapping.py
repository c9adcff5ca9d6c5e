"""Which skeleton the joints of recordings are taken for, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.data.importing.figures import BONES, NAMES, REST, figure, recording

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, KINECT_20, KINECT_25, SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.archive import read_archive
from skeletonagent.data.importing.derived_bones import derive_skeleton
from skeletonagent.data.importing.joint_mapping import MappingSource, map_joints
from skeletonagent.data.importing.layout_picture import layout_tree, layout_yaml, pose_svg
from skeletonagent.data.layout_files import read_layout_file
from skeletonagent.data.synthetic.generate import synthetic_dataset

KINECT_20_OF_25 = [0, 1, 20, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]


@pytest.fixture(scope="module")
def people() -> list[np.ndarray]:
    """Bodies in the order of the Kinect's first version."""
    store = synthetic_dataset(clips_per_class=2, subjects=2).store
    return [store.sequence(n).joints[:, ::3, KINECT_20_OF_25] for n in range(0, len(store), 2)]


def recordings(clips: list[np.ndarray], **fields: object) -> list[KeypointRecording]:
    return [recording(f"r{n}", clip, **fields) for n, clip in enumerate(clips)]


def figures(**fields: object) -> list[KeypointRecording]:
    return recordings([figure(action, seed) for action in range(3) for seed in range(4)], **fields)


def bones_of(layout: SkeletonLayout) -> set[frozenset[str]]:
    return {frozenset((layout.joints[c], layout.joints[p])) for c, p in layout.bones}


def test_bones_of_an_unknown_skeleton_are_found_by_the_data() -> None:
    mapping = map_joints(figures(joint_names=NAMES), name="office")
    assert mapping.source is MappingSource.DERIVED and mapping.layout.name == "office"
    assert bones_of(mapping.layout) == set(map(frozenset, BONES))
    assert mapping.layout.joints[mapping.layout.center] == "root" and not mapping.problems
    assert len(mapping.layout.pairs) == 5 and "no known layout has these names" in mapping.reason


def test_bones_are_found_without_names_as_well() -> None:
    mapping = map_joints(figures())
    at = {name: f"joint {n + 1}" for n, name in enumerate(NAMES)}
    assert mapping.layout.joints == tuple(at.values()) and mapping.names_no_sides
    found = bones_of(mapping.layout) & {frozenset(at[name] for name in bone) for bone in BONES}
    assert len(found) >= 11  # hips so close together that a knee may hang on the other


def test_the_kinects_order_is_taken_only_if_the_data_confirm_it(people: list[np.ndarray]) -> None:
    mapping = map_joints(recordings(people))
    assert (mapping.layout, mapping.source) == (KINECT_20, MappingSource.DATA)
    assert "20 joints without names, and the data fit kinect-20: bones keep" in mapping.reason
    order = np.random.default_rng(0).permutation(20)
    mixed = recordings([clip[:, :, order] for clip in people])
    mapping = map_joints(mixed)
    assert mapping.source is MappingSource.DERIVED and "(not kinect-20 or " in mapping.reason
    with pytest.raises(DataError, match=r"contradict the layout of --layout kinect-20: bones join"):
        map_joints([replace(r, layout=KINECT_20) for r in mixed], "--layout kinect-20")
    given = [replace(r, layout=KINECT_20) for r in mixed]
    assert map_joints(given, "--layout kinect-20", accept=True).problems


def test_a_part_of_a_known_layout_keeps_its_bones() -> None:
    kept = [0, *range(5, 17)]
    names = tuple(COCO_17.joints[n].replace(" ", "_") for n in kept)
    rest = np.concatenate([REST, REST[:4] + 1])[kept]
    clips = [np.repeat(rest[None], 5, axis=0) + 1 for _ in range(2)]
    mapping = map_joints(recordings(clips, joint_names=names), name="some")
    assert mapping.source is MappingSource.NAMES
    assert "names of coco-17, without 4 of its joints" in mapping.reason
    assert mapping.layout.joints == names and len(mapping.layout.pairs) == 6
    assert frozenset(("left_wrist", "left_elbow")) in bones_of(mapping.layout)


def test_what_a_format_or_names_fix_is_taken(people: list[np.ndarray]) -> None:
    mapping = map_joints(recordings(people, layout=KINECT_20))
    assert (mapping.source, mapping.reason) == (MappingSource.FORMAT, "the files are of kinect-20")
    spelled = tuple(name.replace(" ", "_") for name in KINECT_20.joints)
    mapping = map_joints(recordings(people, layout=KINECT_20, joint_names=spelled))
    assert mapping.source is MappingSource.NAMES and "such as 'hip_center'" in mapping.reason


def test_recordings_of_different_joints_are_refused(people: list[np.ndarray]) -> None:
    mixed = [*recordings(people[:1]), recording("odd", figure(0, 0), source=Path("odd.csv"))]
    with pytest.raises(DataError, match=r"odd.csv: sample 'odd': has the joints 13, and 'r0' 20"):
        map_joints(mixed)
    flat = [*figures(), recording("flat", figure(0, 0)[..., :2])]
    with pytest.raises(DataError, match="has the coordinates 2, and 'r0' 3; import them"):
        map_joints(flat)


def test_where_nobody_is_seen_no_skeleton_is_found() -> None:
    with pytest.raises(DataError, match="so no skeleton can be found; give --layout"):
        derive_skeleton([np.full((1, 4, 13, 3), np.nan)], "x", None)


def test_the_tree_is_drawn_from_the_root() -> None:
    lines = layout_tree(KINECT_25)
    assert lines[0] == "spine" and "├ neck - head" in lines
    assert "├ middle of spine (centre) - base of spine" in lines
    assert sum(line.count(" - ") + 1 for line in lines) == 25
    forest = SkeletonLayout("two", ("a", "b", "c"), ((1, 0),))
    assert layout_tree(forest) == ["a (centre) - b", "c"]


def test_the_picture_shows_bones_and_names(people: list[np.ndarray]) -> None:
    picture = pose_svg(people, KINECT_20)
    assert picture.startswith("<svg ") and picture.count("<line") == 19
    assert picture.count("<circle") == 20 and ">left elbow</text>" in picture
    heads = {
        name: float(picture.split(f">{name}</text>")[0].rsplit('y="', 1)[1].split('"')[0])
        for name in ("head", "left foot")
    }
    assert heads["head"] < heads["left foot"]
    partly = people[0].copy()
    partly[:, :, 3] = np.nan
    assert pose_svg([partly], KINECT_20).count("<circle") == 19


def test_the_layout_file_is_read_back(tmp_path: Path) -> None:
    for layout in (KINECT_25, replace(COCO_17, given_pairs=((1, 2),), name="mine")):
        path = tmp_path / "a.yaml"
        path.write_text(layout_yaml(layout, ["one\nline"]), encoding="utf-8")
        assert path.read_text().startswith("# one line\n") and read_layout_file(path) == layout


@pytest.mark.parametrize("name", ["utd_mhad", "nw_ucla", "sbu", "jhmdb"])
def test_bones_of_real_sets_are_found(shared: Path, name: str) -> None:
    store = read_archive(shared / "data" / name).store
    clips = [store.sequence(n).joints for n in range(0, len(store), max(1, len(store) // 100))]
    found = bones_of(derive_skeleton(clips, name, store.layout.joints))
    assert found == bones_of(store.layout)
