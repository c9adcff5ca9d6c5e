"""ONNX Runtime Web comes from one published package, verified, and nothing else is kept."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256, sha512
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.page import fetch
from skeletonagent.page.fetch import (
    PACKAGE,
    fetch_web_runtime,
    find_web_runtime,
    web_runtime_folder,
    web_runtime_licence,
)

CONTENT = {name: f"content of {name}".encode() for name in fetch._PUBLISHED.content}


def write_package(path: Path, content: Mapping[str, bytes] = CONTENT) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, (member, _) in fetch._PUBLISHED.content.items():
            info = tarfile.TarInfo(member)
            info.size = len(content[name])
            archive.addfile(info, io.BytesIO(content[name]))
        archive.addfile(tarfile.TarInfo("package/../../escaped"), io.BytesIO())
    return path


def digest(path: Path) -> bytes:
    return sha512(path.read_bytes()).digest()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-in for the published package, in a folder that serves as registry."""
    folder = tmp_path / "registry" / "onnxruntime-web" / "-"
    folder.mkdir(parents=True)
    path = write_package(folder / PACKAGE)
    digests = {
        name: (member, sha256(CONTENT[name]).hexdigest())
        for name, (member, _) in fetch._PUBLISHED.content.items()
    }
    published = replace(fetch._PUBLISHED, content=digests, digest=digest(path))
    monkeypatch.setattr(fetch, "_PUBLISHED", published)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return path


def test_the_package_is_downloaded_and_its_files_are_kept(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "registry"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        registry = f"http://127.0.0.1:{server.server_address[1]}/"
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", registry)
        files = fetch_web_runtime()
        server.shutdown()
    assert files.module.parent == web_runtime_folder()
    kept = {path.name: path.read_bytes() for path in web_runtime_folder().iterdir()}
    assert kept == {**CONTENT, "LICENSE": web_runtime_licence().encode()}
    package.unlink()
    assert fetch_web_runtime() == files  # they are there: nothing is downloaded


def test_a_package_at_hand_serves_and_stays(package: Path) -> None:
    assert fetch_web_runtime(package=package) == find_web_runtime()
    assert package.is_file()


def test_another_package_is_refused(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(iter(CONTENT))
    other = write_package(tmp_path / "other.tgz", {**CONTENT, name: b"another"})
    with pytest.raises(DataError, match="its sha512 is"):
        fetch_web_runtime(package=other)
    published = replace(fetch._PUBLISHED, digest=digest(other))
    monkeypatch.setattr(fetch, "_PUBLISHED", published)
    with pytest.raises(DataError, match=f"another {name}"):
        fetch_web_runtime(package=other)
    with pytest.raises(DataError, match="no such file"):
        fetch_web_runtime(package=tmp_path / "absent.tgz")
    assert package.is_file()


def test_a_damaged_file_is_refused_and_fetched_again(package: Path) -> None:
    with pytest.raises(ConfigError, match="page fetch"):
        find_web_runtime()
    files = fetch_web_runtime(package=package)
    files.wasm.write_bytes(b"damaged")
    with pytest.raises(DataError, match="is not the published file"):
        find_web_runtime()
    assert fetch_web_runtime(package=package).wasm.read_bytes() == CONTENT[files.wasm.name]
