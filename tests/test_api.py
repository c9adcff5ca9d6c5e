"""The public interface: what importing it loads, what it names, and that its examples are true."""

from __future__ import annotations

import ast
import doctest
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.small_run import SETTINGS, samples, small_archive, small_run

import skeletonagent as sa
from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.core.layout import KINECT_25
from skeletonagent.training.callbacks import EpochRecord

SOURCE = Path(sa.__file__).parent
EXAMPLES = sorted(
    ".".join(("skeletonagent", *path.relative_to(SOURCE).with_suffix("").parts))
    for path in SOURCE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8") and path.name != "__init__.py"
)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as the examples know it: an archive, and a run trained on it."""
    folder = tmp_path_factory.mktemp("workplace")
    archive = small_archive(folder / "skeletons" / "mine")
    small_run(archive, folder / "runs" / "first")
    return folder


@pytest.fixture
def inside(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(workplace)
    yield workplace
    shutil.rmtree(workplace / "runs" / "mine", ignore_errors=True)


def loaded_after(statement: str) -> set[str]:
    """Return the modules that are loaded after a statement in a fresh interpreter."""
    program = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(result.stdout))


def test_import_loads_nothing_heavy() -> None:
    loaded = loaded_after("import skeletonagent; dir(skeletonagent); skeletonagent.__version__")
    assert not loaded & {"torch", "numpy", "pydantic", "yaml", "typer", "rich"}
    assert {name for name in loaded if name.startswith("skeletonagent.")} == set()


def test_every_name_is_there_and_documented() -> None:
    assert set(sa.__all__) == {"__version__", *sa._MODULES}
    assert dir(sa) == sorted(sa.__all__)
    for name in sa._MODULES:
        value = getattr(sa, name)
        assert value.__doc__, name
        assert value.__name__ == sa._DEFINED_AS.get(name, name)
    with pytest.raises(AttributeError, match="no attribute 'predict'"):
        _ = sa.predict


def test_type_checkers_see_the_same_names_as_the_table() -> None:
    tree = ast.parse(Path(sa.__file__).read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {}
    for node in checked.body:
        assert isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names:
            seen[alias.asname] = (node.module.removeprefix("skeletonagent."), alias.name)
    assert seen == {
        name: (module, sa._DEFINED_AS.get(name, name)) for name, module in sa._MODULES.items()
    }
    assert (SOURCE / "py.typed").is_file()


@pytest.mark.parametrize("module", EXAMPLES)
@pytest.mark.usefixtures("inside")
def test_examples_are_true(module: str) -> None:
    results = doctest.testmod(
        import_module(module), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert results.attempted and not results.failed


class Watching(sa.Callback):
    """Counts what it is called with."""

    def __init__(self) -> None:
        self.epochs: list[int] = []

    def on_epoch(self, record: EpochRecord) -> None:
        self.epochs.append(record.epoch)


def test_training_prints_nothing_and_reports_to_its_callback(
    inside: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    watching = Watching()
    run = sa.train(
        "default",
        data=inside / "skeletons" / "mine",
        out=tmp_path / "run",
        overrides={**SETTINGS, "agents.chat": "none"},
        callback=watching,
    )
    run.predictor().predict(samples(1)[0].joints)
    assert watching.epochs == [0, 1]
    assert capfd.readouterr() == ("", "")
    assert run.path == tmp_path / "run" and run.config.agents.chat == "none"


def test_a_run_is_continued_only_when_asked(inside: Path, tmp_path: Path) -> None:
    archive = inside / "skeletons" / "mine"
    settings = {**SETTINGS, "agents.chat": "none"}
    run = sa.train("default", data=archive, out=tmp_path / "run", overrides=settings)
    with pytest.raises(ConfigError, match="already holds a run"):
        sa.train("default", data=archive, out=tmp_path / "run", overrides=settings)
    again = sa.train(run.config, data=archive, out=tmp_path / "run", resume=True)
    assert again.metrics == run.metrics


def test_data_in_memory_are_trained_on(inside: Path, tmp_path: Path) -> None:
    data = sa.open_dataset(inside / "skeletons" / "mine")
    settings = {**SETTINGS, "agents.chat": "none"}
    held = sa.train("default", data=data, out=tmp_path / "memory", overrides=settings)
    read = sa.train(
        "default", data=inside / "skeletons" / "mine", out=tmp_path / "file", overrides=settings
    )
    weights = [run.predictor("cpu").models[0].recognizer.state_dict() for run in (held, read)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert held.summary is not None
    assert held.evaluate().top1 == held.evaluate(data=data).top1 == held.summary["top1"]


def test_mistakes_in_overrides_are_listed_all_at_once(inside: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        sa.train(
            "default",
            data=inside / "skeletons" / "mine",
            out=tmp_path / "run",
            overrides={"training.epoch": 3, "clips.frames": "many", "seed.x": 1},
        )
    for text in ("training.epochs", "clips.frames", "seed"):
        assert text in str(caught.value)


def test_a_run_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run directory"):
        sa.Run(tmp_path)
    with pytest.raises(CheckpointError, match="no trained run"):
        sa.load(tmp_path)


def test_a_report_is_one_page(inside: Path, tmp_path: Path) -> None:
    page = sa.Run("runs/first").report(tmp_path / "page.html", clips=2).read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "runs/first" not in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": "coco-99"}, "no layout 'coco-99'; there are .*coco-17"),
        ({"layout": KINECT_25}, r"wanted is \(M, T, 25, C\)"),
        ({"class_names": ["wave"]}, "has label 1, and there are 1 class names"),
        ({"splits": {}}, "needs a split"),
        ({"splits": {"a": (["clip0"], ["clip9", "x"])}}, "not there: \\['x'\\]"),
        ({"clips": []}, "needs samples"),
        ({"clips": [samples(1)[0]] * 2}, "a sample_id of its own"),
    ],
)
def test_a_data_set_that_cannot_be_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    wanted = {
        "clips": samples(),
        "layout": "coco-17",
        "class_names": ["wave", "jump", "squat"],
        "splits": {"halves": (["clip0"], ["clip1"])},
    }
    with pytest.raises((ConfigError, DataError), match=message):
        sa.write_dataset(**(wanted | changes), path=tmp_path / "mine")


def test_what_was_not_seen_is_stored_as_absent(tmp_path: Path) -> None:
    (sample,) = samples(1)
    sample.joints[0, 3, 5, 1] = np.nan
    path = sa.write_dataset(
        [sample],
        layout="coco-17",
        class_names=["wave"],
        splits={"all": (["clip0"], ["clip0"])},
        path=tmp_path / "mine.npz",
    )
    stored = sa.open_dataset(path).store.sequence(0).joints
    assert not stored[0, 3, 5].any()
    sample.joints[0, 3, 5] = 0
    np.testing.assert_array_equal(stored, sample.joints)
