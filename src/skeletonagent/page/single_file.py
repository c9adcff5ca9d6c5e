"""Page in one file, in which a recognizer runs without a server."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Callable

from skeletonagent.core.errors import DataError
from skeletonagent.page.browser_model import BrowserModel, description_text
from skeletonagent.page.fetch import WebRuntime, web_runtime_licence
from skeletonagent.page.files import INDEX, page_files
from skeletonagent.page.joined_modules import join_modules

ENTRY = "single_file.js"
"""Module that the file begins with."""

_RUNTIME = "onnxruntime-web"
_STYLES = re.compile(r'<link rel="stylesheet" href="page/(?P<name>[^"]+)">')
_ICON = re.compile(r'<link rel="icon" href="page/(?P<name>[^"]+)"(?P<rest>[^>]*)>')
_SCRIPT = re.compile(r'<script type="module" src="page/[^"]+"></script>')
_CHARSET = re.compile(r'<meta charset="utf-8">')


def single_file(model: BrowserModel, runtime: WebRuntime) -> str:
    """Return the page as one text of HTML.

    The recognizer and ONNX Runtime are in it, compressed, in base64. Its policy lets no script run
    but its own, whose digest it states, and nothing be asked from anywhere.

    Args:
        model: The recognizer.
        runtime: Files of ONNX Runtime Web.

    Raises:
        DataError: If the page's files are written in a way that cannot be joined.
        ConfigError: If the recognizer cannot be described.
    """
    html = _text(INDEX)
    styles = "".join(_text(found["name"]) for found in _STYLES.finditer(html))
    script = _script(runtime)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}' 'wasm-unsafe-eval'",
            f"style-src '{_digest(styles)}'",
            "img-src data: blob:",
            "media-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    parts = {
        "description": description_text(model.description).encode(),
        "graph": model.graph,
        "wasm": runtime.wasm.read_bytes(),
    }
    if model.ridge is not None:
        parts["ridge"] = model.ridge
    if model.pose is not None:
        parts |= {"pose-detector": model.pose.detector, "pose-landmarks": model.pose.landmarks}
    data = "\n".join(_data(name, content) for name, content in parts.items())
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    html = _replaced(_CHARSET, html, lambda found: f"{found[0]}\n{meta}\n{_notice(model)}")
    html = _replaced(_STYLES, html, lambda _: f"<style>{styles}</style>")
    html = _replaced(_ICON, html, _inline_icon)
    return _replaced(_SCRIPT, html, lambda _: f'{data}\n<script type="module">{script}</script>')


def _script(runtime: WebRuntime) -> str:
    modules = {
        name: content.decode()
        for name, (content, media_type) in page_files().items()
        if media_type.startswith("text/javascript")
    }
    modules[_RUNTIME] = runtime.module.read_text(encoding="utf-8")
    return join_modules(modules, ENTRY)


def _text(name: str) -> str:
    """Return a file of the page as text.

    Raises:
        DataError: If there is none of that name.
    """
    if name not in page_files():
        raise DataError(f"the page has no file {name}")
    return page_files()[name][0].decode()


def _replaced(pattern: re.Pattern[str], html: str, by: Callable[[re.Match[str]], str]) -> str:
    """Return a text in which the only match of a pattern is replaced.

    Raises:
        DataError: If it is not there once.
    """
    if len(pattern.findall(html)) != 1:
        raise DataError(f"the page does not have {pattern.pattern!r} once")
    return pattern.sub(by, html)


def _inline_icon(found: re.Match[str]) -> str:
    content, media_type = page_files()[found["name"]]
    encoded = base64.b64encode(content).decode()
    return f'<link rel="icon" href="data:{media_type};base64,{encoded}"{found["rest"]}>'


def _data(name: str, content: bytes) -> str:
    """Return an element that holds bytes, which no browser runs."""
    compressed = base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode()
    return f'<script type="application/octet-stream" id="embedded-{name}">{compressed}</script>'


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _notice(model: BrowserModel) -> str:
    notices = [f"Holds ONNX Runtime Web.\n{web_runtime_licence()}"]
    if model.pose is not None:
        notices.append(
            "Holds the detection and landmark models of MediaPipe's BlazePose, converted to ONNX.\n"
            f"{model.pose.licence}"
        )
    return "\n".join(f"<!-- {notice}-->" for notice in notices)
