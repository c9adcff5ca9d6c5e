"""Measures of clips as stored, by which sources of recordings differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class ClipMeasures:
    """Measures of N clips as stored, each a mean over the clip's bodies; NaN where unknown.

    Args:
        sample_ids: Name of each clip.
        size: Mean length of the bones, in the unit of the data.
        bones: Natural logarithm of the length of each bone over ``size``.
        speed: Mean way of a joint from one frame to the next, over ``size``.
        roughness: Root mean square of the changes of these steps, over that of the steps: 0 where
            movement is even, above 1 where noise from frame to frame prevails.
        absent: Share of the joints that are absent in frames in which their body is there.
        seen: Share of these frames in which each joint is there.
        up: Direction from the legs to the head and the shoulders, a unit vector.
        left: Direction to the body's left, square to ``up``, a unit vector.
        front: Way from the ankles to the feet along left x up, over ``size``; negative in a mirror
            image. In 3D alone, of skeletons that have both.
    """

    sample_ids: tuple[str, ...]
    size: Float[np.ndarray, " n"]
    bones: Float[np.ndarray, "n b"]
    speed: Float[np.ndarray, " n"]
    roughness: Float[np.ndarray, " n"]
    absent: Float[np.ndarray, " n"]
    seen: Float[np.ndarray, "n v"]
    up: Float[np.ndarray, "n d"]
    left: Float[np.ndarray, "n d"]
    front: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        """Return N, the number of clips."""
        return len(self.sample_ids)

    @cached_property
    def _index_of(self) -> Mapping[str, int]:
        return {sample_id: index for index, sample_id in enumerate(self.sample_ids)}

    def of_samples(self, sample_ids: Sequence[str]) -> ClipMeasures:
        """Return the measures of some clips; those that were not measured are left out."""
        kept = [self._index_of[name] for name in sample_ids if name in self._index_of]
        arrays = {
            item.name: getattr(self, item.name)[kept]
            for item in fields(self)
            if item.name != "sample_ids"
        }
        return ClipMeasures(sample_ids=tuple(self.sample_ids[n] for n in kept), **arrays)
