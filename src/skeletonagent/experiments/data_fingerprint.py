"""Fingerprint of what a run is trained and tested on, by which other data are recognized."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from math import isclose
from typing import Any

import torch

from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.errors import CheckpointError
from skeletonagent.data.placement import OnDiskData
from skeletonagent.data.splits import choose_split

_DIGESTS = ("samples", "labels", "split", "layout")
_PROBES = 16
"""Samples whose coordinates are looked at."""
_TOLERANCE = 1e-3
"""Relative difference of coordinates that another machine's arithmetic may make."""


@dataclass(frozen=True)
class DataFingerprint:
    """Digests of a data set's parts, and means of coordinates, which are compared roughly.

    Args:
        samples: Digest of the names and shapes of all samples.
        labels: Digest of their labels and of the names of the classes.
        split: Digest of the training and the test set.
        layout: Digest of joints and bones.
        coordinates: Mean size of the coordinates of some samples, spread over all.
    """

    samples: str
    labels: str
    split: str
    layout: str
    coordinates: tuple[float, ...]

    @classmethod
    def of(cls, data: SkeletonData, split_name: str | None) -> DataFingerprint:
        """Return the fingerprint of a data set and one of its splits."""
        store, split = data.store, choose_split(data, split_name)[1]
        shapes = [store.lengths.tolist(), store.persons.tolist(), store.channels]
        return cls(
            samples=_digest([store.sample_ids, shapes]),
            labels=_digest([store.class_names, store.labels.tolist()]),
            split=_digest([split.train, split.test]),
            layout=_digest(store.layout.to_json()),
            coordinates=_coordinates(
                data.host_frames.store if isinstance(data, OnDiskData) else store
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fingerprint as plain values."""
        return asdict(self) | {"coordinates": list(self.coordinates)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DataFingerprint:
        """Return the fingerprint of :meth:`to_json`.

        Raises:
            CheckpointError: If something is missing.
        """
        try:
            digests = {name: str(value[name]) for name in _DIGESTS}
            return cls(**digests, coordinates=tuple(map(float, value["coordinates"])))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint does not say what it was trained on: {error!r}"
            ) from error

    def differences(self, other: DataFingerprint) -> list[str]:
        """Return the names of the parts that differ."""
        names = [name for name in _DIGESTS if getattr(self, name) != getattr(other, name)]
        if "samples" not in names and not _are_close(self.coordinates, other.coordinates):
            names.append("coordinates")
        return names


def _coordinates(store: ClipStore) -> tuple[float, ...]:
    places = sorted({n * len(store) // _PROBES for n in range(_PROBES)}) if len(store) else []
    sequences = (torch.from_numpy(store.sequence(n).joints) for n in places)
    return tuple(float(joints.nan_to_num(0, 0, 0).double().abs().mean()) for joints in sequences)


def _are_close(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) == len(other) and all(
        isclose(a, b, rel_tol=_TOLERANCE) for a, b in zip(one, other, strict=True)
    )


def _digest(value: Any) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:32]
