"""ONNX Runtime Web: taken out of its published package once, kept in the user's cache.

The package (MIT) is published on npm's registry. It is downloaded as a file, verified, and not
installed; npm is not needed. Decision record 0032 says why it is not part of this package.
"""

from __future__ import annotations

import base64
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from skeletonagent.core.published_files import PublishedPackage, user_cache_folder
from skeletonagent.data.downloads import download

VERSION = "1.30.0"
"""Version of ONNX Runtime Web."""

PACKAGE = f"onnxruntime-web-{VERSION}.tgz"
"""Name of the package's file."""

REGISTRY = "https://registry.npmjs.org"
"""Registry that it is downloaded from, unless ``NPM_CONFIG_REGISTRY`` names another one."""

_INTEGRITY = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
"""SHA-512 of the package in base64, as the registry states it."""

FETCH_RUNTIME = "skeletonagent page fetch"
"""Command that fetches it."""


@contextmanager
def _opened(package: Path) -> Iterator[Callable[[str], bytes]]:
    with tarfile.open(package, "r:gz") as archive:

        def read(member: str) -> bytes:
            part = archive.extractfile(member)
            return b"" if part is None else part.read()

        yield read


_PUBLISHED = PublishedPackage(
    what="ONNX Runtime Web",
    file=PACKAGE,
    algorithm="sha512",
    digest=base64.b64decode(_INTEGRITY),
    content={
        "ort.wasm.bundle.min.mjs": (
            "package/dist/ort.wasm.bundle.min.mjs",
            "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
        ),
        "ort-wasm-simd-threaded.wasm": (
            "package/dist/ort-wasm-simd-threaded.wasm",
            "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
        ),
    },
    command=FETCH_RUNTIME,
    opened=_opened,
)


@dataclass(frozen=True)
class WebRuntime:
    """Files of ONNX Runtime Web.

    Args:
        module: Module in JavaScript.
        wasm: ONNX Runtime itself.
    """

    module: Path
    wasm: Path


def web_runtime_licence() -> str:
    """Return the licence of ONNX Runtime Web, whose package names it without its text."""
    place = files("skeletonagent.page") / "resources" / "engine" / "onnxruntime-web.LICENSE"
    return place.read_text(encoding="utf-8")


def web_runtime_folder() -> Path:
    """Return the folder of ONNX Runtime Web in the user's cache (``XDG_CACHE_HOME``)."""
    return user_cache_folder() / "page" / PACKAGE.removesuffix(".tgz")


def find_web_runtime(folder: Path | None = None) -> WebRuntime:
    """Return the files that were fetched.

    Args:
        folder: Folder with the files; None for that of the user's cache.

    Raises:
        ConfigError: If they were not fetched yet.
        DataError: If a file is not the published one.
    """
    return WebRuntime(*_PUBLISHED.find(folder or web_runtime_folder()))


def fetch_web_runtime(folder: Path | None = None, package: Path | None = None) -> WebRuntime:
    """Download ONNX Runtime Web unless it is there, and return its files.

    Args:
        folder: Folder for the files; None for that of the user's cache.
        package: Package that was downloaded already, for machines without a network; it stays.

    Raises:
        DataError: If the package cannot be downloaded, or is not the published one.
    """
    folder, licence = folder or web_runtime_folder(), web_runtime_licence().encode()
    return WebRuntime(*_PUBLISHED.fetch(folder, package, _downloaded, licence))


def _downloaded(folder: Path) -> Path:
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or REGISTRY
    return download(f"{registry.rstrip('/')}/onnxruntime-web/-/{PACKAGE}", folder / PACKAGE)
