"""Splits by subject, recording and clip."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.data.importing.split_lists import parts_from_lists
from skeletonagent.data.importing.splitting import SplitClip, split_by_parts, split_clips


def clips(subjects: int, classes: int, takes: int, named: bool = True) -> list[SplitClip]:
    return [
        SplitClip(f"{y}_{s}_{n}", f"class {y}", f"p{s}" if named else "", f"{y}_{s}_{n}")
        for y in range(classes)
        for s in range(subjects)
        for n in range(takes)
    ]


@given(st.integers(2, 9), st.integers(1, 5), st.integers(1, 3), st.integers(0, 99))
def test_subjects_stay_together_and_every_class_is_in_both_sets(
    subjects: int, classes: int, takes: int, seed: int
) -> None:
    made = clips(subjects, classes, takes)
    chosen = split_clips(made, 0.3, seed)
    person = {clip.sample_id: clip.subject for clip in made}
    train, test = (
        {person[name] for name in part} for part in (chosen.split.train, chosen.split.test)
    )
    assert not train & test and train | test == set(person.values())
    assert chosen.name == "subjects" and chosen.missing == () and f"seed {seed}" in chosen.reason
    assert len(test) == max(1, round(0.3 * subjects)) or abs(len(test) / subjects - 0.3) < 0.25
    assert split_clips(made, 0.3, seed) == chosen


def test_people_who_do_one_thing_only_are_split_by_clip() -> None:
    made = [
        SplitClip(f"{s}_{n}", f"class {s}", f"p{s}", f"{s}_{n}")
        for s in range(3)
        for n in range(10)
    ]
    chosen = split_clips(made, 0.3, 0)
    assert chosen.name == "clips" and "no choice of subjects has every class" in chosen.reason
    assert len(chosen.split.test) == 9 and chosen.missing == ()


def test_clips_of_a_recording_stay_together_where_no_subject_is_known() -> None:
    made = [
        SplitClip(f"{r}_{n}", f"class {n % 2}", "", f"day {r}") for r in range(6) for n in range(4)
    ]
    chosen = split_clips(made, 0.3, 0)
    days = [
        {name.split("_")[0] for name in part} for part in (chosen.split.train, chosen.split.test)
    ]
    assert chosen.name == "recordings" and not days[0] & days[1] and len(days[1]) == 2


def test_without_anything_each_class_is_divided() -> None:
    chosen = split_clips(clips(5, 2, 2, named=False), 0.2, 0)
    assert chosen.name == "clips" and "subjects are not known" in chosen.reason
    assert sorted(name[0] for name in chosen.split.test) == ["0", "0", "1", "1"]
    single = split_clips(clips(1, 3, 1), 0.3, 0)
    assert len(single.split.test) == 1 and len(single.missing) == 3
    assert "there is one subject" in single.reason


def test_lists_name_clips_or_their_recordings(tmp_path: Path) -> None:
    made = [SplitClip(f"a/day{d}_{n}", "x", "", f"a/day{d}") for d in range(3) for n in range(2)]
    test = tmp_path / "test.txt"
    test.write_text("a/day0\nday1.csv\n\na/day2_1\n")
    parts = parts_from_lists(made, None, test)
    assert parts == ["test"] * 4 + ["train", "test"]
    train = tmp_path / "train.txt"
    train.write_text("a/day2_0\n")
    assert parts_from_lists(made, train, test) == ["test"] * 4 + ["train", "test"]
    assert split_by_parts(made, parts, "by lists").split.train == ("a/day2_0",)
    train.write_text("a/day0_1\n")
    with pytest.raises(DataError, match=r"1 clip\(s\) are in both lists"):
        parts_from_lists(made, train, test)
    assert parts_from_lists(made, train, None)[:2] == ["test", "train"]
    train.write_text("nobody\n")
    with pytest.raises(DataError, match="1 of 1 names are no clips: nobody; there are a/day0_0"):
        parts_from_lists(made, train, None)
    with pytest.raises(DataError, match="cannot be read as a list"):
        parts_from_lists(made, tmp_path / "none", None)
    with pytest.raises(ConfigError, match="a list"):
        parts_from_lists(made, None, None)


def test_clips_that_no_list_names_are_in_neither_set() -> None:
    made = clips(1, 1, 3)
    chosen = split_by_parts(made, ["train", None, "test"], "as told")
    assert (chosen.split.train, chosen.split.test) == (("0_0_0",), ("0_0_2",))


def test_a_class_of_one_clip_does_not_keep_subjects_from_being_split() -> None:
    made = [*clips(4, 2, 2), SplitClip("rare", "rare class", "p1", "rare")]
    chosen = split_clips(made, 0.3, 0)
    assert chosen.name == "subjects" and chosen.missing == ("rare class",)
