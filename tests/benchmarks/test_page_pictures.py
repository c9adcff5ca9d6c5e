"""Pictures of the page: one for each state, width and theme, of two persons side by side."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.server.serving import served
from tests.small_run import small_archive, small_run

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from benchmarks.report_pictures import BROWSERS

from benchmarks import page_pictures
from skeletonagent.inference.predictor import load_predictor


@pytest.mark.slow
def test_each_state_is_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip("needs a browser: none is installed")
    archive = small_archive(tmp_path / "mine")
    run = small_run(archive, tmp_path / "run", agents__chat="none", model__backbone="tiny-gcn").path

    @contextmanager
    def here(path: Path) -> Iterator[str]:
        with served(load_predictor(path, "cpu")) as one:
            yield f"http://127.0.0.1:{one.port}/"

    monkeypatch.setattr(page_pictures, "served", here)
    recording = page_pictures.two_people(run, archive, clips=2, seed=0)
    first, second = recording.joints[..., 0]
    assert recording.person_ids == ("1", "2") and recording.fps == 30
    assert np.nanmedian(second - first) == pytest.approx(page_pictures.BESIDE, abs=0.5)
    options = {"widths": "390,1440", "themes": "dark", "kilobytes": 90}
    page_pictures.main(run, archive, tmp_path, clips=2, seed=0, at=0.3, **options)
    pictures = {path.stem: Image.open(path).size for path in tmp_path.glob("*.png")}
    assert pictures == {
        f"page-{state}-{width}-dark": size
        for state in page_pictures.STATES
        for width, size in ((390, (780, 1688)), (1440, (1440, 1000)))
    }
    assert all(path.stat().st_size <= 90_000 for path in tmp_path.glob("*.png"))
