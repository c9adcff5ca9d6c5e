"""Rewriting of answers into the form asked for.

:func:`clean_answer` loses nothing of an answer; where that cannot be done without a guess, the
lines stay as they are. :func:`prune_answer` and :func:`shorten_sentence` leave something out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from skeletonagent.agents.answers.checks import BULLET, HEADING, SEVERAL_PARTS
from skeletonagent.agents.answers.claim_lines import CLAIMS_KEY
from skeletonagent.agents.answers.joint_labels import (
    JointLabel,
    labels_in,
    parse_label,
    parse_labels,
    split_joints,
)
from skeletonagent.agents.answers.parsers import DISTINCTION
from skeletonagent.agents.prompts import BODY_PARTS
from skeletonagent.core.dialogue import Step
from skeletonagent.core.layout import SkeletonLayout

_QUOTES = re.compile(r'^["“]\s*([^"“”]*?)\s*["”]$')
_RANGE = re.compile(r"(?<=[0-9°])\s*[–—]\s*(?=[0-9])")
_HYPHEN = re.compile(r"(?<=\w)–(?=\w)")
_DASH = re.compile(r"\s*[,;]?(?:\s*[–—]\s*|\s-\s)")
_ENDED = re.compile(r"[.!?:)\]]$")
_NEXT_KEY = re.compile(r"(?<!^)(?=\b(?:Difference|Claims)\s*:)", re.IGNORECASE)
_TARGETED = (*DISTINCTION, CLAIMS_KEY)
FEWEST_JOINTS = 2
"""Fewest joints that must remain for others to be left out."""
FEWEST_WORDS = 8
"""Fewest words of a sentence that must remain for the rest to be cut."""
_PREFACE = re.compile(
    r"^(?:sure|certainly|of course|okay|absolutely|here (?:is|are)|here's)\b[^:]*:\s*",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"^(?:[(\[].*[)\]]$|(?:note|remark|sure|certainly|of course|okay|absolutely|let me|i hope"
    r"|here (?:is|are)|here's)\b)|:$",
    re.IGNORECASE,
)
_OTHER_CHOICE = re.compile(r"[0-9]\s*(?:,|;|\band\b|&)\s*[0-9]|\b[0-9]{1,3}-[a-z]", re.IGNORECASE)
_BOUNDARY = re.compile(r"[.!?;](?=\s)|,(?=\s(?:and|but|while|whereas|with|as|then|unlike|which)\b)")
_PLURALS = {"Heads": "Head", "Feet": "Foot"} | {f"{part}s": part for part in BODY_PARTS}


def clean_answer(step: Step, lines: Sequence[str], layout: SkeletonLayout) -> str:
    """Return an answer's lines in the form its step asks for, as far as its meaning is certain."""
    text = "\n".join(lines)
    once = list(dict.fromkeys(_QUOTES.sub(r"\1", text).split("\n")))
    return _CLEANERS[step](once, layout) or text


def strip_bullet(line: str) -> str:
    """Return a line without its bullet or list number."""
    return BULLET.sub("", line)


def _sentence(lines: Sequence[str], layout: SkeletonLayout) -> str | None:
    if not lines or any(map(_ENDED.search, lines[:-1])) or any(map(BULLET.match, lines[1:])):
        return None
    text = HEADING.sub("", strip_bullet(" ".join(lines)))
    text = _QUOTES.sub(r"\1", text)
    text = _DASH.sub(", ", _HYPHEN.sub("-", _RANGE.sub(" to ", text)))
    for label, joint in labels_in(text, layout):
        text = text.replace(label, layout.display_name(joint), 1)
    return text


def _key_features(lines: Sequence[str], layout: SkeletonLayout) -> str | None:
    before, claims = _apart_from_claims(lines)
    sentence = _sentence(before, layout)
    return None if sentence is None else "\n".join([sentence, *claims])


def _apart_from_claims(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the lines before the claims, and the claims as one line or none."""
    split = (part.strip() for line in lines for part in _NEXT_KEY.split(line))
    parts = [part for part in split if part.strip("-•")]
    place = next((n for n, line in enumerate(parts) if _key(line).lower() == CLAIMS_KEY), None)
    if place is None:
        return list(lines), []
    first = strip_bullet(parts[place]).partition(":")[2]
    claims = [strip_bullet(line).strip(" ;,.") for line in (first, *parts[place + 1 :])]
    listed = "; ".join(filter(None, claims))
    return parts[:place], [f"Claims: {listed}"] if listed else []


def _body_parts(lines: Sequence[str], layout: SkeletonLayout) -> str | None:
    parts = [part for line in _unbroken(lines) for part in SEVERAL_PARTS.split(strip_bullet(line))]
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
    rows = [row for line in _unbroken(lines) for row in split_joints(strip_bullet(line), layout)]
    entries = [row.partition(":") for row in rows]
    joints = _joints_of([parse_label(key) for key, _, _ in entries], layout) or []
    order = _ascending(joints)
    texts: dict[int, str] = {}
    for joint, (_, _, text) in zip(joints, entries, strict=False):
        if texts.setdefault(joint, text.strip()) != text.strip():
            return None
    if not order:
        return None
    return "\n".join(f"{layout.label(joint)}: {texts[joint]}" for joint in order)


def _distinction(lines: Sequence[str], layout: SkeletonLayout) -> str | None:
    groups = _lines_by_key([part for line in lines for part in _NEXT_KEY.split(line)])
    if groups is None:
        return None
    joints = _joints(groups["joints"], layout)
    sentence = _sentence(groups["difference"], layout)
    if not joints or not sentence:
        return None
    labels = ", ".join(layout.label(joint) for joint in joints)
    claims = "; ".join(strip_bullet(line).strip(" ;,.") for line in groups.get(CLAIMS_KEY, ()))
    last = f"\nClaims: {claims}" if claims else ""
    return f"Joints: {labels}\nDifference: {sentence}{last}"


_CLEANERS: Mapping[Step, Callable[[Sequence[str], SkeletonLayout], str | None]] = {
    Step.OVERVIEW: _sentence,
    Step.BODY_PARTS: _body_parts,
    Step.CRITICAL_JOINTS: _critical_joints,
    Step.JOINT_DETAILS: _joint_details,
    Step.KEY_FEATURES: _key_features,
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


def _lines_by_key(lines: Iterable[str]) -> dict[str, list[str]] | None:
    """Return the lines under each key of a targeted answer; None if it is not so laid out."""
    groups: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        head, colon, rest = strip_bullet(line).partition(":")
        name = head.strip().lower()
        if colon and name in _TARGETED:
            if name in groups:
                return None
            key, line = name, rest.strip()
        if not key:
            return None
        groups.setdefault(key, []).extend([line] if line else [])
    return groups if set(groups) - {CLAIMS_KEY} == set(DISTINCTION) else None


def _joints(lines: Sequence[str], layout: SkeletonLayout) -> list[int] | None:
    """Return the joints of one list, ascending; None if it is none, or more than one."""
    rows = [HEADING.sub("", strip_bullet(line)) for line in lines]
    labels = [parse_labels(row) for row in rows]
    if len(rows) > 1 and any(len(row) > 1 for row in labels) and not _wrapped(rows):
        return None
    joints = _joints_of([label for row in labels for label in row], layout)
    return joints and _ascending(joints)


def _wrapped(rows: Sequence[str]) -> bool:
    return all(row.endswith((",", ";")) for row in rows[:-1])


def _joints_of(labels: Sequence[JointLabel | None], layout: SkeletonLayout) -> list[int] | None:
    """Return the joints that labels mean; None if one of them means none, or two."""
    joints = [label.joint(layout) if label else None for label in labels]
    existing = [joint for joint in joints if joint is not None]
    return existing if len(existing) == len(joints) else None


def _ascending(joints: Sequence[int]) -> list[int] | None:
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


def prune_answer(step: Step, lines: Sequence[str], layout: SkeletonLayout) -> list[str]:
    """Return an answer's lines without notes around them and without joints that exist nowhere."""
    if step is Step.OVERVIEW:
        return _without_notes(lines)
    if step is Step.KEY_FEATURES:
        before, claims = _apart_from_claims(lines)
        return [*_without_notes(before), *claims]
    if step is Step.DISTINGUISH:
        kept = _without_notes(_within(lines, _keyed(_TARGETED)))
        return [_existing_labels(line, layout) for line in kept]
    if step is Step.BODY_PARTS:
        return _within(lines, _keyed([part.lower() for part in BODY_PARTS]))
    if step is Step.CRITICAL_JOINTS:
        kept = _within(lines, lambda line: any(parse_labels(line)))
        return [_existing_labels(line, layout) for line in kept]
    return _existing_lines(_within(lines, lambda line: parse_label(_key(line)) is not None), layout)


def shorten_sentence(step: Step, text: str) -> Iterator[str]:
    """Yield a clean answer with its sentence cut at the end of a clause, the longest first."""
    lines = text.split("\n")
    place = min(1, len(lines) - 1) if step is Step.DISTINGUISH else 0
    before, sentence, after = lines[:place], lines[place], lines[place + 1 :]
    is_sentence = step in (Step.OVERVIEW, Step.KEY_FEATURES, Step.DISTINGUISH)
    if not is_sentence or any(_key(line).lower() != CLAIMS_KEY for line in after):
        return
    for boundary in reversed(list(_BOUNDARY.finditer(sentence))):
        cut = sentence[: boundary.start()]
        if len(cut.split()) >= FEWEST_WORDS:
            yield "\n".join([*before, f"{cut}.", *after])


def _key(line: str) -> str:
    return strip_bullet(line).partition(":")[0].strip()


def _keyed(keys: Sequence[str]) -> Callable[[str], bool]:
    return lambda line: ":" in line and _key(line).lower() in keys


def _within(lines: Sequence[str], wanted: Callable[[str], bool]) -> list[str]:
    """Return the lines from the first to the last that is wanted.

    Lines in between stay, and so do those around them that name another choice of joints: to
    leave these out would be to choose.
    """
    places = [place for place, line in enumerate(lines) if wanted(line)]
    if not places:
        return list(lines)
    first, last = places[0], places[-1]
    around = [*lines[:first], *lines[last + 1 :]]
    if any(map(_OTHER_CHOICE.search, around)):
        return list(lines)
    return list(lines[first : last + 1])


def _without_notes(lines: Sequence[str]) -> list[str]:
    without_preface = [_PREFACE.sub("", line) for line in lines]
    return [line for line in without_preface if line and not _NOTE.search(line)]


def _existing_lines(lines: Sequence[str], layout: SkeletonLayout) -> list[str]:
    labels = [parse_label(_key(line)) for line in lines]
    kept = [x for x, label in zip(lines, labels, strict=True) if not _nowhere(label, layout)]
    return kept if len(kept) >= FEWEST_JOINTS else list(lines)


def _existing_labels(line: str, layout: SkeletonLayout) -> str:
    """Return a line of labels without those that exist nowhere, if enough remain."""
    key, colon, rest = line.rpartition(":")
    labels = parse_labels(rest)
    kept = [label for label in labels if label and not _nowhere(label, layout)]
    if None in labels or len(kept) == len(labels) or len(kept) < FEWEST_JOINTS:
        return line
    return f"{key}{colon} {', '.join(map(str, kept))}".strip()


def _nowhere(label: JointLabel | None, layout: SkeletonLayout) -> bool:
    """Return whether a label has neither the number nor the name of any joint."""
    return label is not None and label.nowhere(layout)
