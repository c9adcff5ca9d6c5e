"""``dialogues estimate``: counted before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.invocation import invoke_twice

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import COCO_17
from skeletonagent.data.archive import write_archive


def typed(*arguments: object) -> tuple[dict[str, Any], str]:
    return invoke_twice("dialogues", "estimate", *arguments)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Path of three rounds about four classes: two are confused, then nothing changes."""
    counts = np.tile(50 * np.eye(4, dtype=np.int16), (3, 1, 1))
    counts[:, 0, 1] = counts[:, 1, 0] = 5
    np.savez_compressed(tmp_path / "trace.npz", counts=counts)
    return tmp_path / "trace.npz"


def test_made_up_classes_need_no_data() -> None:
    found, shown = typed("paper", "--classes", 6)
    # 150 epochs of period 5 have 29 rounds, for none is before the first.
    assert (found["classes"], found["rounds"]) == (6, 29)
    assert found["description"]["questions"] == 30
    assert found["rounds_at_most"]["questions"] == 6 * 29
    assert found["at_most"]["questions"] == found["released_schedule"]["questions"] == 204
    for part in ("questions", "input_tokens", "output_tokens"):
        pieces = found["description"][part] + found["rounds_at_most"][part]
        assert found["at_most"][part] == pieces
    assert found["at_most"]["dollars"] == 0
    assert "6 classes (--classes), 25 joints, 29 rounds" in shown
    assert "analyst asks no language model" in shown


def test_guidance_that_stays_has_no_rounds() -> None:
    found, shown = typed("utd-mhad", "--classes", 6, "--recipe", "best")
    assert (found["rounds"], found["rounds_at_most"]["questions"]) == (0, 0)
    assert found["at_most"]["questions"] == found["description"]["questions"] == 30
    assert "0 rounds" in shown and "every" not in shown


def test_the_rounds_of_a_trace_are_those_the_agents_would_have(trace: Path) -> None:
    found, shown = typed("paper", "--classes", 4, "--trace", trace)
    assert found["rounds_of_trace"]["questions"] == 2
    assert found["of_trace"]["questions"] == 22
    assert "targeted rounds of the trace" in shown


def test_rival_share_decides_whom_the_trace_asks_about(trace: Path) -> None:
    found, _ = typed("paper", "--classes", 4, "--trace", trace, "--set", "agents.rival_share=0.2")
    assert found["rounds_of_trace"]["questions"] == 0


def test_a_benchmark_is_known_without_its_data() -> None:
    found, _ = typed("utd-mhad", "--set", "training.epochs=6")
    assert (found["classes"], found["joints"], found["rounds"]) == (27, 20, 1)


def test_an_archive_is_looked_into(tmp_path: Path) -> None:
    names = ("wave", "clap", "bow")
    clips = [
        SkeletonSequence(np.ones((1, 2, 17, 3), np.float32), label, f"clip {label}")
        for label in range(len(names))
    ]
    store = ClipStore.from_sequences(clips, COCO_17, names)
    splits = {"whole": Split(train=("clip 0", "clip 1"), test=("clip 2",))}
    path = write_archive(SkeletonData("own", "Own", store, splits, "whole"), tmp_path)
    found, shown = typed("default", "--data", path, "--set", "training.epochs=1")
    # A training adds the three joints in the middle of the body, so questions list 20.
    assert (found["classes"], found["joints"], found["rounds"]) == (3, 20, 0)
    assert "3 classes (Own)" in shown


def test_the_generated_data_set_is_built_in() -> None:
    found, _ = typed("synthetic", "--set", "training.epochs=1")
    assert found["classes"] > 4
    assert found["at_most"] == found["description"]


@pytest.mark.parametrize(
    ("chat", "dollars"),
    [
        ("openai:gpt-4o", True),
        ("qwen3:8b@http://localhost:11434/v1", 0),
        ("groq:made-up", None),
    ],
)
def test_a_price_is_told_where_it_is_known(chat: str, dollars: float | None) -> None:
    arguments = ("--classes", 2, "--set", "training.epochs=1", "--set", f"agents.chat={chat}")
    found, shown = typed("paper", *arguments)
    told = found["at_most"]["dollars"]
    assert told == dollars if dollars is not True else told > 0
    assert ("is not known" in shown) == (dollars is None)
    assert ("unknown" in shown) == (dollars is None)


def test_dollars_are_those_of_the_tokens() -> None:
    arguments = ("--classes", 2, "--set", "training.epochs=1", "--set", "agents.chat=openai:gpt-4o")
    usage = typed("paper", *arguments)[0]["description"]
    expected = 2.5e-6 * usage["input_tokens"] + 1e-5 * usage["output_tokens"]
    assert usage["dollars"] == pytest.approx(expected, rel=0.5)


def test_a_trace_of_other_classes_is_refused(trace: Path) -> None:
    with pytest.raises(ConfigError, match="about 4 classes, --classes has 5"):
        typed("paper", "--classes", 5, "--trace", trace, "--set", "training.epochs=1")


def test_data_that_are_nowhere_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        typed("paper", "--data", tmp_path / "nowhere")
