"""Descriptions of classes in claims, from class notes and from lines that were typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from skeletonagent.agents.evidence.claim_scores import ClassDescription
from skeletonagent.core.claims import Claim
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.motion_feature import MotionFeature
from skeletonagent.llm.class_notes import (
    ClassNotes,
    bundled_class_notes,
    bundled_names,
    normalized_name,
)

_LINE = re.compile(r"(?P<claim>.*?\b(?:more|less))(?:\s+than\s+(?P<rival>.+))?", re.I)
_LIKE_LINES = "write claims such as 'right hand height more; both feet speed less than jump'"


def describe_by_notes(notes: ClassNotes, class_names: Iterable[str]) -> ClassDescription:
    """Return the description that class notes hold.

    Args:
        notes: Notes about the class, with claims.
        class_names: Names of the classes that claims may compare it with; others play no part.
    """
    known = {normalized_name(name): name for name in class_names}
    claims = [Claim.parse(line) for line in notes.claims]
    for contrast in notes.against:
        rivals = [known[key] for key in map(normalized_name, contrast.rivals) if key in known]
        claims += [Claim.parse(line, rival) for rival in rivals for line in contrast.claims]
    return ClassDescription(notes.action, tuple(dict.fromkeys(claims)))


def describe_by_lines(name: str, text: str, class_names: Iterable[str]) -> ClassDescription:
    """Return the description that claims of a text make.

    Args:
        name: Name of the class.
        text: Claims with semicolons, commas or line breaks between them, each as
            :meth:`~skeletonagent.core.claims.Claim.parse` reads it, and after ``than`` the class it
            is compared with, if not with all others.
        class_names: Names of the classes that claims may compare it with.

    Raises:
        ConfigError: If a line is no claim, or compares with an unknown class.
    """
    known = {normalized_name(class_name): class_name for class_name in class_names}
    # A name of a class may have a comma: "right hand height more than wave, with both hands".
    lines = [line.strip() for line in re.split(r"[;\n]+|,(?=[^;\n]*\b(?:more|less)\b)", text)]
    claims = [_claim(line, known) for line in lines if line]
    if not claims:
        raise ConfigError(f"the description of {name!r} is empty; {_LIKE_LINES}")
    return ClassDescription(name, tuple(dict.fromkeys(claims)))


def _claim(line: str, known: dict[str, str]) -> Claim:
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise ConfigError(
            f"{line!r:.80} is no claim: it lacks 'more' or 'less' after one of "
            f"{', '.join(MotionFeature)}; {_LIKE_LINES}"
        )
    rival = parts["rival"]
    if rival is not None and normalized_name(rival) not in known:
        raise ConfigError(
            f"{line!r:.80} compares with no class of the run; there are {', '.join(known.values())}"
        )
    try:
        return Claim.parse(parts["claim"], known[normalized_name(rival)] if rival else "")
    except ValueError as error:
        raise ConfigError(f"{error}; {_LIKE_LINES}") from error


def bundled_notes(class_names: Sequence[str]) -> dict[str, ClassNotes]:
    """Return the bundled notes that have claims, of each class that has some.

    Of several sets that describe a class, the one with most of the classes is taken.

    Args:
        class_names: Names of classes.
    """
    wanted = set(map(normalized_name, class_names))
    sets = [
        {normalized_name(notes.action): notes for notes in bundled_class_notes(name).classes}
        for name in bundled_names()
    ]
    found: dict[str, ClassNotes] = {}
    for notes_set in sorted(sets, key=lambda one: -len(wanted & one.keys())):
        for key in wanted & notes_set.keys():
            if notes_set[key].claims:
                found.setdefault(key, notes_set[key])
    return {name: found[key] for name in class_names if (key := normalized_name(name)) in found}
