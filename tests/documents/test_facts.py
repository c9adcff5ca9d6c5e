"""What documents say about the source holds: citations, messages, pictures, versions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
import yaml
from tests.documents.sources import ROOT
from tests.documents.test_site import loaded

import skeletonagent

SOURCES = sorted(
    path for folder in ("src", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
_CITATION = re.compile(r"\bspec (\d(?:\.\d+)?(?:(?:, | and | to )\d\.\d+)*)")
_HEADING = re.compile(r"^##+ (\d(?:\.\d+)?) ", re.M)
_MESSAGE = re.compile(r"^```text\n(.*?)^```", re.M | re.S)


def cited_facts() -> dict[str, str]:
    """Return the numbers that sources cite of docs/spec.md, each with a file that does."""
    found = {}
    for path in SOURCES:
        if path.name == "test_facts.py":
            continue
        for citation in _CITATION.findall(" ".join(path.read_text(encoding="utf-8").split())):
            found |= {number: str(path) for number in re.findall(r"\d(?:\.\d+)?", citation)}
    return found


def test_every_fact_that_a_source_cites_has_a_heading() -> None:
    headings = set(_HEADING.findall((ROOT / "docs" / "spec.md").read_text(encoding="utf-8")))
    cited = cited_facts()
    assert {"0.4", "1.2", "2.3", "3.2"} <= cited.keys() and len(cited) > 8
    assert not {number: path for number, path in cited.items() if number not in headings}


def test_headings_of_facts_are_numbered_once_and_in_order() -> None:
    numbers = _HEADING.findall((ROOT / "docs" / "spec.md").read_text(encoding="utf-8"))
    keys = [tuple(map(int, number.split("."))) for number in numbers]
    assert keys == sorted(set(keys))


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield all text constants of a module, pieces of f-strings joined with a blank mark."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "<>" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_messages_of_the_troubleshooting_page_are_those_of_the_program() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = [text.strip() for text in _MESSAGE.findall(page)]
    assert len(messages) > 10
    known = "\n".join(
        text
        for path in (ROOT / "src").rglob("*.py")
        for text in texts(ast.parse(path.read_text(encoding="utf-8")))
    )
    wrong = [
        message for message in messages if re.sub(r"<[^>]*>", "<>", message).strip() not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_the_chart_of_guidance_shows_the_tables_numbers() -> None:
    chart = loaded("guidance_chart")
    differences = chart.read_differences(chart.TABLES.read_text(encoding="utf-8"))
    assert differences["nw-ucla"]["both losses, static"] == chart.Difference(6.3, 3.9, 8.8)
    assert all(rows.keys() == chart.ROWS.keys() for rows in differences.values())
    drawn = chart.draw_chart(differences)
    assert drawn == chart.CHART.read_text(encoding="utf-8"), "run python docs/guidance_chart.py"


@pytest.mark.parametrize("data_set", ["utd-mhad", "nw-ucla", "sbu", "jhmdb"])
def test_the_results_of_the_readme_are_those_of_the_study(data_set: str) -> None:
    chart = loaded("guidance_chart")
    found = chart.read_differences(chart.TABLES.read_text(encoding="utf-8"))
    difference = found[data_set]["both losses, static"]
    shown = f"| {difference.mean:+g} ({difference.low:g} to {difference.high:g}) |"
    title = chart.DATA_SETS[data_set]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith(f"| {title}")]
    assert any(row.replace(".0 ", " ").endswith(shown.replace(".0 ", " ")) for row in rows)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_from_outside_the_site_lead_to_files(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)", text)
    assert not [link for link in links if "://" not in link and not (ROOT / link).is_file()]


def test_the_index_of_decisions_lists_every_record() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\S+\.md)\)", (folder / "index.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("*.md") if path.name != "index.md")


def test_citation_names_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == skeletonagent.__version__
    assert citation["preferred-citation"]["url"].endswith("2511.22433")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert skeletonagent.__version__ in changes
