"""Bring an answer into the form asked for, losing nothing of what it says.

Where that cannot be done without a guess, the lines come back as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from skeletonagent.agents.answers import BULLET, DISTINCTION, HEADING, SEVERAL_PARTS
from skeletonagent.agents.labels import Label, label_of, labels_in, labels_of, split_joints
from skeletonagent.agents.prompts import BODY_PARTS
from skeletonagent.core.dialogue import Step
from skeletonagent.core.layout import SkeletonLayout

_QUOTES = re.compile(r'^["“]\s*([^"“”]*?)\s*["”]$')
_RANGE = re.compile(r"(?<=[0-9°])\s*[–—]\s*(?=[0-9])")
_HYPHEN = re.compile(r"(?<=\w)–(?=\w)")
_DASH = re.compile(r"\s*[,;]?(?:\s*[–—]\s*|\s-\s)")
_ENDED = re.compile(r"[.!?:)\]]$")
_DIFFERENCE = re.compile(r"(?<!^)(?=\bDifference\s*:)", re.IGNORECASE)
_PLURALS = {"Heads": "Head", "Feet": "Foot"} | {f"{part}s": part for part in BODY_PARTS}


def tidied(step: Step, lines: Sequence[str], layout: SkeletonLayout) -> str:
    """Return an answer's lines in the form its step asks for, as far as that is beyond doubt."""
    text = "\n".join(lines)
    once = list(dict.fromkeys(_QUOTES.sub(r"\1", text).split("\n")))
    return _TIDIED[step](once, layout) or text


def bare(line: str) -> str:
    """Return a line without its bullet or its number in a list."""
    return BULLET.sub("", line)


def _sentence(lines: Sequence[str], layout: SkeletonLayout) -> str | None:
    if not lines or any(map(_ENDED.search, lines[:-1])) or any(map(BULLET.match, lines[1:])):
        return None
    text = HEADING.sub("", bare(" ".join(lines)))
    text = _QUOTES.sub(r"\1", text)
    text = _DASH.sub(", ", _HYPHEN.sub("-", _RANGE.sub(" to ", text)))
    for label, joint in labels_in(text, layout):
        text = text.replace(label, layout.spoken(joint), 1)
    return text


def _body_parts(lines: Sequence[str], layout: SkeletonLayout) -> str | None:
    parts = [part for line in _unbroken(lines) for part in SEVERAL_PARTS.split(bare(line))]
    texts: dict[str, str] = {}
    for line in parts:
        key, _, text = line.partition(":")
        name = _PLURALS.get(key.strip().capitalize(), key.strip().capitalize())
        text = text.strip(" ;,|")
        if texts.setdefault(name, text) != text:
            return None
    if set(texts) != set(BODY_PARTS):
        return None
    return "\n".join(f"{part}: {texts[part]}" for part in BODY_PARTS)


def _critical_joints(lines: Sequence[str], layout: SkeletonLayout) -> str | None:
    joints = _joints(lines, layout)
    return ", ".join(str(joint + 1) for joint in joints) if joints else None


def _joint_details(lines: Sequence[str], layout: SkeletonLayout) -> str | None:
    rows = [row for line in _unbroken(lines) for row in split_joints(bare(line), layout)]
    entries = [row.partition(":") for row in rows]
    joints = _known([label_of(key) for key, _, _ in entries], layout) or []
    order = _settled(joints)
    texts: dict[int, str] = {}
    for joint, (_, _, text) in zip(joints, entries, strict=False):
        if texts.setdefault(joint, text.strip()) != text.strip():
            return None
    if not order:
        return None
    return "\n".join(f"{layout.label(joint)}: {texts[joint]}" for joint in order)


def _distinction(lines: Sequence[str], layout: SkeletonLayout) -> str | None:
    found = _grouped([part for line in lines for part in _DIFFERENCE.split(line)])
    if found is None:
        return None
    joints = _joints(found["joints"], layout)
    sentence = _sentence(found["difference"], layout)
    if not joints or not sentence:
        return None
    labels = ", ".join(layout.label(joint) for joint in joints)
    return f"Joints: {labels}\nDifference: {sentence}"


_TIDIED: Mapping[Step, Callable[[Sequence[str], SkeletonLayout], str | None]] = {
    Step.OVERVIEW: _sentence,
    Step.BODY_PARTS: _body_parts,
    Step.CRITICAL_JOINTS: _critical_joints,
    Step.JOINT_DETAILS: _joint_details,
    Step.KEY_FEATURES: _sentence,
    Step.DISTINGUISH: _distinction,
}


def _unbroken(lines: Sequence[str]) -> list[str]:
    """Return the lines with those joined that go on in the middle of a sentence."""
    joined: list[str] = []
    for line in lines:
        if joined and line[0].islower() and ":" not in line and not _ENDED.search(joined[-1]):
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    return joined


def _grouped(lines: Iterable[str]) -> dict[str, list[str]] | None:
    """Return what stands under each key of a targeted answer; None if it is not so laid out."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        head, colon, rest = bare(line).partition(":")
        name = head.strip().lower()
        if colon and name in DISTINCTION:
            if name in found:
                return None
            key, line = name, rest.strip()
        if not key:
            return None
        found.setdefault(key, []).extend([line] if line else [])
    return found if set(found) == set(DISTINCTION) else None


def _joints(lines: Sequence[str], layout: SkeletonLayout) -> list[int] | None:
    """Return the joints of one list, ascending; None if it is none, or more than one."""
    rows = [HEADING.sub("", bare(line)) for line in lines]
    labels = [labels_of(row) for row in rows]
    if len(rows) > 1 and any(len(row) > 1 for row in labels) and not _wrapped(rows):
        return None
    joints = _known([label for row in labels for label in row], layout)
    return joints and _settled(joints)


def _wrapped(rows: Sequence[str]) -> bool:
    return all(row.endswith((",", ";")) for row in rows[:-1])


def _known(labels: Sequence[Label | None], layout: SkeletonLayout) -> list[int] | None:
    """Return the joints that labels mean; None if one of them means none, or two."""
    joints = [label.joint(layout) if label else None for label in labels]
    known = [joint for joint in joints if joint is not None]
    return known if len(known) == len(joints) else None


def _settled(joints: Sequence[int]) -> list[int] | None:
    """Return joints ascending, each once; None if they are two lists that differ.

    A second list shows by beginning again: from the first repetition on there are several joints,
    and not the same as before it.
    """
    seen: list[int] = []
    for place, joint in enumerate(joints):
        if joint in seen:
            again = set(joints[place:])
            if len(again) > 1 and again != set(seen):
                return None
        seen.append(joint)
    return sorted(set(joints))
