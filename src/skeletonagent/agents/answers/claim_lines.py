"""Claims of an answer: from their line of text to what can be measured.

What cannot be read is left out with a remark and never makes an answer unusable: the claims come
on top of joints and sentence.
"""

from __future__ import annotations

import re

from skeletonagent.core.claim_results import MAX_CLAIMS
from skeletonagent.core.claims import Claim, claim_joints
from skeletonagent.core.dialogue import Question
from skeletonagent.core.layout import SkeletonLayout

CLAIMS_KEY = "claims"
"""The key of the claims' line."""

_ITEM = re.compile(r"^(?P<claim>.*?\b(?:more|less))\b(?:\s+than\s+(?P<rival>.*))?$", re.IGNORECASE)
_NO_CLAIM = re.compile(r"^(?:none|no claims?|n/?a|-+)?$", re.IGNORECASE)
_ALL_OTHERS = frozenset({"", "others", "all others", "other actions", "all other actions"})
_LONGEST_SHOWN = 60


def read_claims(
    line: str, question: Question, layout: SkeletonLayout
) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """Return the claims of a line such as ``right hand height more than wave; head speed less``.

    Args:
        line: The claims, set apart by semicolons.
        question: The question that was answered; its rivals may be named.
        layout: The skeleton.

    Returns:
        The claims, each once and at most :data:`MAX_CLAIMS`, and a remark on each left out.
    """
    claims: list[Claim] = []
    left_out: list[str] = []
    for item in _items(line, question):
        try:
            claim = _claim(item, question, layout)
        except ValueError as error:
            left_out.append(f"claim left out: {error}")
            continue
        if claim in claims:
            continue
        if len(claims) == MAX_CLAIMS:
            left_out.append(f"claims after the first {MAX_CLAIMS} left out")
            break
        claims.append(claim)
    return tuple(claims), tuple(dict.fromkeys(left_out))


def plain_rival(name: str) -> str:
    """Return the name of a class as it stands in a line of claims."""
    return " ".join(name.replace(";", " ").split())


def _items(line: str, question: Question) -> list[str]:
    for rival in question.rivals:
        if ";" in rival:
            line = line.replace(rival, plain_rival(rival))
    items = [item.strip(" .,*-") for item in line.split(";")]
    return [item for item in items if not _NO_CLAIM.match(item)]


def _claim(item: str, question: Question, layout: SkeletonLayout) -> Claim:
    match = _ITEM.match(item)
    if match is None:
        raise ValueError(f"{item[:_LONGEST_SHOWN]!r} does not say 'more' or 'less' of a feature")
    claim = Claim.parse(match["claim"], _rival(match["rival"] or "", question))
    if claim_joints(claim, layout) is None:
        raise ValueError(f"the skeleton has no {claim.subject}")
    return claim


def _rival(named: str, question: Question) -> str:
    """Return the rival that is named, empty for all others."""
    wanted = _key(named)
    if wanted in _ALL_OTHERS:
        return ""
    found = next((rival for rival in question.rivals if _key(rival) == wanted), None)
    if found is None:
        raise ValueError(f"{named[:_LONGEST_SHOWN]!r} is none of the actions asked about")
    return found


def _key(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))
