from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from skeletonagent.agents.answers.repair import validated
from skeletonagent.agents.released_dialogues import (
    detail_labels,
    original_answer,
    read_released_dialogues,
    released_salient,
    salient_joints,
)
from skeletonagent.core.dialogue import DESCRIPTION, Outcome, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import DataError
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_20, KINECT_25, UAV_17, SkeletonLayout
from skeletonagent.core.streams import Stream

NAMES = ["eat meal/snack", "grab other person’s stuff"]
PARTS = [f"{part}: still." for part in ("Head", "Hand", "Arm", "Hip", "Leg", "Foot")]
DETAILS = "Well:\n8-left hand: Rises.  \n7-left wrist: Bends.  \n99-tail: Wags.\n\n(Note: enough.)"
ANSWERS = ["A hand rises.", " ".join(PARTS), ", ".join(map(str, range(1, 26))), DETAILS, "It is."]


def recorded(action: str, answers: list[str]) -> str:
    rounds = [
        f"\nRound {n} Question:\nOf '{action}', say\n1. what.\n\nRound {n} Answer:\n{answer}\n\n"
        for n, answer in enumerate(answers, start=1)
    ]
    return "".join(f"{text}{'=' * 80}\n" for text in rounds)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Return a folder as it was published, of two classes."""
    folder = tmp_path / "code" / "gpt4o" / "nturgbd_60"
    folder.mkdir(parents=True)
    (tmp_path / "code" / "label_map").mkdir()
    (tmp_path / "code" / "label_map" / "nturgbd_60.txt").write_text("\n".join([*NAMES, ""]))
    for n, name in enumerate(NAMES, start=1):
        file = folder / f"{n:03d}_{name.replace('/', '_').replace(' ', '_')}.txt"
        file.write_text(recorded(name, ANSWERS))
    return tmp_path / "code"


def test_questions_keep_their_words_and_answers_are_judged(release: Path) -> None:
    told = read_released_dialogues(release, "nturgbd_60")
    assert told.layout == KINECT_25 and [d.action for d in told.dialogues] == NAMES
    exchanges = told.dialogues[0].exchanges
    assert tuple(e.question.step for e in exchanges) == DESCRIPTION
    assert {e.question.text for e in exchanges} == {"Of 'eat meal/snack', say\n1. what."}
    found = [e.outcome.value for e in exchanges]
    assert found == ["accepted", "repaired", "rejected", "rejected", "accepted"]
    assert exchanges[1].answer == "\n".join(PARTS)
    assert [original_answer(told.dialogues[0], step) for step in DESCRIPTION] == ANSWERS
    alone = validated(exchanges[3], KINECT_25)  # not knowing that 25 joints were critical
    assert alone.outcome is Outcome.REPAIRED
    assert alone.answer == "7-left wrist: Bends.\n8-left hand: Rises."


def test_a_zip_a_folder_and_the_data_sets_own_folder_hold_the_same(
    release: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "all.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in release.rglob("*.txt"):
            archive.write(file, file.relative_to(release))
    expected = read_released_dialogues(release, "nturgbd_60")
    for path in (packed, release / "gpt4o", release / "gpt4o" / "nturgbd_60"):
        assert read_released_dialogues(path, "nturgbd_60") == expected
    read_released_dialogues(release, "nturgbd_60", NAMES[:1]).save(tmp_path / "saved")
    assert DialogueCollection.load(tmp_path / "saved").dialogues == expected.dialogues[:1]


def test_what_is_missing_or_damaged_is_named(release: Path, tmp_path: Path) -> None:
    folder = release / "gpt4o" / "nturgbd_60"
    first, second = sorted(folder.iterdir())

    def problem(*names: str, path: Path = release, dataset: str = "nturgbd_60") -> str:
        with pytest.raises(DataError) as caught:
            read_released_dialogues(path, dataset, names or None)
        return str(caught.value)

    assert "there are nturgbd_60," in problem(dataset="ntu")
    assert "holds no folder 'finegym'" in problem(dataset="finegym")
    assert "cannot be read" in problem(path=release / "nowhere")
    assert "cannot be read" in problem(path=first)
    assert "no file of class 3" in problem(*NAMES, "wave")
    assert "is not about 'wave'" in problem("wave")
    second.write_text(recorded(NAMES[1], ANSWERS) + recorded(NAMES[1], ANSWERS[:1]))
    assert "rounds [1, 2, 3, 4, 5, 1]" in problem()
    second.unlink()
    assert "no file of class 2" in problem()
    (release / "label_map" / "nturgbd_60.txt").unlink()
    assert "give the class names" in problem()


def test_joints_are_those_that_begin_a_line_whatever_else_is_said(release: Path) -> None:
    (dialogue, _) = read_released_dialogues(release, "nturgbd_60").dialogues
    assert detail_labels(DETAILS) == [8, 7, 99]
    assert salient_joints(dialogue, KINECT_25) == (6, 7)
    assert salient_joints(dialogue.before(Step.JOINT_DETAILS), KINECT_25) == ()


@pytest.mark.parametrize("layout", [KINECT_25, COCO_20, UAV_17], ids=lambda layout: layout.name)
def test_released_masks_differ_from_ours_in_two_slips_only(layout: SkeletonLayout) -> None:
    v = layout.num_joints
    each = tuple(ClassGuidance(str(joint), (joint,), "") for joint in range(v))
    guidance = Guidance(layout, each)
    for stream in Stream:
        ours, theirs = guidance.salient(stream), released_salient(guidance, stream)
        wrong = {int(joint) for joint in (ours != theirs).any(0).nonzero()}
        if stream.base is Stream.JOINT or layout is COCO_20:
            assert not wrong
        elif layout is KINECT_25:
            assert wrong == {20, 21}
            torch.testing.assert_close(theirs[:, [21, 20]], ours[:, [20, 21]])
        else:
            assert wrong == ({11} if stream.base is Stream.KBONE else set())
            assert theirs[[4, 7], 11].tolist() == [stream.base is Stream.KBONE, False]
