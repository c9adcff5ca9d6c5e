"""The site is built without a warning, and its generated pages are complete."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.documents.sources import ROOT

from skeletonagent.experiments.config import Config, config_to_dict


def loaded(name: str) -> ModuleType:
    """Return a module of the folder of documents, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


PAGES = loaded("generated_pages")


def keys_of(values: dict[str, object], prefix: str = "") -> set[str]:
    """Return the full keys of nested values."""
    keys: set[str] = set()
    for name, value in values.items():
        inner = keys_of(value, f"{prefix}{name}.") if isinstance(value, dict) else set()
        keys |= inner or {prefix + name}
    return keys


def test_every_setting_is_documented_with_values_default_and_meaning() -> None:
    settings = list(PAGES.settings())
    assert {setting.key for setting in settings} == keys_of(config_to_dict(Config()))
    incomplete = [
        setting.key
        for setting in settings
        if not (setting.meaning and setting.kind and setting.default)
    ]
    assert not incomplete, f"no Args: text for {', '.join(incomplete)}"
    page = PAGES.settings_page()
    assert all(f"| `{setting.key}` |" in page for setting in settings)
    assert "| `training.epochs` | integer, ≥ 1 | `150` |" in page
    assert "`device`, `host`, `disk` | `auto` |" in page


def test_every_command_and_option_is_documented() -> None:
    page = PAGES.commands_page()
    for name, command, _ in PAGES.commands():
        assert f"# {name}\n\n{'' if command.help else 'help missing'}" in page
        options = [p for p in getattr(command, "params", []) if p.name != "help"]
        undocumented = [p.name for p in options if not p.help]
        assert not undocumented, f"{name} has no help for {', '.join(undocumented)}"
        section = page.partition(f"# {name}\n")[2].partition("\n## ")[0]
        assert all(option.opts[-1] in section or option.metavar for option in options)
    assert "## skeletonagent train" in page and "### skeletonagent data convert" in page


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
    assert "training.guidance_period" in pages[tmp_path / "reference" / "settings.html"]
    assert "--preset-size" in pages[tmp_path / "reference" / "commands.html"]
    assert (tmp_path / "search" / "search_index.js").is_file(), "search needs a server"
