from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.invocation import invoke, invoke_twice

from skeletonagent.agents import prompts
from skeletonagent.cli.show import label_of_class
from skeletonagent.core.claim_results import ClaimResult, Verdict
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Provenance, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17

NAMES = ("hand_wave", "hand [bold]clap", "Sit Down", "sit")
ANSWER = "Joints: 10-left wrist, 11-right wrist\nDifference: It waves [sideways]."


def exchange(step: Step, answer: str, round_number: int = 0, **facts: Any) -> Exchange:
    rivals, counts = (("sit",), (7,)) if round_number else ((), ())
    question = prompts.question(
        step, NAMES[0], COCO_17, rivals, counts=counts, round_number=round_number
    )
    return Exchange(question, answer, **facts)


FAILED = exchange(Step.DISTINGUISH, "hands", 2, outcome=Outcome.REJECTED, problem="no joints")
SAID = Dialogue(
    NAMES[0],
    (
        exchange(Step.JOINT_DETAILS, "10-left wrist: waves."),
        exchange(
            Step.KEY_FEATURES, "It waves.", source=Provenance("openai:gpt-4o", input_tokens=7)
        ),
        exchange(
            Step.DISTINGUISH,
            ANSWER,
            2,
            outcome=Outcome.REPAIRED,
            problem="the order",
            earlier=(FAILED,),
            remarks=("the wrist rests",),
        ),
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    DialogueCollection(COCO_17, (SAID, *map(Dialogue, NAMES[1:]))).save(
        tmp_path / "run" / "dialogues"
    )
    return tmp_path / "run" / "dialogues"


@pytest.fixture
def run(folder: Path) -> Path:
    """A run in whose second round nothing changed, and whose third was amended."""
    rounds = []
    told = [((9,), "It waves."), ((9,), "It waves."), ((9, 10, 0), "It waves [sideways].")]
    for number, (joints, sentence) in enumerate(told):
        chosen = ClassGuidance(NAMES[0], joints, sentence, notes=("added",) if number else ())
        others = tuple(ClassGuidance(name, (), name) for name in NAMES[1:])
        rounds.append(Guidance(COCO_17, (chosen, *others), number).to_json())
    (folder.parent / "guidance.json").write_text(json.dumps({"rounds": rounds}))
    return folder.parent


def typed(*arguments: object) -> tuple[dict[str, Any], str]:
    printed, shown = invoke_twice("dialogues", "show", *arguments)
    return printed, " ".join(shown.split())


def test_a_run_tells_what_became_salient_round_by_round(run: Path) -> None:
    printed, shown = typed(run, "wave")
    assert (printed["number"], printed["action"]) == (1, NAMES[0])
    assert [(item["round"], item["joints"]) for item in printed["salient"]] == [
        (0, ["10-left wrist"]),
        (2, ["10-left wrist", "11-right wrist", "1-nose"]),
    ]
    assert printed["salient"][1]["notes"] == ["added"]
    joints = [item["joints"] for item in printed["exchanges"]]
    assert joints == [["10-left wrist"], [], ["10-left wrist", "11-right wrist"]]
    read = [Exchange.from_json(item, NAMES[0], COCO_17.joints) for item in printed["exchanges"]]
    assert tuple(read) == SAID.exchanges
    for text in (
        "class 1 of 4", "Before training", "Round 2", "mistaken for sit (7×)",
        "rejected attempt", "! no joints", "! the order", "the clips: the wrist rests",
        "openai:gpt-4o · 7 + 0 tokens", "became salient: left wrist, right wrist, nose",
        "“It waves [sideways].”", "note: added", "joints: left wrist, right wrist", "repaired",
        " ".join(SAID.exchanges[0].question.plain.split()),
    ):  # fmt: skip
        assert text in shown, text


def test_of_a_bare_folder_what_the_answers_come_to(folder: Path) -> None:
    printed, _ = typed(folder, "1")
    (salient,) = printed["salient"]
    assert salient["round"] == 2 and salient["sentence"] == "It waves [sideways]."
    assert salient["joints"] == ["10-left wrist", "11-right wrist"]
    printed, shown = typed(folder, "sit down")
    assert printed["exchanges"] == printed["salient"] == [] and "nothing was said" in shown


def test_all_classes_are_listed_without_one(folder: Path) -> None:
    printed, shown = typed(folder)
    assert [item["action"] for item in printed["classes"]] == list(NAMES)
    assert printed["classes"][0] == {
        "number": 1, "action": NAMES[0], "answers": 3, "rounds": 1, "not_accepted": 1
    }  # fmt: skip
    assert "hand [bold]clap" in shown


def test_a_page_is_written_beside(run: Path, tmp_path: Path) -> None:
    done = invoke("dialogues", "show", run, "wave", "--html", tmp_path / "new" / "wave.html")
    page = (tmp_path / "new" / "wave.html").read_text()
    assert page.startswith("<!doctype html>") and "It waves [sideways]." in page
    assert "wave.html" in done.err
    with pytest.raises(ConfigError, match="needs a CLASS"):
        typed(run, "--html", tmp_path / "all.html")


@pytest.mark.parametrize(
    ("asked", "label"),
    [
        ("hand_wave", 0), ("HAND wave", 0), ("wav", 0), ("2", 1), ("sit", 3), ("down", 2),
        (" sit  down ", 2),
    ],
)  # fmt: skip
def test_a_class_by_name_part_or_number(asked: str, label: int) -> None:
    assert label_of_class(asked, list(NAMES)) == label


def test_a_name_counts_before_a_number() -> None:
    assert label_of_class("2", ["2", "1"]) == 0


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("hand", r"1 hand_wave, 2 hand \[bold\]clap"),
        ("si", "3 Sit Down, 4 sit"),
        ("run", "no class"),
        ("9", "no class"),
        ("0", "no class"),
    ],
)
def test_what_is_no_class_or_several_is_refused(asked: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        label_of_class(asked, list(NAMES))


def test_two_classes_of_one_name_are_told_apart_by_number() -> None:
    with pytest.raises(ConfigError, match="1 wave, 2 wave; give more of it or its number"):
        label_of_class("wave", ["wave", "wave"])
    assert label_of_class("2", ["wave", "wave"]) == 1


def test_what_holds_no_dialogues_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        typed(tmp_path, "wave")


def with_claims(tmp_path: Path) -> Path:
    claims = "right hand height more than sit; head speed less; left hand reach less"
    results = (
        ClaimResult(
            Claim.parse("right hand height more", "sit"), Verdict.BORNE_OUT, 1.25, 0.5, 2.0
        ),
        ClaimResult(Claim.parse("head speed less"), Verdict.CONTRADICTED, -0.9, -1.5, -0.3),
    )
    answer = exchange(
        Step.DISTINGUISH,
        f"{ANSWER}\nClaims: {claims}",
        1,
        claim_results=results,
        caveats=("a guess",),
    )
    dialogues = (Dialogue(NAMES[0], (answer,)), *map(Dialogue, NAMES[1:]))
    DialogueCollection(COCO_17, dialogues).save(tmp_path / "claims")
    return tmp_path / "claims"


def test_claims_are_shown_with_verdict_effect_and_interval(tmp_path: Path) -> None:
    folder = with_claims(tmp_path)
    printed, shown = typed(folder, "wave")
    assert "claim: right hand height more than sit: borne out, d +1.25 [+0.50, +2.00]" in shown
    assert "claim: left hand reach less: not tested" in shown and "caveat: a guess" in shown
    (said,) = printed["exchanges"]
    assert [result["verdict"] for result in said["claim_results"]] == ["borne out", "contradicted"]
    invoke("dialogues", "show", folder, "wave", "--html", tmp_path / "wave.html")
    page = (tmp_path / "wave.html").read_text()
    assert '<td class="borne-out">borne out</td><td>d +1.25 [+0.50, +2.00]</td>' in page
    assert "not tested" in page and "a guess" in page


def test_claims_are_counted(tmp_path: Path) -> None:
    counted, shown = invoke_twice("dialogues", "claims", with_claims(tmp_path))
    assert counted["verdicts"] == {"borne out": 1, "contradicted": 1, "undecided": 0}
    assert (counted["claims"], counted["untested"], counted["classes_with_claims"]) == (3, 1, 1)
    shown = " ".join(shown.split())
    assert "3 claims about 4 classes 1 of them were not tested" in shown
    assert "all 1 (50%) 1 (50%) 0 (0%)" in shown
    assert "hand_wave: head speed less: contradicted, d -0.90 [-1.50, -0.30]" in shown


def test_dialogues_without_claims_have_none(folder: Path) -> None:
    counted, shown = invoke_twice("dialogues", "claims", folder)
    assert counted["claims"] == 0 and "0 claims about 4 classes" in shown
