"""Labels and subjects from names and folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.importing.figures import figure, recording

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.data.importing.labels import (
    LabelledRecording,
    label_by_folder,
    label_by_pattern,
)


def named(*paths: str, **fields: str) -> list[LabelledRecording]:
    joints = figure(0, 0, frames=2)
    return [LabelledRecording(recording(path, joints, **fields), path) for path in paths]


@pytest.mark.parametrize(
    ("pattern", "path", "label", "subject"),
    [
        ("{label}_{subject}_{take}", "two_hands_up_p03_2", "two_hands_up", "p03"),
        ("{label}_{subject}_{take}", "day1/wave_p03_2", "wave", "p03"),
        ("{subject}-{label}", "anna-sit-down", "sit-down", "anna"),
        ("{label}_{subject}_{take}DLC*", "groom_m0_10DLC_resnet50", "groom", "m0"),
        ("{subject}/{label}_{take}", "p7/push up_3", "push up", "p7"),
        ("{label}", "wave", "wave", ""),
        ("A{label}.P{subject}", "A12.P3", "12", "3"),
    ],
)
def test_a_name_is_read_as_the_pattern_says(
    pattern: str, path: str, label: str, subject: str
) -> None:
    (item,), line = label_by_pattern(named(path), pattern)
    assert (item.label, item.subject) == (label, subject)
    assert repr(label) in line and (not subject or repr(subject) in line)


@pytest.mark.parametrize("pattern", ["{subject}_{take}", "{label}_{label}", "{label}_{}", "label"])
def test_a_pattern_without_one_label_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"needs \{label\}"):
        label_by_pattern(named("wave_1"), pattern)


def test_names_that_do_not_fit_are_listed() -> None:
    items = named("wave_p1_0", "readme", "sit_p2_1", "odd")
    with pytest.raises(DataError, match=r"2 of 4 names do not fit .*: readme, odd"):
        label_by_pattern(items, "{label}_{subject}_{take}")


def test_labels_are_folders_or_what_the_files_say() -> None:
    items, line = label_by_folder(named("wave/a", "sit/deep/b"), Path("x"))
    assert [item.label for item in items] == ["wave", "sit"] and line == "names of folders"
    assert {item.part for item in items} == {None}
    items, line = label_by_folder(named("a", "b", label="jump"), Path("x"))
    assert [item.label for item in items] == ["jump"] * 2 and line == "the files themselves"
    items, _ = label_by_folder(named("x_train/a", "x_test/b", label="jump"), Path("x"))
    assert [item.part for item in items] == ["train", "test"]
    both = [
        LabelledRecording(recording(n, figure(0, 0, 2), label="a", source=Path(n, f"{n}.pkl")), "v")
        for n in ("train", "val", "other")
    ]
    assert [i.part for i in label_by_folder(both, Path("x"))[0]] == ["train", "test", None]


def test_folders_of_sets_say_the_split() -> None:
    items, _ = label_by_folder(named("train/wave/a", "Test/wave/b", "val/sit/c"), Path("x"))
    assert [item.part for item in items] == ["train", "test", "test"]
    assert [item.label for item in items] == ["wave", "wave", "sit"]


@pytest.mark.parametrize(
    ("paths", "suggestion"),
    [
        (["phone-call_p1_0", "wave_p2_1"], "'{label}_{subject}_{take}'"),
        (["wave-1", "sit-2"], "'{label}-{subject}'"),
        (["a_b_c", "d"], "name a table"),
    ],
)
def test_without_labels_the_message_says_what_to_do(paths: list[str], suggestion: str) -> None:
    with pytest.raises(DataError, match="no label is known of 2 of 2") as caught:
        label_by_folder(named(*paths), Path("x"))
    assert suggestion in str(caught.value) and "--labels" in str(caught.value)
