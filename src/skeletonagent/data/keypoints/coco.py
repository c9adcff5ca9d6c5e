"""COCO's keypoints JSON: images, annotations and the names of the keypoints.

An annotation has ``keypoints`` as ``[x, y, v, ...]``; v is 0 for a keypoint that is not labelled,
1 for one that is hidden and 2 for one that is visible, or a score. Source: COCO's data format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import SeenBody, frame_places, recording_of_bodies
from skeletonagent.data.keypoints.json_points import (
    constant_size,
    flat_points,
    images_by_recording,
    seen_body,
    track_name,
)
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text

_TRACKS = ("track_id", "instance_id", "person_id")
_FRAMES = ("frame_id", "frame_index", "frame_number")


def _matches(source: KeypointSource) -> bool:
    value = source.json
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("images"), list)
        and isinstance(value.get("annotations"), list)
        and any(isinstance(a, Mapping) and "keypoints" in a for a in value["annotations"])
    )


def _read(source: KeypointSource) -> list[KeypointRecording]:
    """Return a recording for each video, folder or name of the images."""
    value = source.json
    images = _by_id(value["images"], source.path)
    names, layout = _skeleton(value, source.path)
    bodies = _bodies(value["annotations"], images, source.path)
    recordings = []
    for name, frames in _recordings(images, value.get("videos"), source.name).items():
        numbers = sorted(frames)
        places = frame_places(numbers, source.path)
        seen: list[list[SeenBody]] = [[] for _ in range(1 + max(places))]
        for number, place in zip(numbers, places, strict=True):
            seen[place] = bodies.get(frames[number], [])
        sizes = [(images[i].get("width"), images[i].get("height")) for i in frames.values()]
        recordings.append(
            recording_of_bodies(
                name,
                seen,
                source.path,
                joint_names=names,
                layout=layout,
                image_size=constant_size(sizes, f"{source.path}: {name}"),
            )
        )
    return recordings


def _by_id(images: Sequence[Any], path: Path) -> dict[Any, Mapping[str, Any]]:
    by_id = {
        image["id"]: image
        for image in images
        if isinstance(image, Mapping) and isinstance(image.get("id"), int | str)
    }
    if len(by_id) != len(images):
        raise DataError("has images without an id, or with the same one", path=path)
    return by_id


def _skeleton(
    value: Mapping[str, Any], path: Path
) -> tuple[tuple[str, ...] | None, SkeletonLayout | None]:
    """Return the names of the keypoints, and the layout where persons have COCO's 17."""
    sizes = {len(a.get("keypoints") or ()) // 3 for a in _keypoint_annotations(value)}
    for category in value.get("categories") or ():
        names = category.get("keypoints") if isinstance(category, Mapping) else None
        if isinstance(names, list) and names:
            if sizes != {len(names)}:
                raise DataError(
                    f"names {len(names)} keypoints, and annotations have {sorted(sizes)}", path=path
                )
            return tuple(map(clean_text, names)), None
    persons = {c.get("name") for c in value.get("categories") or () if isinstance(c, Mapping)}
    is_coco = sizes == {COCO_17.num_joints} and persons <= {"person"}
    return None, COCO_17 if is_coco else None


def _keypoint_annotations(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for annotation in value["annotations"]:
        if isinstance(annotation, Mapping) and annotation.get("keypoints"):
            yield annotation


def _bodies(
    annotations: Sequence[Any], images: Mapping[Any, Any], path: Path
) -> dict[Any, list[SeenBody]]:
    """Return the bodies in each image, by its id."""
    bodies: dict[Any, list[SeenBody]] = {}
    for annotation in _keypoint_annotations({"annotations": annotations}):
        image = annotation.get("image_id")
        if image not in images:
            raise DataError(f"annotates image {clean_text(image)}, which is not listed", path=path)
        points = flat_points(annotation["keypoints"], 3, path)
        flags = points[:, 2]
        if not flags.any():
            continue
        labelled = np.isin(flags, (0, 1, 2)).all()
        points[flags == 0, :2] = 0
        person = next((track_name(annotation[key]) for key in _TRACKS if key in annotation), None)
        body = seen_body(points[:, :2], flags / 2 if labelled else flags, person)
        bodies.setdefault(image, []).append(body)
    return bodies


def _recordings(
    images: Mapping[Any, Mapping[str, Any]], videos: Any, default: str
) -> Mapping[str, Mapping[int, Any]]:
    """Return the ids of the images of each recording, by the number of their frame."""
    ids = list(images)
    key = next((k for k in _FRAMES if all(isinstance(i.get(k), int) for i in images.values())), "")
    if key and all("video_id" in image for image in images.values()):
        titles = {
            video.get("id"): clean_text(Path(str(video.get("name", video.get("file_name")))).stem)
            for video in videos or ()
            if isinstance(video, Mapping)
        }
        frames: dict[str, dict[int, Any]] = {}
        for name, image in images.items():
            video = image["video_id"]
            frames.setdefault(titles.get(video) or f"video {video}", {})[image[key]] = name
        return frames
    files = [str(image.get("file_name", name)) for name, image in images.items()]
    return {
        name: {number: ids[place] for number, place in of.items()}
        for name, of in images_by_recording(files, default).items()
    }


COCO_JSON = KeypointFormat(
    name="coco",
    title="COCO's keypoints JSON with images and annotations",
    matches=_matches,
    read=_read,
)
"""Keypoint annotations as COCO has them."""
