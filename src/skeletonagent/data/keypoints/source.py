"""Keypoint file or folder that is to be read, and the format that it may have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_files import read_outside_bytes, require_file
from skeletonagent.core.outside_text import brief, printable_line
from skeletonagent.core.recording import KeypointRecording

_HEAD_BYTES = 1 << 16
_SAMPLES = 3
"""Number of files of a folder that are looked at to find out its format."""
_NUMBER = re.compile(r"(?P<prefix>.*?)[_.\s-]*(?P<number>\d+)(?P<rest>\D*)", re.DOTALL)
_LONGEST_NAME = 200


@dataclass(frozen=True)
class KeypointSource:
    """File or folder of keypoints, of which each part is read once.

    Args:
        path: The file or folder.
        num_joints: Number of joints, where a layout was given; formats without names need it.
    """

    path: Path
    num_joints: int | None = None

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.path.is_dir()

    @property
    def suffix(self) -> str:
        """End of a file's name, in small letters, with its dot; nothing for a folder."""
        return "" if self.is_folder else self.path.suffix.lower()

    @property
    def name(self) -> str:
        """Name of the recording: the file's without its end, or the folder's."""
        path = self.path.resolve() if self.path.name in ("", "..") else self.path
        return clean_text(path.name if self.is_folder else path.stem) or "recording"

    @cached_property
    def head(self) -> bytes:
        """First bytes of the file; none of a folder.

        Raises:
            DataError: If it cannot be read.
        """
        if self.is_folder:
            return b""
        require_file(self.path)
        with _readable(self.path), self.path.open("rb") as file:
            return file.read(_HEAD_BYTES)

    @cached_property
    def is_text(self) -> bool:
        """Whether the file begins as text does."""
        return bool(self.head) and (self.head[:2] in _UTF_16 or b"\0" not in self.head)

    @cached_property
    def text(self) -> str:
        """Content of a text file.

        Raises:
            DataError: If it cannot be read.
        """
        content = read_outside_bytes(self.path)
        if content[:2] in _UTF_16:
            return content.decode("utf-16", errors="replace")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return content.decode("latin-1")

    @cached_property
    def is_json(self) -> bool:
        """Whether the file begins as JSON does."""
        start = self.head[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
        return start[:1] in (b"{", b"[") and self.suffix not in (".csv", ".tsv")

    @cached_property
    def json(self) -> Any:
        """Value of a JSON file, or the list of a value on each line; None if it is none.

        Raises:
            DataError: If it begins as JSON does and is damaged.
        """
        if not self.is_json:
            return None
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            values = _values_of_lines(self.text)
            if values is None:
                raise DataError(f"is damaged JSON: {error}", path=self.path) from error
            return values

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Files right in the folder that are not hidden, in the order of the numbers in them."""
        with _readable(self.path):
            found = (path for path in self.path.iterdir() if path.is_file())
            return tuple(sorted((p for p in found if p.name[0] != "."), key=natural_order))

    @cached_property
    def samples(self) -> Mapping[str, tuple[KeypointSource, ...]]:
        """First files of a folder with a number in their name, by the end of their name."""
        samples: dict[str, list[KeypointSource]] = {}
        for file in self.files:
            of_suffix = samples.setdefault(file.suffix.lower(), [])
            if len(of_suffix) < _SAMPLES and _NUMBER.fullmatch(file.stem):
                of_suffix.append(KeypointSource(file, self.num_joints))
        return {suffix: tuple(files) for suffix, files in samples.items()}

    @cached_property
    def others(self) -> tuple[Path, ...]:
        """What is right in the folder and neither file nor folder: pipes, devices, dead links."""
        with _readable(self.path):
            found = (path for path in self.path.iterdir() if path.name[0] != ".")
            return tuple(sorted(p for p in found if not p.is_file() and not p.is_dir()))

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """Folders right in the folder that are not hidden."""
        with _readable(self.path):
            found = (path for path in self.path.iterdir() if path.is_dir())
            return tuple(sorted((p for p in found if p.name[0] != "."), key=natural_order))


@dataclass(frozen=True)
class KeypointFormat:
    """Format of keypoint files.

    Args:
        name: Short name, as users give it.
        title: What it is, in a few words.
        matches: Whether a file or folder is of the format, by what is inside.
        read: Reads the recordings of a file or folder of the format.
        frame_suffix: End of the names of the files that are one frame each, where a folder of
            them is a recording.
    """

    name: str
    title: str
    matches: Callable[[KeypointSource], bool]
    read: Callable[[KeypointSource], list[KeypointRecording]]
    frame_suffix: str | None = None


class _readable:
    """Turns errors of the file system into a DataError that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            problem = f"cannot be read: {error.strerror or error}"
            raise DataError(problem, path=self.path) from error


_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def _values_of_lines(text: str) -> list[Any] | None:
    """Return the JSON value on each line of a text; None if a line has none."""
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return None


def clean_text(text: object) -> str:
    """Return a name from a file in one line, without control characters, and not too long."""
    shown = text if isinstance(text, str | int | float | BaseException) else brief(text)
    return " ".join(printable_line(shown, _LONGEST_NAME).split())


def natural_order(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts paths by name, and numbers in names by their value."""
    parts = re.split(r"(\d+)", path.name)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def numbered_files(files: Sequence[Path]) -> Mapping[str, dict[int, Path]]:
    """Return files that differ in the last number of their name only, by what they share.

    Args:
        files: Files such as ``wave_000000000012_keypoints.json``.

    Returns:
        For each name without number, such as ``wave``, the files by number; files without a
        number are left out.
    """
    groups: dict[tuple[str, str], dict[int, Path]] = {}
    for file in files:
        match = _NUMBER.fullmatch(file.stem)
        if match and len(match["number"]) < 19:
            numbers = groups.setdefault((match["prefix"], match["rest"]), {})
            numbers[int(match["number"])] = file
    named: dict[str, dict[int, Path]] = {}
    for (prefix, rest), numbers in groups.items():
        name = clean_text(prefix) or clean_text(rest.strip("_.- "))
        if name in named:
            name = clean_text(f"{prefix}{rest}")
        named[name] = numbers
    return named
