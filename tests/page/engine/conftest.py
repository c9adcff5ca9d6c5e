"""The engine's modules in a browser, called with values and compared with what Python computes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.inference.exported_model import ExportedModel
from skeletonagent.page.browser_model import BrowserModel, description_text
from skeletonagent.page.fetch import WebRuntime, find_web_runtime, web_runtime_folder
from skeletonagent.page.files import page_files

from .models import deep_model, flat_model

FETCHED = web_runtime_folder()
"""Folder before the tests get caches of their own."""
ORIGIN = "http://engine.invalid"

LOAD = """async (number) => {
  const get = async (name) =>
    new Uint8Array(await (await fetch(`/model/${number}/${name}`)).arrayBuffer());
  const ort = await import("/model/runtime.mjs");
  const { BrowserRecognizer } = await import("/page/browser_recognizer.js");
  const { ExportedModel } = await import("/page/engine/exported_model.js");
  const description = JSON.parse(new TextDecoder().decode(await get("description")));
  const ridge = await get("ridge");
  const load = async () => ExportedModel.open(
    { description, graph: await get("graph"), ridge: ridge.length ? ridge : null },
    ort,
    new Uint8Array(await (await fetch("/model/runtime.wasm")).arrayBuffer()),
  );
  globalThis.recognizers ??= {};
  globalThis.recognizers[number] = new BrowserRecognizer(description, load);
}"""


@dataclass
class Engine:
    """The modules of the page in a browser.

    Args:
        page: Page of Playwright, whose requests are answered from the package's files.
        problems: What the browser complained about so far.
        served: Further files by their paths.
    """

    page: Any
    problems: list[str]
    served: dict[str, bytes] = field(default_factory=dict)

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

    def recognizer(self, model: BrowserModel, runtime: WebRuntime) -> BrowserUser:
        """Return a recognizer in the browser."""
        number = sum(path.endswith("/graph") for path in self.served)
        self.served |= {
            "/model/runtime.mjs": runtime.module.read_bytes(),
            "/model/runtime.wasm": runtime.wasm.read_bytes(),
            f"/model/{number}/graph": model.graph,
            f"/model/{number}/ridge": model.ridge or b"",
            f"/model/{number}/description": description_text(model.description).encode(),
        }
        self.page.evaluate(LOAD, number)
        return BrowserUser(self, number)

    def answer(self, route: Any) -> None:
        """Answer a request of the page."""
        path = route.request.url.removeprefix(ORIGIN)
        if path in self.served:
            kind = "text/javascript" if path.endswith(".mjs") else "application/octet-stream"
            route.fulfill(body=self.served[path], content_type=kind)
            return
        inside = PurePosixPath(path)
        name = str(inside.relative_to("/page")) if inside.is_relative_to("/page") else ""
        content, media_type = page_files().get(name, (b"<!doctype html>", "text/html"))
        route.fulfill(body=content, content_type=media_type)


@dataclass(frozen=True)
class BrowserUser:
    """Recognizer in a browser, as a page uses it.

    Args:
        engine: The browser.
        number: Number of the recognizer there.
    """

    engine: Engine
    number: int

    def predict(self, body: Any, **options: Any) -> dict[str, Any]:
        """Return the prediction of the body of a request."""
        script = "return recognizers[number].predict(body, options);"
        found: dict[str, Any] = self.engine(script, number=self.number, body=body, options=options)
        return found

    def predict_file(self, path: Path, **options: Any) -> dict[str, Any]:
        """Return the prediction of a file."""
        script = """
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        return recognizers[number].predict(new File([bytes], name), options);
        """
        content = base64.b64encode(path.read_bytes()).decode()
        found: dict[str, Any] = self.engine(
            script, number=self.number, content=content, name=path.name, options=options
        )
        return found

    def stream(self, frames: list[dict[str, Any]], fps: float) -> list[dict[str, Any]]:
        """Return the events of a stream of frames, those of its end among them."""
        script = """
        const events = [];
        const onEvent = (event) => events.push(event);
        const stream = await recognizers[number].openStream({ fps, kind: "keypoints", onEvent });
        for (const frame of frames) stream.push(frame);
        await stream.end();
        return events;
        """
        found: list[dict[str, Any]] = self.engine(
            script, number=self.number, frames=frames, fps=fps
        )
        return found


@pytest.fixture(scope="module")
def engine(browser: Any) -> Iterator[Engine]:
    page, problems = browser.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    found = Engine(page, problems)
    page.route(f"{ORIGIN}/**", found.answer)
    page.goto(f"{ORIGIN}/")
    yield found
    page.close()


@pytest.fixture(scope="session")
def runtime() -> WebRuntime:
    try:
        return find_web_runtime(FETCHED)
    except ConfigError:
        pytest.skip(f"needs ONNX Runtime Web: nothing at {FETCHED}")


@pytest.fixture(scope="session")
def flat_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flat_model(tmp_path_factory.mktemp("flat"))


@pytest.fixture(scope="session")
def deep_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deep_model(tmp_path_factory.mktemp("deep"))


@pytest.fixture(scope="module")
def in_browser(engine: Engine, runtime: WebRuntime) -> Callable[[Path], BrowserUser]:
    """Function that opens an exported file in the browser."""
    return lambda path: engine.recognizer(BrowserModel.of(ExportedModel.open(path)), runtime)
