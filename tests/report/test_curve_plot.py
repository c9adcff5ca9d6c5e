"""The picture of a learning curve: well-formed, with all points in their places."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import pytest

from skeletonagent.experiments.learning_curve import LearningCurve, curve_points
from skeletonagent.report.curve_plot import curve_page, curve_svg

SIZES = {"1": 1.0, "2": 2.0, "5": 5.0, "10": 10.0, "all": 20.0}
TOP1 = {size: [1 - 0.8 * n**-0.5, 0.98 - 0.8 * n**-0.5] for size, n in SIZES.items()}
SVG = "{http://www.w3.org/2000/svg}"


def curve_of(sizes: int = 5, name: str = "toy") -> LearningCurve:
    some = dict(list(TOP1.items())[-sizes:])
    points = [
        *curve_points("recognizer", SIZES, some),
        *curve_points("a <simple> method", SIZES, {"all": [0.3, 0.3]}),
    ]
    return LearningCurve(name, "main", 3, 50, tuple(points))


def test_points_lie_on_a_logarithmic_axis_and_higher_is_better() -> None:
    root = ElementTree.fromstring(curve_svg(curve_of()))
    circles = [c for c in root.iter(f"{SVG}circle") if c.find(f"{SVG}title") is not None]
    means = circles[:5]
    x, y = ([float(c.attrib[key]) for c in means] for key in ("cx", "cy"))
    steps = [b - a for a, b in itertools.pairwise(x)]
    assert steps[0] == pytest.approx(steps[2], abs=0.3) == pytest.approx(steps[3], abs=0.3)
    assert y == sorted(y, reverse=True)
    title = circles[0].find(f"{SVG}title")
    assert title is not None and title.text == "recognizer, 1 clips a class: 19.0%"


def test_the_continuation_of_the_law_is_dashed_and_reaches_twice_the_clips() -> None:
    svg = curve_svg(curve_of())
    measured, dashed = re.findall(r"<polyline[^>]*>", svg)
    assert "dasharray" in dashed and "dasharray" not in measured
    ends = [re.findall(r"([\d.]+),[\d.]+", line) for line in (measured, dashed)]
    assert ends[0][-1] == ends[1][0]
    assert float(ends[1][-1]) <= 720
    assert ">40</text>" in svg
    short = curve_svg(curve_of(3))
    assert "<polyline" not in short and ">40</text>" not in short


@pytest.mark.parametrize("sizes", range(1, 6))
def test_everything_lies_within_the_picture(sizes: int) -> None:
    root = ElementTree.fromstring(curve_svg(curve_of(sizes, "a & <b>")))
    for element in root.iter():
        for key, value in element.attrib.items():
            if key in ("x1", "x2", "cx"):
                assert 0 <= float(value) <= 720
            if key in ("y1", "y2", "cy"):
                assert 0 <= float(value) <= 440


def test_the_page_needs_no_other_file_and_escapes_names() -> None:
    curve = curve_of(name="a & <b>")
    page = curve_page(curve)
    assert "<svg" in page and "a &amp; &lt;b&gt;" in page and "<b>" not in page
    assert "a &lt;simple&gt; method" in page and "<simple>" not in page
    assert page.count("<tr>") == 6 and page.count("–") >= 4
    assert not re.search(r"(?:src|href)=", page)
    for sentence in curve.sentences():
        assert sentence.replace("<", "&lt;").replace(">", "&gt;") in page
