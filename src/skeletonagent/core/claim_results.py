"""Results of claims that were tested on clips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from skeletonagent.core.claims import Claim

MAX_CLAIMS = 8
"""Most claims of an answer."""


class Verdict(StrEnum):
    """Verdict of clips on a claim."""

    BORNE_OUT = "borne out"
    """The class has clearly more, or less, as claimed."""
    CONTRADICTED = "contradicted"
    """The class clearly has the opposite."""
    UNDECIDED = "undecided"
    """The difference may be chance, is negligible, or cannot be measured."""


@dataclass(frozen=True)
class ClaimResult:
    """Result of a test of a claim.

    Args:
        claim: The claim.
        verdict: Verdict of the clips; corrected for the claims tested together.
        effect: Cohen's d, positive in the direction claimed; None where it cannot be measured.
        low: Lower end of the effect's 95 % interval, of this claim by itself.
        high: Upper end of it.
    """

    claim: Claim
    verdict: Verdict = Verdict.UNDECIDED
    effect: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def effect_text(self) -> str:
        """Effect and interval in words."""
        if self.effect is None or self.low is None or self.high is None:
            return "not measurable in the clips"
        return f"d {self.effect:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"

    def __str__(self) -> str:
        """Return claim, verdict, effect and interval."""
        return f"{claim_line(self.claim)}: {self.verdict}, {self.effect_text}"

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {
            **claim_to_json(self.claim),
            "verdict": self.verdict.value,
            "effect": self.effect,
            "low": self.low,
            "high": self.high,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ClaimResult:
        """Return the result of :meth:`to_json`.

        Raises:
            KeyError: If a field is missing.
            TypeError: If a field is not what it should be.
            ValueError: If the claim or the verdict is none.
        """
        effect, low, high = (_number(value[name]) for name in ("effect", "low", "high"))
        return cls(claim_from_json(value), Verdict(value["verdict"]), effect, low, high)


def claim_line(claim: Claim) -> str:
    """Return a claim with its rival, such as ``right hand height more than wave``."""
    return f"{claim} than {claim.rival}" if claim.rival else str(claim)


def claim_to_json(claim: Claim) -> dict[str, str]:
    """Return a claim as plain values."""
    return {"claim": str(claim), "rival": claim.rival}


def claim_from_json(value: Mapping[str, Any]) -> Claim:
    """Return the claim of :func:`claim_to_json`.

    Raises:
        KeyError: If a field is missing.
        TypeError: If a field is not a text.
        ValueError: If it is no claim.
    """
    for name in ("claim", "rival"):
        if not isinstance(value[name], str):
            raise TypeError(f"{name!r} must be a text, got {value[name]!r:.60}")
    return Claim.parse(value["claim"], value["rival"])


def claims_from_json(values: Iterable[Mapping[str, Any]]) -> tuple[Claim, ...]:
    """Return the claims of a list of :func:`claim_to_json`."""
    return tuple(map(claim_from_json, values))


def results_from_json(values: Iterable[Mapping[str, Any]]) -> tuple[ClaimResult, ...]:
    """Return the results of a list of :meth:`ClaimResult.to_json`."""
    return tuple(map(ClaimResult.from_json, values))


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number is needed, got {value!r:.60}")
    return float(value)
