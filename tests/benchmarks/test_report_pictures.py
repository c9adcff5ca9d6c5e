"""Pictures of a page: one for each part, width and theme, no larger than wanted."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from benchmarks.report_pictures import BROWSERS, main

PAGE = """<!doctype html><html data-drawn><style>
body { margin: 0; background: #fff } nav { position: sticky }
@media (prefers-color-scheme: dark) { body { background: #000 } }
i { display: inline-block; width: 3px; height: 3px }
</style><header class="masthead" style="height: 50px"></header><nav></nav>
<section id="matrix">%s</section></html>"""


def test_each_part_is_a_picture_of_limited_size(tmp_path: Path) -> None:
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip("needs a browser: none is installed")
    colours = np.random.default_rng(0).integers(0, 255, (20_000, 3)).tolist()
    dots = "".join(f'<i style="background: rgb({r} {g} {b})"></i>' for r, g, b in colours)
    (tmp_path / "page.html").write_text(PAGE % dots)
    main(tmp_path / "page.html", tmp_path, "top,head,matrix", "390,1440", "light,dark", 120, 700)
    pictures = {path.stem: Image.open(path) for path in tmp_path.glob("*.png")}
    assert {name: picture.width for name, picture in pictures.items()} == {
        f"report-{part}-{width}-{theme}": 780 if width == 390 else width
        for part in ("top", "head", "matrix")
        for width in (390, 1440)
        for theme in ("light", "dark")
    }
    assert pictures["report-head-1440-dark"].height == 50
    assert pictures["report-top-1440-light"].height == 1000
    assert pictures["report-matrix-390-light"].height == 1400
    assert all(path.stat().st_size <= 120_000 for path in tmp_path.glob("*.png"))
    light, dark = (
        np.asarray(pictures[f"report-head-390-{theme}"].convert("L")) for theme in ("light", "dark")
    )
    assert light.min() == 255 and dark.max() == 0
