"""Uploaded files: one field of a form, into a private folder that is removed again."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from skeletonagent.core.outside_text import printable_line
from skeletonagent.server.bodies import AsgiReceive, body_parts, header
from skeletonagent.server.server_errors import RequestError

FIELD = "file"
"""Name of the field that holds the file."""

_MOST_HEADERS = 16_000
"""Bytes of a form beside its file: the parser refuses longer headers than that."""

_SUFFIXES = re.compile(r"(?:\.[A-Za-z0-9_]{1,12}){1,2}$")
_MOST_NAME = 200


@dataclass(frozen=True)
class UploadedFile:
    """File of a client.

    Args:
        path: Where it is, under a name of ours.
        name: Name that the client gave it, for people to read.
    """

    path: Path
    name: str

    @property
    def title(self) -> str:
        """Name without its ending."""
        return _SUFFIXES.sub("", self.name) or self.name


@contextmanager
def private_folder() -> Iterator[Path]:
    """Provide a folder that only this user can read, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="skeletonagent-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def uploaded_file(
    receive: AsgiReceive,
    headers: Iterable[tuple[bytes, bytes]],
    folder: Path,
    most: int,
    seconds: float,
) -> AsyncIterator[UploadedFile]:
    """Provide the file in a form, for as long as it is needed.

    Args:
        receive: Function that returns the next message of the client.
        headers: Headers of the request.
        folder: Private folder.
        most: Largest number of bytes.
        seconds: Time in which it has to come.

    Raises:
        RequestError: If there is no such file, or the form is damaged or too large.
    """
    own = Path(tempfile.mkdtemp(dir=folder))
    try:
        form = _FileForm(own)
        parser = _parser(header(headers, b"content-type"), form)
        try:
            async for part in body_parts(receive, headers, most + _MOST_HEADERS, seconds):
                parser.write(part)
            parser.finalize()
        except MultipartParseError as error:
            raise RequestError(400, "the form is damaged", closes=True) from error
        finally:
            form.close()
        if not form.is_complete:
            raise RequestError(400, "the form is cut off", closes=True)
        yield form.uploaded()
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _parser(content_type: str, form: _FileForm) -> MultipartParser:
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise RequestError(400, "the form has no boundary of 1 to 70 characters", closes=True)
    return MultipartParser(
        boundary,
        {
            "on_part_begin": form.begin,
            "on_header_field": form.header_name,
            "on_header_value": form.header_value,
            "on_header_end": form.header_end,
            "on_headers_finished": form.headers_end,
            "on_part_data": form.data,
            "on_part_end": form.end,
            "on_end": form.finish,
        },
    )


@dataclass
class _FileForm:
    """Form of one file, written while it comes."""

    folder: Path
    is_complete: bool = False
    _file: IO[bytes] | None = None
    _path: Path | None = None
    _name: str = ""
    _parts: int = 0
    _field: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _headers: dict[bytes, bytes] = field(default_factory=dict)

    def begin(self) -> None:
        self._parts += 1
        if self._parts > 1:
            raise RequestError(422, f"the form has several fields; send {FIELD} alone", closes=True)
        self._headers = {}

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def headers_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name") != FIELD.encode() or b"filename" not in options:
            raise RequestError(422, f"the form has no file in a field named {FIELD}", closes=True)
        given = options[b"filename"].decode("utf-8", "replace")
        name = printable_line(re.split(r"[/\\]", given)[-1], _MOST_NAME)
        self._name = name or "recording"
        suffixes = _SUFFIXES.search(name)
        # Of the client's name nothing but its ending says how the file is to be read.
        self._path = self.folder / f"upload{suffixes[0].lower() if suffixes else ''}"
        self._file = self._path.open("xb")

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])

    def end(self) -> None:
        self.close()

    def finish(self) -> None:
        self.is_complete = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def uploaded(self) -> UploadedFile:
        """Return the file.

        Raises:
            RequestError: If there was none, or it is empty.
        """
        if self._path is None:
            raise RequestError(422, f"the form has no file in a field named {FIELD}")
        if not self._path.stat().st_size:
            raise RequestError(422, "the file is empty")
        return UploadedFile(self._path, self._name)
