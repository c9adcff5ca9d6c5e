"""What the documents show to be typed: commands in blocks and in lines, and code to be run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(
    r"^(?P<mark>`{3,})(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^(?P=mark)[ \t]*$", re.M | re.S
)
_INDENTED = re.compile(r"^(?: {4,}|\t)(?:\$ )?((?:\.venv/bin/)?skeletonagent .+)$", re.M)
_STARTER = r"(?:\.venv/bin/|srun |torchrun .*?-m )?"
_IN_A_BLOCK = re.compile(rf"^(?: {{4,}}|\t)?(?:\$ )?{_STARTER}skeletonagent (.+)$", re.M)
_IN_A_LINE = re.compile(rf"(?<!`)`{_STARTER}skeletonagent\s+([^`]+)`(?!`)")
_AFTER = re.compile(r"\s(?:[|>&#;]|\d>).*$")
"""What is for the shell: redirections, a second command, a comment."""
_INTO = re.compile(r"\s>\s*(\S+)$")
_PLACEHOLDER = re.compile(r"\.\.\.|\s\[|[<>…]")
_CONTINUED = re.compile(r"\\\n\s*")


@dataclass(frozen=True)
class Line:
    """A line that is typed.

    Args:
        words: The command and its arguments, without the shell's part.
        into: The file its output goes to, if it does.
    """

    words: tuple[str, ...]
    into: str | None = None

    def __str__(self) -> str:
        """Return the line as it is typed."""
        return " ".join([*self.words, *([">", self.into] if self.into else [])])


@dataclass(frozen=True)
class Code:
    """A block of Python."""

    text: str


def steps(document: str) -> Iterator[Line | Code]:
    """Yield what is typed and run in the blocks of a document, in its order.

    These are fenced blocks of the kinds sh, console and python, and indented lines that begin
    with the program's name.
    """
    place = 0
    for fence in _FENCE.finditer(document):
        yield from map(_line, _INDENTED.findall(_joined(document[place : fence.start()])))
        place = fence.end()
        if fence["kind"] == "python":
            yield Code(fence["body"])
        elif fence["kind"] in ("sh", "console"):
            lines = _joined(fence["body"]).splitlines()
            yield from (_line(line) for line in lines if line.strip())
    yield from map(_line, _INDENTED.findall(_joined(document[place:])))


def commands(document: str) -> Iterator[list[str]]:
    """Yield what follows the program's name, word by word; forms to be filled in are left out."""
    text = _joined(document)
    for pattern in (_IN_A_BLOCK, _IN_A_LINE):
        for match in pattern.finditer(text):
            typed = _AFTER.sub("", " ".join(match[1].split()))
            if not _PLACEHOLDER.search(typed):
                yield shlex.split(typed)


def _joined(text: str) -> str:
    return _CONTINUED.sub(" ", text)


def _line(typed: str) -> Line:
    typed = typed.strip().removeprefix("$ ").removeprefix(".venv/bin/")
    into = _INTO.search(typed)
    return Line(tuple(shlex.split(_AFTER.sub("", typed))), into[1] if into else None)
