"""Pictures of confusion matrices: cells, colours, notes and names."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from skeletonagent.report.confusion_plot import CELL, confusion_svg, write_confusion_plot

COUNTS = np.array([[6, 2, 0, 0], [1, 19, 0, 0], [0, 0, 0, 0], [0, 0, 9, 1]])
NAMES = ("wave", "sit & <down>", "Grüße", "jump")
SVG = "{http://www.w3.org/2000/svg}"


def cells(picture: ElementTree.Element) -> dict[str, str]:
    """Return the colour of each cell by what its tip says."""
    return {
        str(cell.findtext(f"{SVG}title")): cell.attrib["fill"]
        for cell in picture.iter(f"{SVG}rect")
        if cell.find(f"{SVG}title") is not None
    }


def test_rows_are_shares_of_their_class() -> None:
    before = COUNTS.copy()
    picture = ElementTree.fromstring(confusion_svg({"first": COUNTS}, NAMES))
    assert list(cells(picture)) == [
        "wave predicted as wave: 75%",
        "wave predicted as sit & <down>: 25%",
        "sit & <down> predicted as wave: 5%",
        "sit & <down> predicted as sit & <down>: 95%",
        "jump predicted as Grüße: 90%",
        "jump predicted as jump: 10%",
    ]
    tripled = ElementTree.fromstring(confusion_svg({"last": 3 * COUNTS}, NAMES))
    assert cells(tripled) == cells(picture)
    np.testing.assert_array_equal(COUNTS, before)


def test_the_larger_the_share_the_darker_the_cell() -> None:
    shares = np.array([[0, 5, 10, 85], [0, 100, 0, 0], [1, 1, 1, 1], [0, 0, 0, 100]])
    colours = cells(ElementTree.fromstring(confusion_svg({"a": shares}, NAMES)))
    light = {
        tip: sum(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for tip, colour in colours.items()
    }
    ordered = [
        light[f"wave predicted as {NAMES[n]}: {share}%"] for n, share in ((1, 5), (2, 10), (3, 85))
    ]
    assert ordered == sorted(ordered, reverse=True)
    assert colours["jump predicted as jump: 100%"] == "#08306b"


def test_mistakes_from_a_tenth_on_are_written_out() -> None:
    picture = ElementTree.fromstring(confusion_svg({"first": COUNTS}, NAMES))
    notes = [text.text for text in picture.iter(f"{SVG}text") if "pointer-events" in text.attrib]
    assert notes == ["25", "90"]


def test_names_and_titles_stand_beside_the_matrices() -> None:
    picture = ElementTree.fromstring(confusion_svg({"a < b": COUNTS, "after": COUNTS}, NAMES))
    words = [text.text for text in picture.iter(f"{SVG}text")]
    assert [words.count(name) for name in NAMES] == [3] * 4  # true once, predicted by each
    assert words.count("a < b") == words.count("after") == 1
    assert "a < b, after" in picture.attrib["aria-label"]


def test_a_picture_is_written_the_wider_the_more_it_shows(tmp_path: Path) -> None:
    widths = []
    for number in (1, 2):
        path = tmp_path / "new" / f"{number}.svg"
        write_confusion_plot({f"epoch {i}": COUNTS for i in range(number)}, NAMES, path)
        widths.append(float(ElementTree.parse(path).getroot().attrib["width"]))
    assert widths[1] - widths[0] >= CELL * len(NAMES)
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["1.svg", "2.svg"]
