"""``config show``: what is printed can be used."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from skeletonagent.cli import main
from skeletonagent.core.streams import Stream
from skeletonagent.experiments.config import config_from_dict, read_config, with_overrides
from skeletonagent.experiments.presets import PRESETS, preset
from skeletonagent.experiments.recipes import PresetSize


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run ``config show`` and return what it printed on either side."""

    def run(*arguments: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["skeletonagent", "config", "show", *arguments])
        with pytest.raises(SystemExit) as ended:
            sys.exit(main.execute())
        assert not ended.value.code
        shown = capsys.readouterr()
        return shown.out, shown.err

    return run


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_printed_so_that_it_can_be_read(show, name: str, tmp_path: Path) -> None:
    out, err = show(name)
    (tmp_path / "mine.yaml").write_text(out)
    assert read_config(tmp_path / "mine.yaml") == preset(name)
    assert err == ""


def test_options_are_resolved(show) -> None:
    options = ["--stream", "k", "--data", "here", "--preset-size", "paper", "--set", "seed=2"]
    out, _ = show("sbu", *options, "--json")
    expected = with_overrides(
        preset("sbu", PresetSize.PAPER, Stream.KBONE), ["data.archive=here", "seed=2"]
    )
    assert config_from_dict(json.loads(out)) == expected
    assert yaml.safe_load(show("sbu", *options)[0]) == json.loads(out)


def test_presets_are_listed(show) -> None:
    assert json.loads(show("--json")[0]) == {"presets": list(PRESETS)}
    out, err = show()
    assert [line.split()[0] for line in out.splitlines()] == list(PRESETS)
    assert err == ""
