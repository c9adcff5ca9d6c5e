"""The engine's modules in a browser, called with values and compared with what Python computes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pytest

from skeletonagent.page.files import page_files

api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome")
ORIGIN = "http://engine.invalid"


@dataclass(frozen=True)
class Engine:
    """The modules of the page in a browser.

    Args:
        page: Page of Playwright, whose requests are answered from the package's files.
        problems: What the browser complained about so far.
    """

    page: Any
    problems: list[str]

    def __call__(self, script: str, **values: Any) -> Any:
        """Return what an async function of the given values returns.

        Args:
            script: Body of the function; ``load(name)`` imports a module of the page.
            values: Plain values by the names that the script has them under.
        """
        names = ", ".join(values)
        body = f"""async (values) => {{
            const load = (name) => import(`{ORIGIN}/page/${{name}}`);
            const {{ {names} }} = values;
            {script}
        }}"""
        found = self.page.evaluate(body, values)
        assert not self.problems, self.problems
        return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def engine(chromium: Any) -> Engine:
    page, problems = chromium.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))

    def answer(route: Any) -> None:
        path = PurePosixPath(route.request.url.removeprefix(ORIGIN))
        name = str(path.relative_to("/page")) if path.is_relative_to("/page") else ""
        content, media_type = page_files().get(name, (b"<!doctype html>", "text/html"))
        route.fulfill(body=content, content_type=media_type)

    page.route(f"{ORIGIN}/**", answer)
    page.goto(f"{ORIGIN}/")
    return Engine(page, problems)
