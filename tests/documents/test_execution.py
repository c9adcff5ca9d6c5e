"""What the documents show to be typed can be typed in its order, and works."""

from __future__ import annotations

import os
import shutil
import socketserver
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.documents.not_run import NOT_RUN, reason_not_to_run
from tests.documents.reading import Code, Line
from tests.documents.small import small
from tests.documents.sources import ROOT, TYPED, named
from tests.documents.workshop import furnish

from skeletonagent.cli import main
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import datasets

WITH_STEPS = [path for path, typed_steps in TYPED.items() if typed_steps]

Typed = Callable[[Line], int]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with all that documents take for granted."""
    folder = tmp_path_factory.mktemp("workshop")
    furnish(folder)
    return folder


@pytest.fixture
def workshop(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder of the test's own, in which it works."""
    folder = tmp_path / "workshop"
    shutil.copytree(furnished, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run a line of a document made small, and return its status."""

    def interrupted(_server: socketserver.BaseServer, *_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(socketserver.BaseServer, "serve_forever", interrupted)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # power cuts are tested elsewhere
    few = partial(synthetic_dataset, clips_per_class=4, subjects=4)
    monkeypatch.setattr(datasets, "synthetic_dataset", few)

    def run(line: Line) -> int:
        program, *words = line.words
        if line.words[:3] == ("python", "-m", "zipfile"):
            zipfile.main(words[2:])
            return 0
        assert program == "skeletonagent", "neither run nor named in tests/documents/not_run.py"
        monkeypatch.setattr(sys, "argv", [program, *small(words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            sys.exit(main.execute())
        if line.into:
            Path(line.into).write_text(capsys.readouterr().out, encoding="utf-8")
        return int(ended.value.code or 0)

    return run


@pytest.mark.slow
@pytest.mark.usefixtures("workshop")
@pytest.mark.parametrize("document", WITH_STEPS, ids=named)
def test_what_a_document_shows_can_be_done_in_its_order(
    document: Path, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    for step in TYPED[document]:
        if isinstance(step, Code):
            exec(compile(step.text, named(document), "exec"), names)
        elif not reason_not_to_run(str(step)):
            status = typed(step)
            assert status == 0, f"{step}\n{capsys.readouterr().err}"


def test_what_is_not_run_stands_in_a_document() -> None:
    lines = [
        str(step)
        for document_steps in TYPED.values()
        for step in document_steps
        if isinstance(step, Line)
    ]
    skipped = {why for line in lines if (why := reason_not_to_run(line))}
    assert skipped == set(NOT_RUN.values())
    assert len([line for line in lines if not reason_not_to_run(line)]) > 90


@pytest.mark.slow
def test_torchrun_trains_on_one_machine(workshop: Path) -> None:
    guide = TYPED[ROOT / "docs" / "guides" / "several_processes.md"]
    line = next(step for step in guide if str(step).startswith("torchrun --nproc-per-node"))
    assert isinstance(line, Line)
    at = line.words.index("skeletonagent") + 1
    launch = ["2" if word.isdigit() else word for word in line.words[1:at]]
    arguments = ["-m", "torch.distributed.run", "--standalone", *launch, *small(line.words[at:])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert (workshop / "runs" / "ntu60" / "summary.json").is_file()
