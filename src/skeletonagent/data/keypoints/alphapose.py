"""AlphaPose's results, and results in COCO's format: a JSON list with an entry for each person.

An entry has ``image_id``, ``keypoints`` as ``[x, y, score, ...]``, ``score`` and, where persons
are tracked, ``idx``.
"""

from __future__ import annotations

from collections.abc import Mapping

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, HALPE_26
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import SeenBody, frame_places, recording_of_bodies
from skeletonagent.data.keypoints.json_points import (
    flat_points,
    images_by_recording,
    seen_body,
    track_name,
)
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource

_LAYOUTS = {layout.num_joints: layout for layout in (COCO_17, HALPE_26)}
_TRACKS = ("idx", "track_id")


def _matches(source: KeypointSource) -> bool:
    value = source.json
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(e, Mapping) and {"image_id", "keypoints"} <= e.keys() for e in value[:9])
    )


def _read(source: KeypointSource) -> list[KeypointRecording]:
    """Return a recording for each folder or name of the images."""
    persons: dict[str, list[SeenBody]] = {}
    for entry in source.json:
        if not isinstance(entry, Mapping) or not {"image_id", "keypoints"} <= entry.keys():
            raise DataError("has an entry without image_id or keypoints", path=source.path)
        points = flat_points(entry["keypoints"], 3, source.path)
        track = next((track_name(entry[key]) for key in _TRACKS if key in entry), None)
        body = seen_body(points[:, :2], points[:, 2], track)
        persons.setdefault(str(entry["image_id"]), []).append(body)
    images = list(persons)
    recordings = []
    for name, frames in images_by_recording(images, source.name).items():
        numbers = sorted(frames)
        places = frame_places(numbers, source.path, first=0)
        seen: list[list[SeenBody]] = [[] for _ in range(1 + max(places))]
        for number, place in zip(numbers, places, strict=True):
            seen[place] = persons[images[frames[number]]]
        joints = next(len(body.joints) for bodies in seen for body in bodies)
        layout = _LAYOUTS.get(joints)
        recordings.append(recording_of_bodies(name, seen, source.path, layout=layout))
    return recordings


ALPHAPOSE = KeypointFormat(
    name="alphapose",
    title="AlphaPose's results, also results in COCO's format",
    matches=_matches,
    read=_read,
)
"""Results of AlphaPose."""
