"""Tables of a study's results, and pages that contain them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import DataError
from skeletonagent.evaluation.significance import Estimate
from skeletonagent.experiments.measurements import METRICS, Measurement, summarize_rows
from skeletonagent.experiments.plans import StudyPlan, StudyRow
from skeletonagent.experiments.tables import (
    as_csv,
    as_markdown,
    as_tables,
    format_estimate,
    insert_tables,
)

PLAN = StudyPlan(
    "Study", (StudyRow("base"), StudyRow("one"), StudyRow("two | more", against="one"))
)


def measured(
    row: str, values: list[float], first: int = 0, metric: str = "top1"
) -> list[Measurement]:
    return [Measurement(row, first + n, "xsub", metric, value) for n, value in enumerate(values)]


@given(
    values=st.lists(
        st.tuples(
            st.sampled_from([row.label for row in PLAN.rows]), st.integers(0, 3),
            st.sampled_from(list(METRICS)), st.floats(0, 1),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_tables_hold_all_that_was_measured(
    values: list[tuple[str, int, str, float]],
) -> None:
    measurements = [Measurement(row, seed, "p, q", metric, v) for row, seed, metric, v in values]
    lines = list(csv.DictReader(io.StringIO(as_csv(measurements))))
    assert [(e["row"], int(e["seed"]), e["part"], e["metric"]) for e in lines] == [
        (m.row, m.seed, "p, q", m.metric) for m in measurements
    ]
    assert [float(e["value"]) for e in lines] == pytest.approx(
        [m.value for m in measurements], abs=1e-6
    )
    results = summarize_rows(PLAN, measurements)
    text = as_markdown(PLAN, results)
    for result in results:
        assert format_estimate(result.mean, "", result.metric) in text
        if result.difference is not None:
            assert format_estimate(result.difference, "+", result.metric) in text
        if result.other_difference is not None:
            assert format_estimate(result.other_difference, "+", result.metric) in text
    widths: dict[int, set[int]] = {}
    for number, line in enumerate(text.split("\n\n")):
        if line.startswith("|"):
            widths[number] = {row.replace("\\|", "").count("|") for row in line.splitlines()}
    assert all(len(columns) == 1 for columns in widths.values())


def test_a_table_by_hand() -> None:
    text = as_markdown(
        PLAN, summarize_rows(PLAN, measured("base", [0.5]) + measured("two | more", [0.62]))
    )
    assert "# Study\n" in text
    assert "## xsub\n\n|  | top-1 |\n| --- | ---: |\n| base | 50.0 (1) |\n" in text
    assert "| two \\| more | 62.0 (1) |\n\n### Difference to “base”\n" in text
    assert "| two \\| more | +12.0 (1) |" in text
    assert "others" not in text
    three = [*measured("base", [0.5]), *measured("one", [0.6]), *measured("two | more", [0.62])]
    text = as_markdown(PLAN, summarize_rows(PLAN, three))
    assert "### Differences between others\n\n|  | top-1 |" in text
    assert text.count("| two \\| more against one | +2.0 (1) |") == 1
    assert format_estimate(Estimate(0.912, 0.9, 0.924, 3)) == "91.2 [90.0, 92.4] (3)"
    assert format_estimate(Estimate(-0.01, -0.03, 0.01, 3), "+") == "-1.0 [-3.0, +1.0] (3)"
    assert format_estimate(Estimate(1.23456, None, None, 1), "+", "nll") == "+1.235 (1)"
    assert format_estimate(Estimate(1.23456, None, None, 1), "", "time") == "123 (1)"
    results = summarize_rows(PLAN, measured("base", [0.5]))
    assert as_markdown(PLAN, results).endswith(as_tables(PLAN, results))


def test_a_plan_may_show_some_metrics_only() -> None:
    results = summarize_rows(PLAN, measured("base", [0.5]) + measured("base", [0.25], metric="ece"))
    shown = as_tables(replace(PLAN, metrics=("ece", "time")), results)
    assert "|  | calibration error |" in shown and "25.0 (1)" in shown
    assert "top-1" not in shown and "50.0" not in shown


@given(before=st.text("ab\n", max_size=9), inside=st.text("cd\n", max_size=9),
       after=st.text("ef\n", max_size=9), tables=st.text("| x\n", max_size=9))  # fmt: skip
def test_a_page_keeps_all_but_its_tables(before: str, inside: str, after: str, tables: str) -> None:
    marks = "<!-- tables of utd -->", "<!-- end of utd -->"
    page = insert_tables(f"{before}{marks[0]}{inside}{marks[1]}{after}", "utd", tables)
    assert page == f"{before}{marks[0]}\n\n{tables.strip()}\n\n{marks[1]}{after}"
    assert insert_tables(page, "utd", tables) == page


def test_headings_are_lowered() -> None:
    page = insert_tables("<!-- tables of a --><!-- end of a -->", "a", "## part\n\n### Less\n# x #")
    assert "\n### part\n\n#### Less\n## x #\n" in page


@pytest.mark.parametrize("page", ["", "<!-- tables of utd -->",
                                  "<!-- end of utd --><!-- tables of utd -->",
                                  2 * "<!-- tables of utd --><!-- end of utd -->"])  # fmt: skip
def test_a_page_without_its_marks(page: str) -> None:
    with pytest.raises(DataError, match="tables of utd needs the lines <!-- tables of utd -->"):
        insert_tables(page, "utd", "| x |")
