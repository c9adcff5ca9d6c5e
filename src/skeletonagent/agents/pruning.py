"""Leave out of an answer what cannot be used, where the rest stands by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from skeletonagent.agents.answers import DISTINCTION
from skeletonagent.agents.labels import Label, label_of, labels_of
from skeletonagent.agents.prompts import BODY_PARTS
from skeletonagent.agents.tidying import bare
from skeletonagent.core.dialogue import Step
from skeletonagent.core.layout import SkeletonLayout

FEWEST_JOINTS = 2
"""Joints that must remain for others to be left out."""
FEWEST_WORDS = 8
"""Words of a sentence that must remain for the rest to be cut."""

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


def pruned(step: Step, lines: Sequence[str], layout: SkeletonLayout) -> list[str]:
    """Return an answer's lines without notes around them and without joints that exist nowhere."""
    if step in (Step.OVERVIEW, Step.KEY_FEATURES):
        return _without_notes(lines)
    if step is Step.DISTINGUISH:
        kept = _without_notes(_within(lines, _keyed(DISTINCTION)))
        return [_known_labels(line, layout) for line in kept]
    if step is Step.BODY_PARTS:
        return _within(lines, _keyed([part.lower() for part in BODY_PARTS]))
    if step is Step.CRITICAL_JOINTS:
        kept = _within(lines, lambda line: any(labels_of(line)))
        return [_known_labels(line, layout) for line in kept]
    return _known_lines(_within(lines, lambda line: label_of(_key(line)) is not None), layout)


def shortened(step: Step, text: str) -> Iterator[str]:
    """Yield a tidied answer with its sentence cut at the end of a clause, the longest first."""
    *before, sentence = text.split("\n") if step is Step.DISTINGUISH else [text]
    if step not in (Step.OVERVIEW, Step.KEY_FEATURES, Step.DISTINGUISH) or "\n" in sentence:
        return
    for boundary in reversed(list(_BOUNDARY.finditer(sentence))):
        cut = sentence[: boundary.start()]
        if len(cut.split()) >= FEWEST_WORDS:
            yield "\n".join([*before, f"{cut}."])


def _key(line: str) -> str:
    return bare(line).partition(":")[0].strip()


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
    said = [_PREFACE.sub("", line) for line in lines]
    return [line for line in said if line and not _NOTE.search(line)]


def _known_lines(lines: Sequence[str], layout: SkeletonLayout) -> list[str]:
    labels = [label_of(_key(line)) for line in lines]
    kept = [x for x, label in zip(lines, labels, strict=True) if not _nowhere(label, layout)]
    return kept if len(kept) >= FEWEST_JOINTS else list(lines)


def _known_labels(line: str, layout: SkeletonLayout) -> str:
    """Return a line of labels without those that exist nowhere, if enough remain."""
    key, colon, rest = line.rpartition(":")
    labels = labels_of(rest)
    kept = [label for label in labels if label and not _nowhere(label, layout)]
    if None in labels or len(kept) == len(labels) or len(kept) < FEWEST_JOINTS:
        return line
    return f"{key}{colon} {', '.join(map(str, kept))}".strip()


def _nowhere(label: Label | None, layout: SkeletonLayout) -> bool:
    """Return whether a label has neither the number nor the name of any joint."""
    return label is not None and label.nowhere(layout)
