"""SLEAP's projects and predictions (``.slp``), in HDF5: frames, instances and points as tables.

An instance is a user's or a prediction; where a prediction was corrected by hand, the correction
counts. Up to format 1.0 coordinates had their origin at the corner of the first pixel, and half a
pixel is subtracted to put it into the pixel's middle, as since then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import SeenBody, frame_places, recording_of_bodies
from skeletonagent.data.keypoints.hdf5 import is_hdf5, open_hdf5, texts
from skeletonagent.data.keypoints.json_points import constant_size
from skeletonagent.data.keypoints.sleap import sleap_layout
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text

_PREDICTED = 1
_MIDDLE_SINCE = 1.1
_BODY_EDGE = 1


def _matches(source: KeypointSource) -> bool:
    if not is_hdf5(source):
        return False
    with open_hdf5(source) as file:
        return {"metadata", "frames", "instances"} <= set(file)


def _read(source: KeypointSource) -> list[KeypointRecording]:
    """Return a recording for each video with labelled frames."""
    with open_hdf5(source) as file:
        return _recordings(file, source)


def _recordings(file: Any, source: KeypointSource) -> list[KeypointRecording]:
    shift = 0.5 if float(file["metadata"].attrs.get("format_id", 1.2)) < _MIDDLE_SINCE else 0.0
    tracks = _tracks(file)
    videos = [_json_or_empty(text) for text in texts(file["videos_json"])]
    tables = {name: file[name][()] for name in ("frames", "instances", "points", "pred_points")}
    names, layout = _skeleton(json.loads(file["metadata"].attrs["json"]), source)
    numbers = sorted({int(video) for video in tables["frames"]["video"]})
    recordings = []
    for video in numbers:
        frames = tables["frames"][tables["frames"]["video"] == video]
        indices = [int(index) for index in frames["frame_idx"]]
        if len(set(indices)) != len(indices):
            raise DataError("has the same frame of a video twice", path=source.path)
        places = frame_places(indices, source.path, first=0)
        bodies: list[list[SeenBody]] = [[] for _ in range(1 + max(places))]
        for frame, place in zip(frames, places, strict=True):
            bodies[place] = _bodies(frame, tables, tracks, len(names), shift)
        described = videos[video] if video < len(videos) else {}
        title = source.name if len(numbers) == 1 else f"{source.name}/{_title(described, video)}"
        recordings.append(
            recording_of_bodies(
                title,
                bodies,
                source.path,
                joint_names=names,
                layout=layout,
                image_size=_image_size(described, source),
            )
        )
    return recordings


def _tracks(file: Any) -> tuple[str, ...]:
    listed = texts(file["tracks_json"]) if "tracks_json" in file else ()
    tracks = [json.loads(text) for text in listed]
    return tuple(clean_text(t[1] if isinstance(t, list) and len(t) > 1 else t) for t in tracks)


def _json_or_empty(text: str) -> Mapping[str, Any]:
    value = json.loads(text)
    return value if isinstance(value, Mapping) else {}


def _bodies(
    frame: Any, tables: Mapping[str, Any], tracks: Sequence[str], joints: int, shift: float
) -> list[SeenBody]:
    """Return the instances of a frame, those that were corrected by hand once."""
    first, last = int(frame["instance_id_start"]), int(frame["instance_id_end"])
    instances = tables["instances"][first:last]
    corrected = {
        int(each["from_predicted"]) for each in instances if each["instance_type"] != _PREDICTED
    }
    bodies = []
    for number, each in enumerate(instances, start=first):
        if each["instance_type"] == _PREDICTED and number in corrected:
            continue
        predicted = each["instance_type"] == _PREDICTED
        table = tables["pred_points" if predicted else "points"]
        points = table[int(each["point_id_start"]) : int(each["point_id_end"])]
        if len(points) != joints:
            raise ValueError(f"an instance has {len(points)} points, the skeleton {joints} nodes")
        xy = np.stack([points["x"], points["y"]], axis=1) - shift
        xy[~points["visible"].astype(bool)] = np.nan
        scores = points["score"] if predicted else (~np.isnan(xy).any(axis=1)).astype(float)
        track = int(each["track"])
        name = tracks[track] if 0 <= track < len(tracks) else None
        bodies.append(SeenBody(xy, np.asarray(scores, dtype=np.float64), name))
    return bodies


def _skeleton(
    metadata: Mapping[str, Any], source: KeypointSource
) -> tuple[tuple[str, ...], SkeletonLayout | None]:
    skeletons = metadata.get("skeletons") or []
    if len(skeletons) != 1:
        raise DataError(f"has {len(skeletons)} skeletons; one can be read", path=source.path)
    all_names = [clean_text(node["name"]) for node in metadata["nodes"]]
    members = [int(node["id"]) for node in skeletons[0]["nodes"]]
    names = tuple(all_names[member] for member in members)
    place = {member: n for n, member in enumerate(members)}
    edges = [
        (place[int(link["source"])], place[int(link["target"])])
        for link, kind in zip(skeletons[0]["links"], _kinds(skeletons[0]["links"]), strict=True)
        if kind == _BODY_EDGE
    ]
    return names, sleap_layout(names, edges, source)


def _kinds(links: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the kind of each link: 1 for an edge of the body, 2 for a symmetry.

    A kind is written out when it first occurs; later links point to it by its number.
    """
    written: list[int] = []
    kinds = []
    for link in links:
        kind = link.get("type", {})
        if "py/reduce" in kind:
            written.append(int(kind["py/reduce"][1]["py/tuple"][0]))
            kinds.append(written[-1])
        else:
            number = int(kind.get("py/id", 1))
            kinds.append(written[number - 1] if number <= len(written) else _BODY_EDGE)
    return kinds


def _title(video: Mapping[str, Any], number: int) -> str:
    name = video.get("filename") or (video.get("backend") or {}).get("filename") or f"video{number}"
    return clean_text(PurePosixPath(str(name).replace("\\", "/")).stem)


def _image_size(video: Mapping[str, Any], source: KeypointSource) -> tuple[float, float] | None:
    backend = video.get("backend")
    shape = backend.get("shape") if isinstance(backend, Mapping) else None
    if not isinstance(shape, list) or len(shape) != 4:
        return None
    return constant_size([(shape[2], shape[1])], source.path)


SLEAP_PROJECT = KeypointFormat(
    name="sleap",
    title="SLEAP's projects and predictions (.slp)",
    matches=_matches,
    read=_read,
)
"""Projects of SLEAP."""
