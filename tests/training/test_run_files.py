"""Files that runs write: nothing else is written over or removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.training.run_directory import RunDirectory
from skeletonagent.training.run_files import (
    folder_name,
    remove_drafts,
    remove_run,
    require_free,
)


@pytest.mark.parametrize(
    "file", ["best.pth", "checkpoints/mine/best.pth", "dialogues/notes.txt", ".hidden", "lock"]
)
def test_a_folder_of_others_is_refused_and_left_as_it_is(tmp_path: Path, file: str) -> None:
    place = tmp_path / "run" / file
    place.parent.mkdir(parents=True)
    place.write_text("precious")
    with pytest.raises(ConfigError, match=f"holds '{file}'"):
        require_free(tmp_path / "run")
    assert place.read_text() == "precious"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("precious")
    with pytest.raises(ConfigError, match="is a file"):
        require_free(tmp_path / "run")


def test_what_a_killed_start_left_is_no_obstacle(tmp_path: Path) -> None:
    require_free(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    (tmp_path / "lock").write_text("process 7 on this machine")
    (tmp_path / "choices.json").write_text('{\n "reasons": []}')
    (tmp_path / ".config.yaml.x7.draft").write_text("clip")
    require_free(tmp_path)
    (tmp_path / "choices.json").write_text("my own choices")
    with pytest.raises(ConfigError, match=r"choices\.json"):
        require_free(tmp_path)


def test_a_folder_of_runs_may_get_more(tmp_path: Path) -> None:
    (tmp_path / "seed0" / "mine").mkdir(parents=True)
    (tmp_path / "seed0" / "mine" / "notes").write_text("precious")
    (tmp_path / "seed0" / "config.yaml").touch()
    (tmp_path / "seed0.log").write_text("said")
    require_free(tmp_path, ["seed0.log"])
    with pytest.raises(ConfigError, match=r"seed0\.log"):
        require_free(tmp_path)


def test_only_drafts_of_the_run_itself_are_removed(tmp_path: Path) -> None:
    for file in (".config.yaml.x7.draft", "seed0/.summary.json.x7.draft", "config.draft"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    remove_drafts(tmp_path)
    kept = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(kept) == [".summary.json.x7.draft", "config.draft"]


def begun(path: Path) -> RunDirectory:
    """Return a run with some of the files that runs have."""
    for file in (
        "config.yaml", "summary.json", "dialogues/about.json", "dialogues/001_wave.jsonl",
        "checkpoints/epoch_0002/state.json", "checkpoints/.draft_x/tensors.safetensors",
        "snapshots/epoch_0001.npz",
    ):  # fmt: skip
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).touch()
    return RunDirectory(path)


def test_a_run_is_removed_with_all_that_it_wrote(tmp_path: Path) -> None:
    remove_run(begun(tmp_path / "run"))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("file", ["notes.txt", "checkpoints/mine/best.pth", "dialogues/a/1.jsonl"])
def test_a_run_with_other_files_is_kept_whole(tmp_path: Path, file: str) -> None:
    run = begun(tmp_path / "run")
    (run.path / file).parent.mkdir(exist_ok=True)
    (run.path / file).touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="was not written by a run"):
        remove_run(run)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    begun(tmp_path / "far" / "seed0")
    (tmp_path / "guided").symlink_to(tmp_path / "far")
    with pytest.raises(ConfigError, match="reached by a link"):
        remove_run(RunDirectory(tmp_path / "guided" / "seed0"))
    run = begun(tmp_path / "run")
    (run.path / "tensorboard").symlink_to(tmp_path / "far")
    with pytest.raises(ConfigError, match="tensorboard"):
        remove_run(run)
    assert (tmp_path / "far" / "seed0" / "config.yaml").exists()


@pytest.mark.parametrize("name", ["xsub", "subjects-1-of-5", "fold 1", "v1.2_b", "Prüfung"])
def test_usual_names_of_splits_stay_as_they_are(name: str) -> None:
    assert folder_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["/abs", "../../x", "..", ".", "", "a\0b", "a\n", "c:\\x", "x" * 300, "日" * 100, "\ud800"],
)
def test_other_names_become_names_of_one_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / folder_name(name)).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [folder_name(name)]
    assert folder_name(name) != folder_name(f"{name}/")
