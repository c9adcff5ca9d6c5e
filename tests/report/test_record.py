"""The record of an experiment: settings beside a preset, who answered, what was not recorded."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.experiments.config import with_overrides
from skeletonagent.experiments.presets import preset
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.report.agent_usage import agent_usage
from skeletonagent.report.record import experiment_record, record_facts
from skeletonagent.report.runs import RecipeRuns, compare_runs, read_runs
from skeletonagent.report.settings_table import nearest_preset, settings_table
from skeletonagent.training.run_directory import RunDirectory

SESSION = {
    "started": "2026-01-02T03:04:05Z", "command": "skeletonagent train tiny", "folder": "/here",
    "version": "0.1.0", "commit": "0123456789abcdef-dirty", "host": "lab", "machine": "a CPU",
    "python": "3.11", "torch": "2.13",
}  # fmt: skip
AGENTS = {
    "chat": "openai:gpt-4o", "rounds": 2, "questions": {"overview": 9}, "outcomes": {},
    "unanswered": {"HTTP 401": 5}, "classes": 3, "guided": {"openai:gpt-4o": 2, "analyst": 0},
    "identical_sentences": [["a", "b"]], "requests": 9,
    "models": {"openai:gpt-4o": {"requests": 9, "input_tokens": 1200, "output_tokens": 34,
                                 "dollars": 0.5}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "size", "recipe", "title"),
    [
        ("sbu", PresetSize.TINY, Recipe.PAPER, "sbu, size tiny"),
        ("utd-mhad", PresetSize.SMALL, Recipe.BEST, "utd-mhad, size small, recipe best"),
        ("ntu60-xsub", PresetSize.SMALL, Recipe.RELEASED, "ntu60-xsub, recipe released"),
    ],
)
def test_the_nearest_preset_is_the_one_that_was_taken(
    name: str, size: PresetSize, recipe: Recipe, title: str
) -> None:
    config = with_overrides(
        preset(name, size, recipe=recipe), ["seed=7", "device=cpu", "training.batch_size=3"]
    )
    assert nearest_preset(config)[0] == title


def test_what_differs_from_the_preset_is_marked(runs: Path) -> None:
    (run,) = read_runs([runs / "guided"])
    config = with_overrides(preset("sbu"), ["training.batch_size=3", "seed=7"])
    without = with_overrides(config, ["agents.chat=none"])
    recipes = [
        RecipeRuns(name, (replace(run, config=of),))
        for name, of in (("guided", config), ("unguided", without))
    ]
    table = settings_table(recipes)
    assert (table["preset"], table["recipes"]) == ("sbu, size small", ["guided", "unguided"])
    differing = {row["name"]: row["values"] for row in table["rows"] if row["differs"]}
    assert differing == {"training.batch_size": ["3", "3"], "agents.chat": ["analyst", "none"]}
    assert len(table["rows"]) > 50


def recorded(runs: Path, path: Path, agents: dict[str, Any] | None, *sessions: Any) -> Path:
    """Return a copy of a guided run with other records."""
    shutil.copytree(runs / "guided", path)
    run = RunDirectory(path)
    summary = run.read_summary() or {}
    run.summary.write_text(
        json.dumps(summary | {"agents": agents, "finished": "2026-01-02T04:00:00Z"})
    )
    if sessions:
        run.provenance.write_text(json.dumps({"sessions": sessions}))
    return path


def test_who_answered_is_said_with_tokens_and_cost(runs: Path, tmp_path: Path) -> None:
    first = recorded(runs, tmp_path / "a", AGENTS, SESSION)
    other = recorded(runs, tmp_path / "b", AGENTS, SESSION | {"commit": None, "version": "0.2"})
    found = read_runs([first, other])
    usage = agent_usage(found[0])
    assert usage is not None
    assert (usage["classes"], usage["missing"]) == (3, 1)
    assert "2 of 3 classes" in usage["problem"] and "HTTP 401" in usage["problem"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["dollars"]) == (1200, 34, 0.5)
    facts = record_facts(found)
    assert facts["version"] == "0.1.0, 0.2" and facts["commit"] == "0123456789 with changes"
    assert facts["guided"] == "2 of 3 classes, by analyst, openai:gpt-4o"
    assert (facts["tokens"], facts["cost"]) == ("2,468", "$1.00")
    assert facts["finished"] == "2026-01-02"
    models = {"m": {"requests": 1, "input_tokens": 5, "output_tokens": 1, "dollars": None}}
    unpriced = recorded(runs, tmp_path / "c", AGENTS | {"models": models})
    assert record_facts(read_runs([unpriced]))["cost"] == "price unknown"


def test_a_run_that_goes_on_is_counted_from_its_dialogues(runs: Path) -> None:
    (going,) = read_runs([runs / "going"])
    usage = agent_usage(going)
    assert usage is not None and usage["problem"] == "" and usage["missing"] == 0
    assert usage["guided"] == [("analyst", 3)] and usage["questions"] == 4
    begun, unguided = read_runs([runs / "begun", runs / "unguided"])
    assert agent_usage(begun) is None and agent_usage(unguided) is None


def test_runs_of_earlier_versions_have_a_record(runs: Path) -> None:
    record = experiment_record(compare_runs([runs / "guided", runs / "unguided"], None))
    assert record["sessions"] == []
    assert [row["run"] for row in record["runs"]] == ["guided", "unguided"]
    assert record["runs"][0]["commits"] == [] and record["runs"][0]["machine"] == ""
    assert record_facts(read_runs([runs / "begun"]))["version"] == ""


def test_every_session_is_kept(runs: Path, tmp_path: Path) -> None:
    later = SESSION | {"started": "2026-01-03T00:00:00Z", "command": "skeletonagent train --resume"}
    path = recorded(runs, tmp_path / "a", AGENTS, SESSION, later)
    record = experiment_record(compare_runs([path], None))
    assert [session["command"] for session in record["sessions"]] == [
        "skeletonagent train tiny", "skeletonagent train --resume",
    ]  # fmt: skip
    assert record["runs"][0]["started"] == SESSION["started"]


@pytest.mark.parametrize(
    "agents", [5, {"guided": {"a": -1}}, {"models": {"m": 3}}, {"classes": "x"}]
)
def test_damaged_counts_are_refused(runs: Path, tmp_path: Path, agents: Any) -> None:
    path = recorded(runs, tmp_path / "run", agents)
    with pytest.raises(DataError, match=r"summary\.json: is damaged"):
        read_runs([path])
