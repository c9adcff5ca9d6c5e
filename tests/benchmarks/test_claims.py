"""Benchmark of claims, whole at a tiny size, and its reading of recorded answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from benchmarks.claims import RECORDED, Claims, joint_counts, parts_said_to_move
from tests.small_run import samples, small_archive
from typer.testing import CliRunner

from benchmarks import claims
from skeletonagent.agents import prompts
from skeletonagent.agents.evidence.claim_test import ClaimTester
from skeletonagent.agents.evidence.effect_sizes import Evidence
from skeletonagent.agents.evidence.measured_clips import MeasuredClips, measure_labelled_clips
from skeletonagent.core.claim_results import Verdict
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import Dialogue, Exchange, Step
from skeletonagent.core.layout import KINECT_25
from skeletonagent.experiments.datasets import open_dataset


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_archive(tmp_path_factory.mktemp("skeletons") / "mine", samples(36))


@pytest.fixture(scope="module")
def measured(archive: Path) -> MeasuredClips:
    data = open_dataset(archive)
    return measure_labelled_clips(data.store, data.store.indices(data.splits["halves"].train))


def test_the_table_counts_every_claim_once(archive: Path) -> None:
    app = typer.Typer()
    app.command()(claims.main)

    def printed(*options: str) -> str:
        return CliRunner().invoke(app, [str(archive), *options], catch_exceptions=False).stdout

    found = json.loads(printed("--json"))
    rows = found["sources"]
    analyst = next(row for row in rows if row["source"] == "analyst")
    assert analyst["clips"] == "training clips" and analyst["claims"] > 0
    for row in rows:
        assert row["claims"] == sum(row[verdict] for verdict in Verdict)
    shown = printed("--examples", "1")
    assert "by effect alone" in shown and "analyst: " in shown


def test_claims_about_one_class_are_tested_together(measured: MeasuredClips) -> None:
    tester, claim = ClaimTester(measured), Claim.parse("hand height more")
    source = Claims("me", {"wave": [claim], "jump": [claim, Claim.parse("foot speed more")]})
    assert source.tested(tester) == [
        ("wave", *tester.test("wave", [claim])),
        *(("jump", one) for one in tester.test("jump", source.by_class["jump"])),
    ]


def test_fewer_joints_within_chance_are_named_than_by_effect_alone(
    measured: MeasuredClips,
) -> None:
    ours, alone = joint_counts(Evidence.of(measured)).values()
    assert ours[1] / ours[0] <= alone[1] / alone[0] and ours[0] <= alone[0]


def test_parts_that_move_are_read_from_recorded_answers() -> None:
    texts = {
        Step.OVERVIEW: "The torso bends and the left arm swings.",
        Step.BODY_PARTS: "Head: the head tilts.\nArm: the left arm swings, the foot does not move.",
    }
    exchanges = (
        Exchange(prompts.question(step, "wave", KINECT_25), text) for step, text in texts.items()
    )
    found = parts_said_to_move(Dialogue("wave", tuple(exchanges)))
    assert list(map(str, found)) == [
        "trunk speed more", "left arm speed more", "head speed more",
    ]  # fmt: skip


def test_recorded_classes_are_those_of_the_recorded_data_sets() -> None:
    assert set(RECORDED) == {"nturgbd_60", "nturgbd_120"}
    small, large = (set(names) for names in RECORDED.values())
    assert not small & large
