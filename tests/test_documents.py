"""What the documents tell people to type can be typed, and does what it is shown for."""

from __future__ import annotations

import os
import re
import shlex
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
import typer
from tests.documents.not_run import NOT_RUN, reason_not_to_run
from tests.documents.reading import Code, Line, commands, steps
from tests.documents.small import small
from tests.documents.workshop import furnish

from skeletonagent.cli import main
from skeletonagent.cli.app import app
from skeletonagent.data.downloads import DOWNLOADS
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import build
from skeletonagent.experiments.plans import STUDY_PLANS
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import parse_stream, resolve_config

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
TYPED = {path: list(steps(path.read_text(encoding="utf-8"))) for path in DOCUMENTS}
WITH_STEPS = [path for path, found in TYPED.items() if found]

Typed = Callable[[Line], int]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the command's full name and the values of its parameters; a mention has none.

    Raises:
        Exception: As the program would, if there is no such command or option.
    """
    command: Any = typer.main.get_command(app)
    names: list[str] = []
    while words and hasattr(command, "commands"):
        name, *words = words
        if name.startswith("-"):
            continue
        if name not in command.commands:
            raise LookupError(f"no command {' '.join([*names, name])!r}")
        command = command.commands[name]
        names.append(name)
    if not words or words == ["--help"] or hasattr(command, "commands"):
        return " ".join(names), {}
    return " ".join(names), dict(command.make_context(names[-1], words).params)


def check_values(name: str, values: dict[str, Any]) -> None:
    """Raise an error if a preset, stream, plan or setting is named that does not exist."""
    if name == "data download" and values:
        assert values["name"] in DOWNLOADS
    if name == "ablate" and values:
        assert values["plan"] in STUDY_PLANS
    if "set_" in values:
        chosen = values.get("preset") or values.get("config") or "default"
        base = "default" if chosen.endswith((".yaml", ".yml")) else chosen
        chat = [f"agents.chat={values['chat']}"] if values.get("chat") else []
        resolve_config(base, PresetSize.SMALL, None, None, [*(values["set_"] or []), *chat])
    if values.get("stream") not in (None, "all"):
        for stream in values["stream"].split(","):
            parse_stream(stream)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_in_a_document_exists(document: Path) -> None:
    wrong = []
    for words in commands(document.read_text(encoding="utf-8")):
        try:
            check_values(*parsed(words))
        except Exception as error:
            told = getattr(error, "message", None) or str(error) or type(error).__name__
            wrong.append(f"skeletonagent {shlex.join(words)}: {told}")
    assert not wrong, "\n".join(wrong)


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
    monkeypatch.setattr(
        build, "synthetic", partial(synthetic_dataset, clips_per_class=4, subjects=4)
    )

    def run(line: Line) -> int:
        program, *words = line.words
        if line.words[:3] == ("python", "-m", "zipfile"):
            zipfile.main(words[2:])
            return 0
        assert program == "skeletonagent", "neither run nor named in tests/documents/not_run.py"
        monkeypatch.setattr(sys, "argv", [program, *small(words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.run()
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
    lines = [str(step) for found in TYPED.values() for step in found if isinstance(step, Line)]
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


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    for module in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        pytest.importorskip(module, reason="the site needs pip install -e '.[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    assert len(pages) > 30
    fetched = re.compile(r"<(?:script|img|link rel=.?stylesheet.?)[^>]+(?:src|href)=.?https?:")
    assert not [path for path, page in pages.items() if fetched.search(page)]
    reference = pages[tmp_path / "reference" / "core.html"]
    assert 'id="skeletonagent.core.confusion.similar_classes"' in reference
    assert not [path for path, page in pages.items() if re.search(":(?:class|func):`", page)]


def test_commands_are_found_wherever_they_stand() -> None:
    text = """
Type `skeletonagent data check a` or, over two lines, `skeletonagent train x --out
runs/x`; `skeletonagent.core` is none, nor is `skeletonagent-x`.

    skeletonagent config show sbu > mine.yaml
    $ skeletonagent runs list  # all of them
    skeletonagent report RUN [RUN ...] --out FILE

```
skeletonagent evaluate runs/x \\
  --json
```

```sh
torchrun --nproc-per-node 8 -m skeletonagent train sbu
srun skeletonagent train jhmdb
```
"""
    assert sorted(commands(text)) == [
        ["config", "show", "sbu"], ["data", "check", "a"], ["evaluate", "runs/x", "--json"],
        ["runs", "list"], ["train", "jhmdb"], ["train", "sbu"], ["train", "x", "--out", "runs/x"],
    ]  # fmt: skip


def test_steps_are_found_in_their_order() -> None:
    text = """
    skeletonagent data list

```python
a = 1
```

Not `skeletonagent data check x`.

```sh
export KEY=...
skeletonagent config show \\
  > it.yaml
```

```bash
srun skeletonagent train
```

    $ .venv/bin/skeletonagent runs list runs  # all
"""
    assert list(steps(text)) == [
        Line(("skeletonagent", "data", "list")),
        Code("a = 1\n"),
        Line(("export", "KEY=...")),
        Line(("skeletonagent", "config", "show"), into="it.yaml"),
        Line(("skeletonagent", "runs", "list", "runs")),
    ]


@pytest.mark.parametrize(
    ("long", "expected", "gone"),
    [
        ("train sbu --chat openai:gpt-4o --seeds 3", "--chat analyst --seeds 2", "openai:gpt-4o"),
        ("train sbu --set agents.chat=openai:gpt-4o", "agents.chat=analyst", "openai:gpt-4o"),
        ("train sbu --chat recorded:runs/a", "recorded:runs/a", "analyst"),
        ("train sbu --set agents.chat=none", "agents.chat=none", "analyst"),
        ("train ntu60-xsub --devices cuda:0,cuda:1", "training.epochs=1", "cuda:0,cuda:1"),
        ("report runs/a --clips 20", "--clips 2", "20"),
        ("config show sbu", "config show sbu", "--set"),
    ],
)
def test_small_commands_do_the_same_with_less(long: str, expected: str, gone: str) -> None:
    made = small(long.split())
    assert set(expected.split()) <= set(made) and gone not in made


@pytest.mark.parametrize(
    "words",
    [
        "teach me", "data fetch x", "train --bogus", "train sbbu", "train --seeds none",
        "train --set training.epoch=3", "train sbu --stream bones", "ensemble --fit",
        "ablate nothing --out runs", "data download imagenet", "data check a b",
        "train sbu --chat nobody",
    ],
)  # fmt: skip
def test_a_mistake_is_found(words: str) -> None:
    with pytest.raises(Exception, match=r"\w"):
        check_values(*parsed(words.split()))


@pytest.mark.parametrize("words", ["evaluate", "data", "data check", "--debug train sbu"])
def test_a_mention_needs_no_arguments(words: str) -> None:
    check_values(*parsed(words.split()))
