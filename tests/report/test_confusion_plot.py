"""Pictures of confusions: what is drawn, and that a picture comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from skeletonagent.report.confusion_plot import save_confusions

COUNTS = np.array([[6, 2, 0, 0], [1, 19, 0, 0], [0, 0, 0, 0], [0, 0, 9, 1]])
NAMES = ("wave", "sit down", "Grüße", "jump")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What is handed to matplotlib: images, and texts by place."""
    calls: dict[str, list[Any]] = {"images": [], "texts": []}
    image, text = Axes.imshow, Axes.text

    def imshow(self: Axes, values: np.ndarray, **options: Any) -> Any:
        calls["images"].append(np.array(values))
        return image(self, values, **options)

    def note(self: Axes, x: float, y: float, words: str, **options: Any) -> Any:
        calls["texts"].append((int(x), int(y), words))
        return text(self, x, y, words, **options)

    monkeypatch.setattr(Axes, "imshow", imshow)
    monkeypatch.setattr(Axes, "text", note)
    return calls


def test_rows_are_shares_of_their_class(tmp_path: Path, drawn: dict[str, list[Any]]) -> None:
    before = COUNTS.copy()
    save_confusions({"first": COUNTS, "last": 3 * COUNTS}, NAMES, tmp_path / "confusions.png")
    expected = [[0.75, 0.25, 0, 0], [0.05, 0.95, 0, 0], [0, 0, 0, 0], [0, 0, 0.9, 0.1]]
    for share in drawn["images"]:
        np.testing.assert_allclose(share, expected)
    assert len(drawn["images"]) == 2
    np.testing.assert_array_equal(COUNTS, before)


def test_mistakes_from_a_tenth_on_are_written_out(
    tmp_path: Path, drawn: dict[str, list[Any]]
) -> None:
    save_confusions({"first": COUNTS}, NAMES, tmp_path / "confusions.png")
    assert drawn["texts"] == [(1, 0, "25"), (2, 3, "90")]


def test_a_picture_is_written_the_wider_the_more_it_shows(tmp_path: Path) -> None:
    sizes = []
    for number in (1, 2):
        path = tmp_path / "new" / f"{number}.png"
        save_confusions({f"epoch {i}": COUNTS for i in range(number)}, NAMES, path)
        picture = imread(path)
        assert picture[..., :3].std() > 0.05
        sizes.append(picture.shape[1])
    assert sizes[1] > 1.3 * sizes[0]
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["1.png", "2.png"]
