from __future__ import annotations

import pytest

from skeletonagent.cli.guided_classes import print_guided
from skeletonagent.report.agent_usage import guidance_line

PROBLEMS = {"the budget is spent": 80, "the key is wrong": 2, "too late": 1}
UNANSWERED = (
    "; 80 question(s) unanswered: the budget is spent; 2 question(s) unanswered: the key is wrong"
)


@pytest.mark.parametrize(
    ("agents", "line", "complete"),
    [
        (
            {
                "chat": "bundled",
                "classes": 3,
                "guided": {"bundled": 2, "analyst": 1},
                "unanswered": {},
            },
            "guided: 3 of 3 classes, 1 by analyst, 2 by bundled",
            True,
        ),
        (
            {"chat": "m", "classes": 9, "guided": {}, "unanswered": PROBLEMS},
            "guided: 0 of 9 classes; 9 WITHOUT GUIDANCE of m" + UNANSWERED,
            False,
        ),
        (
            {"chat": "m", "classes": 4, "guided": {"m": 3}, "unanswered": {}},
            "guided: 3 of 4 classes, 3 by m; 1 WITHOUT GUIDANCE of m",
            False,
        ),
    ],
)
def test_the_line_says_how_many_by_whom_and_why_not(
    agents: dict[str, object], line: str, complete: bool
) -> None:
    assert guidance_line(agents) == (line, complete)


def test_nothing_is_said_where_nobody_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    summary = {"agents": {"chat": "none", "classes": 3, "guided": {}, "unanswered": {}}}
    assert guidance_line(summary["agents"]) is None
    assert guidance_line({"chat": "m", "unanswered": {}}) is None, "of an earlier version"
    print_guided([summary])
    assert capsys.readouterr() == ("", "")


def test_of_several_runs_each_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    agents = {"chat": "m[1]", "classes": 1, "guided": {"m[1]": 1}, "unanswered": {}}
    print_guided([{"agents": agents, "split": "s", "stream": "joint", "seed": n} for n in (1, 2)])
    printed = capsys.readouterr().err
    assert "s, joint, seed 1: guided: 1 of 1 classes, 1 by m[1]" in printed
    assert printed.count("seed 2") == 1


def test_classes_with_one_sentence_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    groups = [["a[1]", "b"], [f"class {n}" for n in range(9)]]
    agents = {"chat": "m", "classes": 2, "guided": {"m": 2}, "unanswered": {}}
    print_guided([{"agents": {**agents, "identical_sentences": groups}}])
    first, second, _ = capsys.readouterr().err.splitlines()
    assert first == "! one sentence for 2 classes, which it does not tell apart: a[1], b"
    assert second.endswith("class 3, class 4, ...")
