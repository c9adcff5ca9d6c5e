"""Descriptions of classes in claims: from class notes, typed lines, or a language model."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from skeletonagent.agents import prompts
from skeletonagent.agents.evidence.claim_scores import ClassDescription
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import Step
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature
from skeletonagent.core.outside_text import printable_text
from skeletonagent.llm.chat import Chat
from skeletonagent.llm.class_notes import ClassNotes, bundled_notes, normalized_name

_LINE = re.compile(r"(?P<claim>.*?\b(?:more|less))(?:\s+than\s+(?P<rival>.+))?", re.I)
_LIKE_LINES = "write claims such as 'right hand height more; both feet speed less than jump'"
_LONGEST_TEXT = 2_000
_CLAIMS = re.compile(r"^\W*claims\W*:(?P<lines>.*(?:\n.+)*)", re.I | re.M)
_MOST_RIVALS = 12
"""Classes that a language model is asked to compare with."""


def read_description(
    name: str,
    text: str,
    class_names: Sequence[str],
    layout: SkeletonLayout,
    chat: Chat | None = None,
) -> ClassDescription:
    """Return the description that a text is: a described class's name, claims, or free words.

    Args:
        name: Name of the action.
        text: Name of a class of bundled notes, claims as for :func:`describe_by_lines`, or
            anything that a language model understands.
        class_names: Names of the classes that claims may compare it with.
        layout: The skeleton, for the question to the language model.
        chat: Language model that is asked where the text is neither of the first two.

    Raises:
        ConfigError: If no claims come of the text.
        ChatError: If the language model does not answer.
    """
    text = printable_text(text.strip(), _LONGEST_TEXT)
    notes = bundled_notes((text, *class_names)).get(text)
    if notes is not None:
        return replace(describe_by_notes(notes, class_names), name=name)
    try:
        return describe_by_lines(name, text, class_names)
    except ConfigError as error:
        if chat is None:
            raise ConfigError(
                f"{error}; a bundled class's name or, with --chat, free words will do, too"
            ) from error
    return _describe_by_chat(name, text, class_names, layout, chat)


def _describe_by_chat(
    name: str, text: str, class_names: Sequence[str], layout: SkeletonLayout, chat: Chat
) -> ClassDescription:
    """Return the claims into which a language model turns a text."""
    rivals = tuple(class_names[:_MOST_RIVALS])
    asked = prompts.question(Step.DISTINGUISH, name, layout, rivals)
    posed = f'"{name}" is an action that is described so: {text}\n{asked.text}'
    answer = chat.ask(replace(asked, text=posed), ()).text
    found = _CLAIMS.search(answer)
    claims = tuple(_usable_claims(name, found["lines"] if found else "", class_names))
    if not claims:
        raise ConfigError(
            f"{chat.name} made no claims of the description of {name!r}, but: {answer!r:.200}; "
            f"{_LIKE_LINES}"
        )
    return ClassDescription(name, claims)


def _usable_claims(name: str, lines: str, class_names: Sequence[str]) -> Iterator[Claim]:
    """Yield the claims of a language model; others are said in a warning."""
    for line in filter(None, map(str.strip, re.split(r"[;\n]+", lines))):
        try:
            yield from describe_by_lines(name, line.strip(" .-"), class_names).claims
        except ConfigError as error:
            warnings.warn(f"left out: {error}", stacklevel=4)


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
