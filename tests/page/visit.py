"""Visit of the page in a browser, with what it asked for and what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

UPLOAD = {"name": "two people.json", "mimeType": "application/json", "buffer": b"{}"}


class PageVisit:
    """A page that was opened; it forbids scripts of others, the polling of Playwright's own too."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        options = {"reduced_motion": "reduce", **options}
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.address = address
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.goto(address)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def __enter__(self) -> PageVisit:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert self.problems == []
            assert self.elsewhere() == []

    def elsewhere(self) -> list[str]:
        """Return the addresses of other hosts that were asked for something."""
        own = self.address.removeprefix("http://")
        return [
            url
            for url in self.requests
            if url != self.address
            and not url.startswith((f"http://{own}", f"ws://{own}", "blob:", "data:"))
        ]

    def ready(self) -> PageVisit:
        self.page.wait_for_selector("html[data-ready]")
        return self

    def shown(self, upload: dict[str, Any] | Path = UPLOAD) -> PageVisit:
        """Give the page a recording, and wait for what is recognized in it."""
        self.ready().page.set_input_files("#file", upload)  # type: ignore[arg-type]
        self.page.wait_for_selector("body[data-state=shown]")
        return self

    def run(self, script: str) -> Any:
        return self.page.evaluate(script)

    def until(self, happened: Callable[[], object]) -> None:
        for _ in range(400):
            if happened():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError("never came true")

    def labels(self) -> list[str]:
        """Return the labels on the timeline by person and start."""
        return self.run(
            "[...document.querySelectorAll('.action')].map(each => each.getAttribute('title'))"
        )

    def picture(self) -> str:
        """Return what is drawn."""
        drawn: str = self.run("document.querySelector('.stage canvas').toDataURL()")
        return drawn

    def seek(self, frame: int) -> None:
        self.run(
            f"(s => {{ s.value = {frame}; s.dispatchEvent(new Event('input')); }})"
            "(document.getElementById('scrubber'))"
        )

    def spoken(self, text: str) -> None:
        """Wait until something was said to those who hear the page."""
        self.until(lambda: text in (self.page.locator("#spoken").text_content() or ""))

    def download(self, button: str, folder: Path) -> Path:
        with self.page.expect_download() as waiting:
            self.page.get_by_role("button", name=button).click()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path
