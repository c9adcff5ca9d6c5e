"""Benchmarks: their rules by hand, their counts, and that they fit the data there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.clips import Split
from skeletonagent.core.errors import DataError
from skeletonagent.data.archive import read_archive
from skeletonagent.data.benchmarks import (
    BENCHMARKS,
    NTU_TRAIN_SUBJECTS,
    Benchmark,
    find_benchmark,
    missing_ntu,
)

SAMPLES = {"ntu60": 56_880 - 302, "ntu120": 114_480 - 535, "nw-ucla": 1484, "utd-mhad": 861}
"""Published numbers of samples, without those that have no skeleton."""

CLASSES = {
    "ntu60": 60, "ntu120": 120, "kinetics-skeleton": 400, "finegym": 99, "uav-human": 155,
    "nw-ucla": 10, "utd-mhad": 27, "sbu": 8, "jhmdb": 21,
}  # fmt: skip


def every_benchmark() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)


def test_all_benchmarks_have_their_classes() -> None:
    assert {name: len(b.class_names) for name, b in BENCHMARKS.items()} == CLASSES
    assert BENCHMARKS["ntu120"].class_names[:60] == BENCHMARKS["ntu60"].class_names
    assert [name for name, b in BENCHMARKS.items() if b.has_confidence] == [
        "kinetics-skeleton", "finegym", "uav-human",
    ]  # fmt: skip
    assert BENCHMARKS["kinetics-skeleton"].topk == (1, 5)


@every_benchmark()
def test_a_row_is_complete(benchmark: Benchmark) -> None:
    assert all(name == name.strip() != "" for name in benchmark.class_names)
    assert benchmark.default_split in benchmark.protocols
    assert benchmark.max_persons in (1, 2)
    ruled = any(protocol.is_train for protocol in benchmark.protocols.values())
    assert ruled == (benchmark.name_pattern is not None)
    for protocol in benchmark.protocols.values():
        if protocol.expected_counts and benchmark.name in SAMPLES:
            assert sum(protocol.expected_counts) == SAMPLES[benchmark.name]


@every_benchmark()
def test_a_name_may_be_written_with_underscores(benchmark: Benchmark) -> None:
    assert find_benchmark(benchmark.name.replace("-", "_").upper()) is benchmark
    assert find_benchmark(f"{benchmark.name}?") is None


@given(
    setup=st.integers(1, 32),
    camera=st.integers(1, 3),
    subject=st.integers(1, 106),
    action=st.integers(1, 120),
)
def test_ntu_splits_are_as_published(setup: int, camera: int, subject: int, action: int) -> None:
    name = f"S{setup:03d}C{camera:03d}P{subject:03d}R001A{action:03d}"
    ntu60, ntu120 = BENCHMARKS["ntu60"], BENCHMARKS["ntu120"]
    assert ntu60.fields(name) == {
        "setup": setup, "camera": camera, "subject": subject, "repetition": 1, "action": action,
    }  # fmt: skip
    assert ntu60.subject(name) == subject
    train, test = Split((name,), ()), Split((), (name,))
    by_subject = train if subject in NTU_TRAIN_SUBJECTS else test
    assert ntu60.splits([name]) == {
        "xsub": by_subject,
        "xview": test if camera == 1 else train,
    }
    assert ntu120.splits([name]) == {
        "xsub": by_subject,
        "xset": test if setup % 2 else train,
    }


def test_ntu_has_the_published_subjects_and_missing_samples() -> None:
    assert len(NTU_TRAIN_SUBJECTS) == 53
    assert sorted(s for s in NTU_TRAIN_SUBJECTS if s <= 40) == [
        1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38,
    ]  # fmt: skip
    assert {60, 100} & NTU_TRAIN_SUBJECTS == {100}
    assert len(missing_ntu()) == 535
    actions = [BENCHMARKS["ntu120"].fields(name)["action"] for name in missing_ntu()]
    assert sum(action <= 60 for action in actions) == 302 and max(actions) <= 120


def test_uav_human_splits_have_89_and_30_subjects() -> None:
    names = [f"P{s:03d}S00G10B10H10UC022000LC021000A007R0_08241716" for s in range(119)]
    uav = BENCHMARKS["uav-human"]
    splits = uav.splits(names)
    assert {name: (len(s.train), len(s.test)) for name, s in splits.items()} == {
        "csv1": (89, 30), "csv2": (89, 30),
    }  # fmt: skip
    assert splits["csv1"].test[:4] == (names[1], names[3], names[4], names[9])
    assert splits["csv2"].test[:4] == (names[1], names[2], names[7], names[9])
    assert uav.fields(names[5]) == {"subject": 5, "action": 7}


@pytest.mark.parametrize("name", ["ntu60", "uav-human"])
def test_a_foreign_name_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"sample 'clip 7': is no name of"):
        BENCHMARKS[name].splits(["clip 7"])
    assert BENCHMARKS[name].subject("clip 7") is None


def test_names_without_fields_make_no_split() -> None:
    assert BENCHMARKS["finegym"].splits(["clip 7"]) == {}
    assert BENCHMARKS["finegym"].subject("clip 7") is None


@pytest.mark.parametrize("name", ["nw_ucla", "utd_mhad", "sbu", "jhmdb"])
def test_a_row_fits_the_archive(shared: Path, name: str) -> None:
    data, benchmark = read_archive(shared / "data" / name), find_benchmark(name)
    assert benchmark is not None
    layout, stated = data.store.layout, benchmark.layout
    assert (stated.joints, stated.parents, stated.center) == (
        layout.joints,
        layout.parents,
        layout.center,
    )
    assert data.store.class_names == benchmark.class_names
    assert data.store.max_persons == benchmark.max_persons
    assert benchmark.protocols.keys() <= data.splits.keys()
    for split, by_rule in benchmark.splits(data.store.sample_ids).items():
        assert set(by_rule.train) == set(data.splits[split].train)
        assert set(by_rule.test) == set(data.splits[split].test)
        assert benchmark.protocols[split].expected_counts == (len(by_rule.train), len(by_rule.test))


def test_class_names_are_those_of_the_reference(shared: Path) -> None:
    for name, file in [("ntu60", "nturgbd_60"), ("kinetics-skeleton", "k400")]:
        text = (shared / "reference" / "facts" / "labels" / f"{file}.txt").read_text()
        assert list(BENCHMARKS[name].class_names) == text.splitlines()
