"""One sequence of body joints by itself, and names of samples and sources; all without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class SkeletonSequence:
    """One labelled sequence of body joints.

    Args:
        joints: Coordinates, and after them perhaps the detector's confidence; an absent body or
            joint is all zeros.
        label: Class index.
        sample_id: Name of the sample, unique in its data set.
        subject: Number of the person who performs it; None if unknown.
        image_size: Width and height of the image, where coordinates are its pixels; else None.
        fps: Frames a second; None if unknown.
    """

    joints: Float[np.ndarray, "m t v c"]
    label: int
    sample_id: str
    subject: int | None = None
    image_size: tuple[float, float] | None = None
    fps: float | None = None


@dataclass(frozen=True)
class Split:
    """Training and test set of a data set, as sample ids."""

    train: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class JoinedSource:
    """Data set that is part of a joined one.

    Args:
        name: Short name.
        clips: Number of its samples.
        classes: Number of its classes.
        archive: Path of its archive; None of generated motions.
        seed: Seed of generated motions; None of an archive.
    """

    name: str
    clips: int
    classes: int
    archive: str | None = None
    seed: int | None = None
