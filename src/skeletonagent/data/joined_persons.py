"""Persons of a recording whom a tracker numbered anew, each as one body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.person_joining import joined_bodies


@dataclass(frozen=True)
class JoinedPersons:
    """Persons of a recording, some of whom are several of its bodies.

    Args:
        taken: The body that each person is in each frame.
        groups: Bodies of each person, those of whom there is more than one.
    """

    taken: Int[np.ndarray, "p t"]
    groups: tuple[tuple[int, ...], ...]

    @property
    def firsts(self) -> list[int]:
        """First body of each person, whose name the person keeps."""
        parts = {body for group in self.groups for body in group[1:]}
        return [body for body in range(len(self.taken) + len(parts)) if body not in parts]

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Return values of each body and frame, (M, T, ...), as those of each person."""
        return np.asarray(values[self.taken, np.arange(self.taken.shape[1])])

    def names(self, persons: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the persons, from those of the bodies."""
        return tuple(persons[body] for body in self.firsts)

    def remark(self, persons: Sequence[str]) -> str:
        """Return which bodies are one person, in words."""
        groups = ", ".join(" = ".join(persons[body] for body in group) for group in self.groups)
        return (
            f"persons whom a tracker numbered anew in the same place are one: {groups}; they are "
            "never seen at once"
        )


def join_persons(joints: Float[np.ndarray, "m t v d"]) -> JoinedPersons | None:
    """Return the persons of a recording; None if each body is another one.

    See :func:`skeletonagent.data.renumbered.join_renumbered` for which bodies are one person.

    Args:
        joints: Coordinates; NaN where a joint was not seen.
    """
    seen: Bool[np.ndarray, "m t v"] = ~np.isnan(joints).any(axis=-1)
    taken = joined_bodies(joints, seen)
    parts = (taken < 0).any(axis=1)
    if not parts.any():
        return None
    visible: Bool[np.ndarray, "m t"] = np.any(seen, axis=2)
    rest = np.flatnonzero(parts & np.any(visible, axis=1))
    firsts = np.flatnonzero(~parts)
    groups = []
    for first in firsts:
        others = [int(body) for body in rest if (taken[first][visible[body]] == body).all()]
        if others:
            groups.append((int(first), *others))
    return JoinedPersons(taken[firsts], tuple(groups))


def joined_recording(recording: KeypointRecording) -> tuple[KeypointRecording, bool]:
    """Return a recording whose renumbered persons are one body each, and whether there were any."""
    joined = join_persons(recording.joints)
    if joined is None:
        return recording, False
    scores = recording.confidence
    named = len(recording.person_ids) == len(recording.joints)
    whole = replace(
        recording,
        joints=joined.rows(recording.joints),
        confidence=None if scores is None else joined.rows(scores),
        person_ids=joined.names(recording.person_ids) if named else (),
    )
    return whole, True
