"""SLEAP's analysis files, in HDF5: tracks, nodes and edges as arrays.

``tracks`` is (tracks, 2, nodes, frames), or in the order that its attribute ``dims`` names;
``edge_inds`` has pairs (parent, child).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.hdf5 import is_hdf5, open_hdf5, texts
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text

_TRACK_DIMS = ("track", "xy", "node", "frame")
_SCORE_DIMS = ("track", "node", "frame")


def _matches(source: KeypointSource) -> bool:
    if not is_hdf5(source):
        return False
    with open_hdf5(source) as file:
        return {"tracks", "node_names"} <= set(file)


def _read(source: KeypointSource) -> list[KeypointRecording]:
    with open_hdf5(source) as file:
        names = texts(file["node_names"])
        joints = _in_order(file["tracks"], _TRACK_DIMS, ("track", "frame", "node", "xy"))
        if joints.shape[2:] != (len(names), 2):
            raise DataError(
                f"has tracks {file['tracks'].shape} of {len(names)} nodes; (tracks, 2, nodes, "
                "frames) is expected",
                path=source.path,
            )
        scores = None
        if "point_scores" in file:
            scores = _in_order(file["point_scores"], _SCORE_DIMS, ("track", "frame", "node"))
        tracks = texts(file["track_names"]) if "track_names" in file else ()
        edges = file["edge_inds"][()].reshape(-1, 2).tolist() if "edge_inds" in file else []
    if len(tracks) != len(joints):
        tracks = tuple(str(number) for number in range(len(joints)))
    return [
        KeypointRecording(
            name=clean_text(source.name.removesuffix(".analysis")),
            joints=joints.astype(np.float32),
            joint_names=names,
            layout=sleap_layout(names, edges, source),
            confidence=(
                np.clip(np.nan_to_num(scores), 0, 1).astype(np.float32)
                if scores is not None and scores.shape == joints.shape[:3]
                else None
            ),
            person_ids=tracks,
            source=source.path,
        )
    ]


def _in_order(dataset: Any, usual: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Return an array with its axes in a wanted order."""
    stored = dataset.attrs.get("dims")
    try:
        named = json.loads(stored) if isinstance(stored, str | bytes) else list(usual)
        return np.asarray(dataset[()]).transpose([named.index(axis) for axis in wanted])
    except ValueError as error:
        raise ValueError(f"{dataset.name} has the axes {clean_text(stored)}") from error


def sleap_layout(
    names: Sequence[str], edges: Sequence[Sequence[int]], source: KeypointSource
) -> SkeletonLayout | None:
    """Return the layout of a SLEAP skeleton; None, with a remark, if its edges form no tree.

    Args:
        names: Names of the nodes.
        edges: Pairs (parent, child).
        source: File that a remark names.
    """
    if not edges:
        return None
    bones = tuple((int(child), int(parent)) for parent, child in edges)
    children = {child for child, _ in bones}
    parents = [parent for _, parent in bones if parent not in children]
    try:
        return SkeletonLayout(
            name=f"sleap-{len(names)}",
            joints=tuple(names),
            bones=bones,
            center=max(parents, key=parents.count, default=0),
        )
    except ValueError as error:
        remark(source.path, f"the edges are no bones of a layout ({error}); give a layout")
        return None


SLEAP_ANALYSIS = KeypointFormat(
    name="sleap-analysis",
    title="SLEAP's analysis HDF5",
    matches=_matches,
    read=_read,
)
"""Analysis files of SLEAP."""
