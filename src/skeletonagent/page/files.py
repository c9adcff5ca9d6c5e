"""Files of the page, and the headers they are served with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from types import MappingProxyType

INDEX = "index.html"
"""Name of the page itself, which is served at ``/``; all others are at ``/page/NAME``."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Policy of the page: scripts and styles are files of this server, and no other host is asked."""

PAGE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }
)
"""Headers of every file of the page."""

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def page_files() -> Mapping[str, tuple[bytes, str]]:
    """Return content and media type of each file of the page by its name.

    Names have slashes where files are in folders, as in ``engine/tensors.js``.
    """
    found = {name: (file.read_bytes(), _MEDIA_TYPES[suffix]) for name, file, suffix in _pages()}
    return MappingProxyType(found)


def _pages() -> Iterator[tuple[str, Traversable, str]]:
    """Yield name, file and suffix of what belongs to the page."""
    waiting = [("", files("skeletonagent.page") / "resources")]
    while waiting:
        prefix, folder = waiting.pop()
        for entry in sorted(folder.iterdir(), key=lambda each: each.name):
            suffix = PurePosixPath(entry.name).suffix
            if entry.is_dir():
                waiting.append((f"{prefix}{entry.name}/", entry))
            elif suffix in _MEDIA_TYPES:
                yield f"{prefix}{entry.name}", entry, suffix
