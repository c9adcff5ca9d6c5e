"""Large files fetched over HTTP: resumed where they broke off, and checked.

The standard library does it, since pooch begins anew after every break and these files have up to
tens of gigabytes.
"""

from __future__ import annotations

import errno
import hashlib
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_text

PAUSES = (1.0, 3.0, 10.0, 30.0, 60.0)
"""Seconds to wait before each new attempt; they begin anew whenever more has arrived than ever."""

_BLOCK = 1 << 20
_SILENCE = 60.0
"""Seconds without a byte after which a connection counts as broken."""
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EFBIG, errno.EIO}
_RETRIED = {408, 425, 429}
"""Refusals that pass, besides those of a server in trouble."""


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Return ``target``, fetched from ``url`` unless it is there already, and checked.

    What has arrived lies in ``NAME.part`` until it is complete, and is taken up there by the next
    attempt or run. Where no checksum is known, the one it has is noted in ``NAME.sha256``, and
    later runs go by it.

    Args:
        url: Address, http or https.
        target: Where the file goes.
        sha256: Its checksum, where known.
        size: Its number of bytes, where known.
        progress: Told the bytes that are there and those there will be, 0 if that is unknown.

    Raises:
        DataError: If the address is of another kind, the server refuses, has something else or
            gives up again and again, or what arrived is not what was expected.
    """
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise DataError(f"only http and https addresses can be downloaded, got {url!r}")
    note = target.with_name(f"{target.name}.sha256")
    try:
        expected = (sha256 or _noted(note) or "").lower() or None
        if target.exists():
            _check(target, expected, size, f"delete it to download it again from {url}")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            part = _Part(url, target.with_name(f"{target.name}.part"), size, progress)
            part.complete()
            try:
                _check(part.path, expected, size, f"{url} has another file, or it was damaged")
            except DataError:
                part.discard()
                raise
            part.path.replace(target)
            part.tag.unlink(missing_ok=True)
        if expected is None:
            write_text(note, f"{_sha256(target)}  {target.name}\n")
    except OSError as error:
        raise DataError(f"cannot be downloaded from {url}: {error}", path=target) from error
    return target


class _Refused(Exception):
    """The server's answer is final."""


@dataclass(frozen=True)
class _Part:
    """What has arrived of a file so far."""

    url: str
    path: Path
    size: int | None
    progress: Callable[[int, int], None]

    @property
    def tag(self) -> Path:
        """Where the server's name of this version of the file is kept, so that none are mixed."""
        return self.path.with_name(f"{self.path.name}.tag")

    @property
    def there(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def discard(self) -> None:
        """Forget what has arrived."""
        self.path.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    def complete(self) -> None:
        """Fetch what is missing, again and again while the failures may pass."""
        furthest, failures = self.there, 0
        while True:
            try:
                return self._fetch()
            except _Refused as error:
                raise DataError(f"{error} ({self.url})", path=self.path) from error
            except (OSError, HTTPException) as error:
                if isinstance(error, OSError) and error.errno in _DISK:
                    raise
                failures = 0 if self.there > furthest else failures
                furthest = max(furthest, self.there)
                if failures == len(PAUSES):
                    raise DataError(
                        f"gave up after {failures + 1} attempts: {error}; {self.there} bytes are "
                        f"kept, the same command goes on from there ({self.url})",
                        path=self.path,
                    ) from error
                time.sleep(PAUSES[failures])
                failures += 1

    def _fetch(self) -> None:
        """Take up the transfer once, or begin it where the server does not resume."""
        there = self.there
        headers = {"User-Agent": "skeletonagent"}
        if there:
            headers["Range"] = f"bytes={there}-"
            headers |= {"If-Range": self.tag.read_text()} if self.tag.exists() else {}
        request = urllib.request.Request(self.url, headers=headers)
        try:
            with _opener().open(request, timeout=_SILENCE) as response:
                self._receive(response, there)
        except HTTPError as error:
            error.close()
            if error.code == 416 and _total(error.headers) == there:
                return
            if error.code == 416:
                self.discard()
            elif error.code < 500 and error.code not in _RETRIED:
                raise _Refused(f"the server answered {error.code} {error.reason}") from error
            raise

    def _receive(self, response: HTTPResponse, there: int) -> None:
        if response.headers.get_content_type() == "text/html":
            raise _Refused("this is a web page, not the file; fetch it by hand with a browser")
        total = _total(response.headers) or self.size or 0
        if self.size not in (None, total):
            raise _Refused(f"the server has {total} bytes, expected {self.size}")
        if response.status != 206:
            self.discard()
            there = 0
            if version := _version(response.headers):
                self.tag.write_text(version)
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {there}-"):
            self.discard()
            raise HTTPException("the server sent another part than was asked for")
        with self.path.open("ab") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                there += len(block)
                self.progress(there, total)
        if there < total:
            raise HTTPException(f"the connection broke off at {there} of {total} bytes")


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https addresses and, redirected or not, no others."""
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


def _total(headers: Message) -> int:
    """Return the bytes of the whole file, 0 if the server does not say."""
    length = headers.get("Content-Range", headers.get("Content-Length", "")).rpartition("/")[2]
    return int(length) if length.isdecimal() else 0


def _version(headers: Message) -> str:
    """Return what tells this version of the file from others; a weak tag, by rule, does not."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _noted(note: Path) -> str | None:
    words = note.read_text().split() if note.exists() else []
    return words[0] if words else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, sha256: str | None, size: int | None, advice: str) -> None:
    found = path.stat().st_size
    if size is not None and found != size:
        raise DataError(f"has {found} bytes, expected {size}; {advice}", path=path)
    if sha256 is not None and (got := _sha256(path)) != sha256:
        raise DataError(f"has the checksum {got}, expected {sha256}; {advice}", path=path)


@dataclass(frozen=True)
class DownloadEntry:
    """A file that data sets or weights come in.

    Args:
        url: Where it is, or the page that leads to it.
        file_name: What to call it; empty if there is only a page, to be used by hand.
        title: Name for people.
        note: What to know before or do after.
        sha256: Its checksum, where it was published.
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


_CLIP = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"


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
    "clip-vit-b-32": DownloadEntry(
        f"https://openaipublic.azureedge.net/clip/models/{_CLIP}/ViT-B-32.pt",
        "ViT-B-32.pt",
        "CLIP ViT-B/32, the paper's text encoder",
        sha256=_CLIP,
    ),
}
"""What can be downloaded, by name. Source: spec section 4, addresses as the authors print them."""


def download_entry(
    name: str, folder: Path, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Return the file of :data:`DOWNLOADS` of that name, downloaded into a folder.

    Raises:
        DataError: If there is none of that name, it can only be fetched by hand, or as
            :func:`download` does.
    """
    if name not in DOWNLOADS:
        raise DataError(f"nothing called {name!r} to download; there are {', '.join(DOWNLOADS)}")
    wanted = DOWNLOADS[name]
    if not wanted.file_name:
        raise DataError(f"{wanted.title} can only be fetched by hand: {wanted.url} ({wanted.note})")
    return download(wanted.url, folder / wanted.file_name, sha256=wanted.sha256, progress=progress)
