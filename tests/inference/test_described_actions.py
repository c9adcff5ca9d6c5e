"""Actions that a run knows by a description, alone or beside examples."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.small_run import CLASSES, samples, small_archive, small_run, swinging
from typer.testing import CliRunner

from skeletonagent.agents.evidence.claim_scores import DescribedClass
from skeletonagent.cli.app import app
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import Step
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.inference.action_examples import (
    add_action,
    knowing_actions,
    knowing_examples,
    list_actions,
)
from skeletonagent.inference.described_actions import ActionDescription, join_descriptions
from skeletonagent.inference.predictor import load_predictor
from skeletonagent.llm.chat import ScriptedChat
from skeletonagent.training.run_directory import RunDirectory

SHAKE = "both hands vertical range more; both feet vertical range more; hand speed more than jump"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    settings = {
        "clips__sampling": "linear", "model__backbone": "joint-cnn", "model__readout": "temporal",
        "model__readout_width": 8, "training__optimizer": "adamw", "training__learning_rate": 0.01,
        "training__steps": 60, "agents__chat": "none", "training__validation_share": 0,
        "kernel_ridge__weight": 1,
    }  # fmt: skip
    return small_run(small_archive(folder / "mine", samples(24)), folder / "run", **settings).path


@pytest.fixture
def run(trained: Path) -> Iterator[Path]:
    yield trained
    RunDirectory(trained).actions.unlink(missing_ok=True)


def shaking(folder: Path, number: int) -> Path:
    """Write a clip in which hands and feet go up and down, as in no class."""
    joints = swinging(0, number, frames=30)
    joints[:, :, [9, 10, 15, 16], 1] += 3 * np.sin(np.arange(30) * 0.9)[None, :, None]
    path = folder / f"shaking{number}.npy"
    np.save(path, joints)
    return path


def test_an_action_from_a_description_alone(run: Path, tmp_path: Path) -> None:
    before = load_predictor(run, "cpu")
    action = add_action(run, "shake", describe=SHAKE)
    assert (action.examples, action.made_of) == (0, "3 claims")
    assert list_actions(run) == (action,)
    after = knowing_actions(load_predictor(run, "cpu"))
    assert after.class_names == (*CLASSES, "shake")
    file = shaking(tmp_path, 0)
    assert after.predict(file)[0].class_name == "shake"
    one, other = (model.predict(file, num_clips=1).probs[0] for model in (before, after))
    np.testing.assert_allclose(other[:3] / other[:3].sum(), one, rtol=1e-4)  # as before
    assert other.sum() == pytest.approx(1, abs=1e-5)


def test_clips_of_the_training_are_seldom_taken(run: Path) -> None:
    add_action(run, "shake", describe=SHAKE)
    model = knowing_actions(load_predictor(run, "cpu"))
    out = model.predict([sample.joints for sample in samples(12)])  # those that it learned
    assert "shake" not in {prediction.class_name for prediction in out}


def test_a_description_beside_examples(run: Path, tmp_path: Path) -> None:
    file = shaking(tmp_path, 1)
    alone = add_action(run, "by example", [file])
    both = add_action(run, "by both", [file], describe=SHAKE)
    add_action(run, "by words", describe=SHAKE)
    assert both.weight == alone.weight
    assert both.made_of == "1 example and 3 claims"
    model = knowing_actions(load_predictor(run, "cpu"))
    assert model.class_names == (*CLASSES, "by example", "by both", "by words")
    probs = model.predict(shaking(tmp_path, 2)).probs[0]
    assert probs[4] > probs[3]  # it bears the description out
    with pytest.warns(UserWarning, match=r"by words left out|by both known by their examples"):
        exported = knowing_examples(load_predictor(run, "cpu"))
    assert exported.class_names == (*CLASSES, "by example", "by both")


def test_examples_alone_are_exported_without_a_word(run: Path, tmp_path: Path) -> None:
    add_action(run, "shake", [shaking(tmp_path, 3)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = knowing_examples(load_predictor(run, "cpu"))
    assert known.class_names == (*CLASSES, "shake")


def test_the_name_of_a_described_class_and_free_words(run: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bowling is compared with no class of the run
        bowl = add_action(run, "bowl", describe="Bowling (right hand)")
    assert bowl.description is not None
    assert "right hand height less" in bowl.description.claims
    answer = (
        "Joints: 10-left wrist, 11-right wrist\nDifference: the hands shake\n"
        "Claims: both hands speed more; tail speed more; foot speed less than Jump"
    )
    chat = ScriptedChat({("shiver", Step.DISTINGUISH): answer})
    with pytest.warns(UserWarning, match="left out: .*no body part 'tail'"):
        shiver = add_action(run, "shiver", describe="a person shivers with cold", chat=chat)
    assert shiver.description is not None
    assert shiver.description.claims == ("both hands speed more", "foot speed less than jump")
    idle = ScriptedChat({("freeze", Step.DISTINGUISH): "I do not know."})
    with pytest.raises(ConfigError, match="made no claims of the description of 'freeze'"):
        add_action(run, "freeze", describe="a person freezes", chat=idle)


def test_what_cannot_be_added_is_refused(run: Path) -> None:
    with pytest.raises(ConfigError, match="at least one example or a description"):
        add_action(run, "shake", describe="  ")
    with pytest.raises(ConfigError, match=r"with --chat, free words will do"):
        add_action(run, "shake", describe="a person shakes")
    with pytest.raises(ConfigError, match="compares with no class of the run"):
        add_action(run, "shake", describe="hand speed more than swim")


@pytest.mark.parametrize(
    ("key", "value"),
    [("spreads", []), ("scale", 0.0), ("subjects", ["tail speed more"]), ("place", "high")],
)
def test_a_damaged_description_is_said(run: Path, key: str, value: Any) -> None:
    add_action(run, "shake", describe=SHAKE)
    file = RunDirectory(run).actions
    content = json.loads(file.read_text())
    content["actions"][0]["description"][key] = value
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="is damaged"):
        list_actions(run)
    content["actions"][0]["description"] = None
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="'shake' has neither examples nor a description"):
        list_actions(run)


def test_the_commands(run: Path, tmp_path: Path) -> None:
    def call(*arguments: object) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    call("actions", "add", run, "shake", "--describe", SHAKE)
    listed = json.loads(call("actions", "list", run, "--json"))["actions"]
    assert listed == [{"name": "shake", "examples": 0, "claims": SHAKE.split("; ")}]
    assert "both hands vertical range more" in call("actions", "list", run)
    assert "shake" in call("predict", shaking(tmp_path, 0), "--run", run, "--csv")
    call("actions", "remove", run, "shake")
    assert list_actions(run) == ()


def test_odds_by_hand() -> None:
    subject = Claim.parse("hand speed more")
    described = DescribedClass("new", (subject,), (0.0,), (1.0,), (1.0,))
    description = ActionDescription(("hand speed more",), described, threshold=0.5)
    alone = description.odds_alone(torch.tensor([1.0]), torch.tensor([0.5]))
    assert float(alone) == pytest.approx(3 * (1 + np.log(2)) - 0.5)
    beside = description.odds_beside(torch.tensor([1.0]), torch.tensor([-2.0]))
    assert float(beside) == pytest.approx(-1.5)
    again = ActionDescription.from_json("new", json.loads(json.dumps(description.to_json())))
    assert again == description


def test_actions_of_examples_alone_keep_their_odds() -> None:
    network = ClassProbabilities(("a",), np.array([0]), np.array([[0.5, 0.2, 0.3]]))
    joined = join_descriptions([None], network, [], num_classes=2)
    np.testing.assert_allclose(joined.probs, network.probs)
