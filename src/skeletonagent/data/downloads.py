"""Downloads of public data sets and weights over HTTP, resumed after a break and verified.

Decision record 0011 says why this is not done by pooch: it cannot resume, and these files have up
to tens of gigabytes.
"""

from __future__ import annotations

import errno
import hashlib
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_text

RETRY_DELAYS = (1.0, 3.0, 10.0, 30.0, 60.0)
"""Seconds to wait before each new attempt; they start over whenever further bytes have arrived."""

_BLOCK_BYTES = 1 << 20
_TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as broken."""
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EFBIG, errno.EIO}
"""Errors of the disk, after which no new attempt helps."""
_TEMPORARY_STATUS = {408, 425, 429}
"""HTTP status codes of temporary failures, besides those from 500 on."""


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    retry_delays: Sequence[float] = RETRY_DELAYS,
) -> Path:
    """Download a file unless it exists, verify it, and return its path.

    Until it is complete, the file is ``NAME.part``, which the next attempt or run continues. If no
    checksum is given, the checksum of the first download is written to ``NAME.sha256``, and later
    runs verify the file by it.

    Args:
        url: Address, http or https.
        target: Path of the downloaded file.
        sha256: SHA-256 checksum of the file, if known.
        size: Size of the file in bytes, if known.
        progress: Function called with the number of bytes received and in all, 0 if unknown.
        retry_delays: Seconds to wait before each new attempt.

    Raises:
        DataError: If the address is of another kind, the server refuses, sends another file or
            fails in all attempts, or the file does not have the expected size or checksum.
    """
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise DataError(f"only http and https addresses can be downloaded, got {url!r}")
    checksum_file = target.with_name(f"{target.name}.sha256")
    try:
        expected = (sha256 or _recorded_checksum(checksum_file) or "").lower() or None
        if target.exists():
            _verify(target, expected, size, f"delete it to download it again from {url}")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            part = _PartialFile(url, target.with_name(f"{target.name}.part"), size, progress)
            part.complete(retry_delays)
            try:
                _verify(part.path, expected, size, f"{url} has another file, or it was damaged")
            except DataError:
                part.discard()
                raise
            part.path.replace(target)
            part.version_file.unlink(missing_ok=True)
        if expected is None:
            write_text(checksum_file, f"{_sha256(target)}  {target.name}\n")
    except OSError as error:
        raise DataError(f"cannot be downloaded from {url}: {error}", path=target) from error
    return target


class _RefusedError(Exception):
    """Answer of the server after which no new attempt helps."""


@dataclass(frozen=True)
class _PartialFile:
    """Received part of a file.

    Args:
        url: Address of the complete file.
        path: Path of the part.
        size: Expected size of the complete file in bytes, if known.
        progress: Function called with the number of bytes received and in all.
    """

    url: str
    path: Path
    size: int | None
    progress: Callable[[int, int], None]

    @property
    def version_file(self) -> Path:
        """File with the server's name of this version, so that versions are not mixed."""
        return self.path.with_name(f"{self.path.name}.tag")

    @property
    def received(self) -> int:
        """Number of bytes received."""
        return self.path.stat().st_size if self.path.exists() else 0

    def discard(self) -> None:
        """Delete the part."""
        self.path.unlink(missing_ok=True)
        self.version_file.unlink(missing_ok=True)

    def complete(self, retry_delays: Sequence[float]) -> None:
        """Receive the missing bytes, with new attempts after temporary failures."""
        furthest, failures = self.received, 0
        while True:
            try:
                return self._fetch()
            except _RefusedError as error:
                raise DataError(f"{error} ({self.url})", path=self.path) from error
            except (OSError, HTTPException) as error:
                if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
                    raise
                failures = 0 if self.received > furthest else failures
                furthest = max(furthest, self.received)
                if failures == len(retry_delays):
                    raise DataError(
                        f"gave up after {failures + 1} attempts: {error}; {self.received} bytes "
                        f"are kept, the same command continues from there ({self.url})",
                        path=self.path,
                    ) from error
                time.sleep(retry_delays[failures])
                failures += 1

    def _fetch(self) -> None:
        """Continue the download once, or begin it again if the server does not resume."""
        received = self.received
        headers = {"User-Agent": "skeletonagent"}
        if received:
            headers["Range"] = f"bytes={received}-"
            if self.version_file.exists():
                headers["If-Range"] = self.version_file.read_text()
        request = urllib.request.Request(self.url, headers=headers)
        try:
            with _opener().open(request, timeout=_TIMEOUT) as response:
                self._receive(response, received)
        except HTTPError as error:
            error.close()
            if error.code == 416 and _total_bytes(error.headers) == received:
                return
            if error.code == 416:
                self.discard()
            elif error.code < 500 and error.code not in _TEMPORARY_STATUS:
                raise _RefusedError(f"the server answered {error.code} {error.reason}") from error
            raise

    def _receive(self, response: HTTPResponse, received: int) -> None:
        """Append the bytes of a response, of which ``received`` were there before."""
        if response.headers.get_content_type() == "text/html":
            raise _RefusedError("this is a web page, not the file; fetch it by hand with a browser")
        total = _total_bytes(response.headers) or self.size or 0
        if self.size not in (None, total):
            raise _RefusedError(f"the server has {total} bytes, expected {self.size}")
        if response.status != 206:
            self.discard()
            received = 0
            if version := _version(response.headers):
                self.version_file.write_text(version)
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {received}-"):
            self.discard()
            raise HTTPException("the server sent another part than was asked for")
        with self.path.open("ab") as file:
            while block := response.read(_BLOCK_BYTES):
                file.write(block)
                received += len(block)
                self.progress(received, total)
        if received < total:
            raise HTTPException(f"the connection broke off at {received} of {total} bytes")


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener of http and https addresses that refuses others, also as redirections."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _total_bytes(headers: Message) -> int:
    """Return the size of the complete file in bytes, 0 if the server does not state it."""
    length = headers.get("Content-Range", headers.get("Content-Length", "")).rpartition("/")[2]
    return int(length) if length.isdecimal() else 0


def _version(headers: Message) -> str:
    """Return an identifier of this version of the file; a weak ETag does not identify one."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _recorded_checksum(path: Path) -> str | None:
    """Return the checksum in a ``.sha256`` file, if it exists."""
    words = path.read_text().split() if path.exists() else []
    return words[0] if words else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(path: Path, sha256: str | None, size: int | None, advice: str) -> None:
    """Check size and checksum of a file, or raise a DataError."""
    actual_size = path.stat().st_size
    if size is not None and actual_size != size:
        raise DataError(f"has {actual_size} bytes, expected {size}; {advice}", path=path)
    if sha256 is not None and (actual := _sha256(path)) != sha256:
        raise DataError(f"has the checksum {actual}, expected {sha256}; {advice}", path=path)


@dataclass(frozen=True)
class DownloadEntry:
    """Published file of a data set or of weights.

    Args:
        url: Address of the file, or of the page that leads to it.
        file_name: Name of the downloaded file; empty if there is only a page for a browser.
        title: Display name.
        note: Note on what to do before or after the download.
        sha256: SHA-256 checksum of the file, if it was published.
    """

    url: str
    file_name: str
    title: str
    note: str = ""
    sha256: str | None = None


def _pyskl(file: str, title: str, note: str = "") -> DownloadEntry:
    address = "https://download.openmmlab.com/mmaction/pyskl/data"
    return DownloadEntry(f"{address}/{file}", file.rpartition("/")[2], title, note)


_DRIVE = "https://drive.google.com"
_UAV = "1wsejIXMCh9Ip0V_6KdZnajF4LcZos-Y5"


DOWNLOADS: Mapping[str, DownloadEntry] = {
    "ntu60": _pyskl("nturgbd/ntu60_3danno.pkl", "NTU RGB+D 60, 3D skeletons"),
    "ntu120": _pyskl("nturgbd/ntu120_3danno.pkl", "NTU RGB+D 120, 3D skeletons"),
    "finegym": _pyskl("gym/gym_hrnet.pkl", "FineGYM, 2D skeletons"),
    "kinetics-skeleton": _pyskl(
        "k400/k400_hrnet.pkl",
        "Kinetics 400, table of contents",
        "the skeletons themselves are kinetics-kpfiles",
    ),
    "kinetics-kpfiles": DownloadEntry(
        "https://www.dropbox.com/scl/fi/5phx0m7bok6jkphm724zc/kpfiles.zip"
        "?rlkey=sz26ljvlxb6gwqj5m9jvynpg8&st=47vcw2xb&dl=1",
        "kpfiles.zip",
        "Kinetics 400, 2D skeletons",
        "unpack it and convert kinetics-skeleton with --kpfiles",
    ),
    "uav-human": DownloadEntry(
        f"https://drive.usercontent.google.com/download?id={_UAV}&export=download&confirm=t",
        "uav_human.pkl",
        "UAV-Human, 2D skeletons",
        f"should Google Drive refuse, open {_DRIVE}/file/d/{_UAV}/view in a browser",
    ),
    "ntu-raw": DownloadEntry(
        "https://rose1.ntu.edu.sg/dataset/actionRecognition",
        "",
        "NTU RGB+D, raw .skeleton files",
        "open the page in a browser and ask for access there",
    ),
    "checkpoints": DownloadEntry(
        "https://huggingface.co/firework8/SkeletonAgent",
        "",
        "The authors' checkpoints",
        f"also at {_DRIVE}/drive/folders/1CFMuBrJGktxHfv2GeX8bbgnDuINVrC08",
    ),
}
"""Published files by name. Source: spec section 4, with the addresses the authors give."""


def download_entry(
    name: str,
    folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    entries: Mapping[str, DownloadEntry] = DOWNLOADS,
) -> Path:
    """Download a published file into a folder and return its path.

    Args:
        name: Name of the file in ``entries``.
        folder: Folder of the downloaded file.
        progress: Function called with the number of bytes received and in all, 0 if unknown.
        entries: Published files by name.

    Raises:
        DataError: If there is no file of that name, it can only be downloaded with a browser, or
            as :func:`download`.
    """
    if name not in entries:
        raise DataError(f"nothing called {name!r} to download; there are {', '.join(entries)}")
    entry = entries[name]
    if not entry.file_name:
        raise DataError(f"{entry.title} can only be fetched by hand: {entry.url} ({entry.note})")
    return download(entry.url, folder / entry.file_name, sha256=entry.sha256, progress=progress)
