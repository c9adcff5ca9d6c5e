"""Results of a study: written to its folder, and to a page with other text."""

from __future__ import annotations

from pathlib import Path

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_text
from skeletonagent.experiments.measurements import RowResult, summarize_rows
from skeletonagent.experiments.plans import StudyPlan
from skeletonagent.experiments.study import Study
from skeletonagent.experiments.tables import as_csv, as_markdown, as_tables, insert_tables


def write_results(study: Study) -> list[RowResult]:
    """Write the tables of the finished runs as Markdown and CSV, and return the results."""
    measurements = study.measurements()
    results = summarize_rows(study.plan, measurements)
    write_text(study.out / "results.csv", as_csv(measurements))
    write_text(study.out / "results.md", as_markdown(study.plan, results))
    return results


def require_tables(page: Path, plan: StudyPlan, name: str) -> None:
    """Check that a page has a place for the tables of that name.

    Raises:
        ConfigError: If it cannot be read.
        DataError: If it has none.
    """
    insert_tables(_read(page, plan, name), name, "")


def update_page(page: Path, plan: StudyPlan, name: str, results: list[RowResult]) -> None:
    """Write the tables to their place in a page, or to a new page."""
    tables = as_tables(plan, results)
    write_text(page, insert_tables(_read(page, plan, name), name, tables))


def _read(page: Path, plan: StudyPlan, name: str) -> str:
    """Return the text of a page, or the beginning of a new one.

    Raises:
        ConfigError: If it cannot be read.
    """
    if not page.exists():
        return f"# {plan.title}\n\n<!-- tables of {name} -->\n<!-- end of {name} -->\n"
    try:
        return page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--page {page} cannot be read: {error}") from error
