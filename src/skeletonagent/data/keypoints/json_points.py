"""Keypoints in JSON: lists of numbers, and the images that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.data.keypoints.bodies import SeenBody
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.source import clean_text, natural_order, numbered_files


def flat_points(value: Any, channels: int, path: Path) -> Float[np.ndarray, "v k"]:
    """Return numbers that follow each other, ``[x, y, score, x, ...]``, as points.

    Args:
        value: The numbers.
        channels: Numbers of each point.
        path: File that an error names.

    Raises:
        DataError: If they are no numbers, or do not fill points.
    """
    numbers = _numbers(value, path)
    if numbers.ndim != 1 or not numbers.size or numbers.size % channels:
        raise DataError(
            f"holds {numbers.size} numbers as keypoints of a person, no multiple of {channels}",
            path=path,
        )
    return numbers.reshape(-1, channels)


def nested_points(value: Any, path: Path) -> Float[np.ndarray, "v k"]:
    """Return points ``[[x, y], ...]`` of two or three coordinates.

    Raises:
        DataError: If they are none.
    """
    numbers = _numbers(value, path)
    while numbers.ndim > 2 and len(numbers) == 1:
        numbers = numbers[0]
    if numbers.ndim != 2 or numbers.shape[1] not in (2, 3):
        raise DataError(
            f"holds keypoints of shape {numbers.shape}; (joints, 2 or 3) is expected", path=path
        )
    return numbers


def scores(value: Any, joints: int, path: Path) -> Float[np.ndarray, " v"] | None:
    """Return the confidence of each joint; None if there is none.

    Raises:
        DataError: If there are more or fewer than joints.
    """
    if value is None:
        return None
    numbers = _numbers(value, path).reshape(-1)
    if len(numbers) != joints:
        raise DataError(f"holds {len(numbers)} scores of {joints} keypoints", path=path)
    return numbers


def seen_body(
    joints: Float[np.ndarray, "v c"],
    confidence: Float[np.ndarray, " v"] | None,
    person: str | None = None,
) -> SeenBody:
    """Return a body in which joints at zero in all coordinates were not seen."""
    absent = (joints == 0).all(axis=1)
    return SeenBody(np.where(absent[:, None], np.nan, joints), confidence, person)


def track_name(value: Any) -> str | None:
    """Return the number of a tracked person as text; None if there is none, or -1."""
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        return clean_text(value) or None
    return str(int(value)) if 0 <= value < np.inf else None


def images_by_recording(images: Sequence[str], default: str) -> Mapping[str, dict[int, int]]:
    """Return the images of each recording, by the number of their frame.

    Recordings are the folders of the images; in one folder those whose names differ in more than
    their last number are apart.

    Args:
        images: Names of the images, such as ``wave_p01/00012.jpg``.
        default: Name of a recording whose images are named by numbers alone.
    """
    folders: dict[str, list[int]] = {}
    for place, image in enumerate(images):
        folder = str(PurePosixPath(image.replace("\\", "/")).parent)
        folders.setdefault("" if folder == "." else folder, []).append(place)
    recordings: dict[str, dict[int, int]] = {}
    for folder, places in folders.items():
        paths = {Path(images[place].replace("\\", "/")): place for place in places}
        groups = numbered_files(tuple(paths))
        numbered = sum(map(len, groups.values())) == len(places)
        if not numbered:  # some have no number, or share it
            ordered = sorted(paths, key=natural_order)
            groups = {"": dict(enumerate(ordered))}
        for prefix, files in groups.items():
            last = clean_text(PurePosixPath(folder).name) if folder else ""
            parts = [part for part in (last, prefix if len(groups) > 1 or not last else "") if part]
            name = "/".join(parts) or default
            if name in recordings:
                name = clean_text(f"{folder}/{prefix}".strip("/"))
            recordings[name] = {number: paths[file] for number, file in files.items()}
    return recordings


def constant_size(sizes: Sequence[tuple[Any, Any]], where: object) -> tuple[float, float] | None:
    """Return the width and height that all images of a recording have; None if unknown.

    Args:
        sizes: Width and height of each image.
        where: File that a warning names.
    """
    known = {size for size in sizes if all(isinstance(s, int | float) and s > 0 for s in size)}
    if len(known) > 1:
        remark(where, "images differ in size; it is left out")
    if len(known) != 1:
        return None
    width, height = known.pop()
    return float(width), float(height)


def _numbers(value: Any, path: Path) -> np.ndarray:
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"holds keypoints that are no numbers: {error}", path=path) from error
    if np.isinf(numbers).any():
        raise DataError("holds infinite numbers as keypoints", path=path)
    return numbers
