"""Actions that a run learns from a few examples, without a training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.small_run import CLASSES, small_archive, small_run, swinging
from typer.testing import CliRunner

from skeletonagent.cli.app import app
from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.inference.action_examples import (
    add_action,
    knowing_actions,
    list_actions,
    remove_action,
)
from skeletonagent.inference.added_actions import TAKEN_SHARE, TrainingFeatures
from skeletonagent.inference.predictor import load_predictor
from skeletonagent.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    settings = {
        "clips__sampling": "linear", "model__backbone": "joint-cnn", "model__readout": "temporal",
        "model__readout_width": 8, "training__optimizer": "adamw", "training__learning_rate": 0.01,
        "training__steps": 80, "agents__chat": "none", "training__validation_share": 0,
    }  # fmt: skip
    return small_run(small_archive(folder / "mine"), folder / "run", **settings).path


@pytest.fixture
def run(trained: Path) -> Iterator[Path]:
    yield trained
    RunDirectory(trained).actions.unlink(missing_ok=True)


def example(folder: Path, number: int) -> Path:
    """Write a clip in which the joints swing against each other, as in no class."""
    joints = swinging(0, number, frames=30)
    joints[..., 1] += 3 * np.sin(np.arange(30) * 0.9)[None, :, None] * (np.arange(17) % 2)
    path = folder / f"example{number}.npy"
    np.save(path, joints)
    return path


def test_an_action_from_two_examples(run: Path, tmp_path: Path) -> None:
    before = load_predictor(run, "cpu")
    files = [example(tmp_path, number) for number in range(2)]
    action = add_action(run, " shake\x1b ", files)
    assert (action.name, action.examples) == ("shake", 2)
    assert [added.name for added in list_actions(run)] == ["shake"]
    after = knowing_actions(load_predictor(run, "cpu"))
    assert after.class_names == (*CLASSES, "shake")
    third = example(tmp_path, 7)
    assert after.predict(third)[0].class_name == "shake"
    logits, longer = (model.predict(third, num_clips=1).probs[0] for model in (before, after))
    np.testing.assert_allclose(longer[:3] / longer[:3].sum(), logits, rtol=1e-4)  # as before
    assert load_predictor(run, "cpu").class_names == CLASSES
    assert after.guidance.classes[3].sentence == "shake"


def test_an_action_is_taken_away(run: Path, tmp_path: Path) -> None:
    add_action(run, "shake", [example(tmp_path, 0)])
    add_action(run, "tremble", [example(tmp_path, 1)])
    with pytest.raises(ConfigError, match="there are: shake, tremble"):
        remove_action(run, "wave")
    remove_action(run, "shake")
    assert [action.name for action in list_actions(run)] == ["tremble"]
    remove_action(run, "tremble")
    assert not RunDirectory(run).actions.exists()


def test_what_cannot_be_added_is_refused(run: Path, tmp_path: Path) -> None:
    file = example(tmp_path, 0)
    with pytest.raises(ConfigError, match="'wave' is a class of the run already"):
        add_action(run, "wave", [file])
    with pytest.raises(ConfigError, match="needs a name"):
        add_action(run, "\x00", [file])
    with pytest.raises(ConfigError, match="at least one example"):
        add_action(run, "shake", [])
    with pytest.raises(DataError, match="name their archive with --data"):
        add_action(run, "shake", [file], data=tmp_path / "gone")
    RunDirectory(run).actions.write_text('{"recognizer": "another", "actions": []}')
    with pytest.raises(CheckpointError, match="of other weights"):
        knowing_actions(load_predictor(run, "cpu"))
    RunDirectory(run).actions.write_text('{"recognizer": 1}')
    with pytest.raises(DataError, match="is damaged"):
        list_actions(run)


def test_the_commands(run: Path, tmp_path: Path) -> None:
    def call(*arguments: object) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    file = example(tmp_path, 0)
    call("actions", "add", run, "shake", "--examples", file, "--examples", example(tmp_path, 1))
    assert '"examples": 2' in call("actions", "list", run, "--json")
    assert "shake" in call("predict", file, "--run", run, "--csv")
    call("actions", "remove", run, "shake")
    assert "shake" not in call("actions", "list", run)


def test_examples_score_as_clips_of_trained_classes_do_and_take_few_of_theirs() -> None:
    generator = torch.Generator().manual_seed(0)
    means = 3 * torch.eye(3, 8)
    labels = torch.arange(300) % 3
    features = means[labels] + 0.5 * torch.randn(300, 8, generator=generator)
    logits = 2 * features @ means.T / 3
    training = TrainingFeatures(features, labels, logits)
    far = 3 * torch.eye(8)[5] + 0.1 * torch.randn(2, 8, generator=generator)
    action = training.action("far", far, 2 * far @ means.T / 3)
    weight = torch.tensor(action.weight)
    own = logits.gather(1, labels[:, None]).mean()
    assert float((far @ weight + action.bias).mean()) == pytest.approx(float(own), abs=1e-3)
    claimed = training.action("far", far, torch.tensor([[1.0, 9.0, 0.0], [0.0, 9.0, 1.0]]))
    assert float((far @ torch.tensor(claimed.weight) + claimed.bias).min()) > 9  # as a class scores
    near = means[:1] + 0.3 * torch.eye(8)[6]  # all but a trained class
    taken = training.action("near", near, 2 * near @ means.T / 3)
    scores = features @ torch.tensor(taken.weight) + taken.bias
    share = (scores > logits.amax(dim=1) + 1e-5).float().mean()
    assert float(share) <= TAKEN_SHARE + 0.01
