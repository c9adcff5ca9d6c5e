"""``report``: what it writes, where, and what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.invocation import invoke

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.report import live
from skeletonagent.training.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run that has just begun."""
    path = tmp_path / "run"
    write_config(Config(), RunDirectory(path).config)
    return path


def typed(*arguments: str) -> str:
    return invoke("report", *arguments).out


def test_one_file_is_written(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "page.html"
    assert json.loads(typed(str(run), "--out", str(out), "--json")) == {
        "report": str(out), "runs": [str(run)],
    }  # fmt: skip
    assert out.read_text().startswith("<!doctype html>")
    typed(str(run))
    assert (run / "report.html").read_text() == out.read_text()


def test_what_cannot_be_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no run"):
        typed(str(tmp_path / "none"))
    with pytest.raises(DataError, match="is a folder"):
        typed(str(run), "--out", str(tmp_path))
    with pytest.raises(ConfigError, match="one of the two"):
        typed(str(run), "--live", "--out", str(tmp_path / "page.html"))
    with pytest.raises(DataError, match="holds no run"):
        typed(str(run), "--live", "--baseline", str(tmp_path / "none"))


def test_a_live_page_is_served_until_it_is_interrupted(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[bytes] = []
    later = run.with_name("study") / "later"

    class Server:
        server_address = ("127.0.0.1", 4321)

        def __init__(self, page: live.LivePage, port: int) -> None:
            assert port == 4321
            self.page = page

        def __enter__(self) -> Server:
            return self

        def __exit__(self, *_: object) -> None:
            served.append(b"closed")

        def serve_forever(self) -> None:
            served.append(self.page.newest()[1])
            write_config(replace(Config(), seed=1), RunDirectory(later).config)
            served.append(self.page.newest()[1])
            raise KeyboardInterrupt

    monkeypatch.setattr(live, "live_server", Server)
    write_config(Config(), RunDirectory(later.with_name("first")).config)
    typed(str(run), str(later.parent), "--live", "--port", "4321")
    page, second, closed = served
    assert b'class="live"' in page and closed == b"closed"
    assert b"study/later" in second and b"study/later" not in page
