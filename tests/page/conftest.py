"""A browser, and the page of a server that stands in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from .double import Double, serving

CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
"""Options of a browser that has a camera of its own and allows it."""
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", *CAMERA],
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Double]:
    double = Double()
    with serving(double.app()) as address:
        double.address = address
        yield double


@pytest.fixture
def double(server: Double) -> Double:
    """Return the stand-in as it is at first, whatever a test asks of it."""
    first = Double()
    for name in ("model", "answer", "failure", "token", "asked", "pictures"):
        setattr(server, name, getattr(first, name))
    return server
