"""Lines and joint labels of answers in plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from skeletonagent.core.layout import SkeletonLayout

_LABEL = re.compile(r"([0-9]{1,3})(?:\s*[-–]\s*(\S.*))?")
_NEXT_LABEL = re.compile(r"(?:\s*(?:[,;&]|\band\b))+\s*(?=[0-9])")
_LABEL_IN_TEXT = re.compile(r"(?<![\w-])([0-9]{1,3})-(?=\w)")
_NO_NAME = re.compile(r"[()\[\];:!?]|[.,](?=\s|$)")
"""Characters that a joint's name in a text cannot contain."""
_WORD = re.compile(r"[^\W_]+")
_LONGEST_NAME = 6


@dataclass(frozen=True)
class JointLabel:
    """Label of a joint as an answer gives it.

    Args:
        number: 1-based number, which no joint may have.
        name: Name of the joint; empty if none is given.
    """

    number: int
    name: str

    def __str__(self) -> str:
        return f"{self.number}-{self.name}" if self.name else str(self.number)

    def joint(self, layout: SkeletonLayout) -> int | None:
        """Return the joint that is meant, or None if number and name do not agree on one."""
        if not 1 <= self.number <= layout.num_joints:
            return None
        joint = self.number - 1
        return joint if not self.name or names_joint(self.name, joint, layout) else None

    def nowhere(self, layout: SkeletonLayout) -> bool:
        """Return whether neither the number nor the name is that of any joint."""
        named = any(names_joint(self.name, joint, layout) for joint in range(layout.num_joints))
        return not 1 <= self.number <= layout.num_joints and not named


def parse_label(text: str) -> JointLabel | None:
    """Return the label a text consists of, or None if it is no label."""
    match = _LABEL.fullmatch(text.strip())
    return JointLabel(int(match[1]), match[2] or "") if match else None


def parse_labels(line: str) -> list[JointLabel | None]:
    """Return the labels of a line, set apart by commas or the like; None for what is none."""
    return [parse_label(label) for label in _NEXT_LABEL.split(line.strip(" .,;"))]


def answer_lines(text: str) -> list[str]:
    """Return the lines of an answer, without blank ones, asterisks and needless spaces."""
    lines = text.replace("*", "").replace("\u2019", "'").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def names_joint(name: str, joint: int, layout: SkeletonLayout) -> bool:
    """Return whether a name can only mean the joint, however its words are put together.

    ``tip of the left hand`` is ``left hand tip``, and ``mid hip`` is ``middle of hips``.
    """
    return _words(name) == _words(layout.joints[joint])


def labels_in(text: str, layout: SkeletonLayout) -> list[tuple[str, int]]:
    """Return the joint labels that stand in a text, each as it is written and the joint meant."""
    labels = []
    for match in _LABEL_IN_TEXT.finditer(text):
        joint, rest = int(match[1]) - 1, _NO_NAME.split(text[match.end() :], maxsplit=1)[0]
        if not 0 <= joint < layout.num_joints:
            continue
        ends = [word.end() for word in islice(_WORD.finditer(rest), _LONGEST_NAME)]
        named = [rest[:end] for end in ends if names_joint(rest[:end], joint, layout)]
        labels += [(match[0] + named[0], joint)] if named else []
    return labels


def split_joints(line: str, layout: SkeletonLayout) -> list[str]:
    """Return a line of ``label-name: text`` in pieces, one for each joint described in it."""
    pieces = []
    for label, _ in reversed(labels_in(line, layout)):
        start = line.rfind(f"{label}:")
        if start > 0:
            pieces.append(line[start:])
            line = line[:start].rstrip(" ;,|")
    return [line, *reversed(pieces)]


@lru_cache(maxsize=4096)
def _words(name: str) -> frozenset[str]:
    words = {word.removesuffix("s") for word in _WORD.findall(name.lower())}
    return frozenset("mid" if word == "middle" else word for word in words - {"of", "the"})
