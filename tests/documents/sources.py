"""All documents of the repository, and what is typed in them."""

from __future__ import annotations

from pathlib import Path

from tests.documents.reading import steps

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
TYPED = {path: list(steps(path.read_text(encoding="utf-8"))) for path in DOCUMENTS}


def named(path: Path) -> str:
    """Return a document's path in the repository."""
    return str(path.relative_to(ROOT))
