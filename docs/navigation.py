"""Fill the site's navigation: an entry ``FOLDER/*`` stands for all pages of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Return the configuration with such entries replaced by the pages, an index first."""
    config.nav = _filled(config.nav, Path(config.docs_dir))
    return config


def _filled(entries: list[Any], docs: Path) -> list[Any]:
    filled: list[Any] = []
    for entry in entries:
        if isinstance(entry, str) and entry.endswith("/*"):
            pages = sorted(
                docs.joinpath(entry).parent.glob("*.md"),
                key=lambda page: (page.name != "index.md", page.name),
            )
            filled += [page.relative_to(docs).as_posix() for page in pages]
        elif isinstance(entry, dict):
            filled.append(
                {
                    title: _filled(inner, docs) if isinstance(inner, list) else inner
                    for title, inner in entry.items()
                }
            )
        else:
            filled.append(entry)
    return filled
