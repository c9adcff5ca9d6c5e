"""Exported recognizer as the engine in the browser takes it: description, graph and classifier."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np

from skeletonagent.core.claims import Claim, claim_joints
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import COCO_17, COCO_20, LAYOUTS, SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature
from skeletonagent.core.outside_files import read_outside_bytes
from skeletonagent.core.program import program_name
from skeletonagent.experiments import training_statistics
from skeletonagent.inference import bodies_in_frame, movement, segment_settings, source_check
from skeletonagent.inference.exported_model import ExportedModel
from skeletonagent.inference.recording_input import joint_places
from skeletonagent.inference.segment_settings import choose_rest, choose_threshold
from skeletonagent.inference.segment_stream import CHECKED_SECONDS
from skeletonagent.page.browser_pose import NO_POSE, BrowserPose, pose_facts
from skeletonagent.page.layout_facts import layout_facts
from skeletonagent.page.onnx_fields import without_properties
from skeletonagent.runtime.claimed import FittedClaims
from skeletonagent.runtime.preparation import SamplePreparation

BROWSER_SCHEMA = "skeletonagent.browser/1"
"""Name and version of the form of descriptions for the engine in the browser."""

_MOST_BYTES = 1 << 30
_LIMITS = {"max_upload": 200.0, "max_frames": 20_000, "max_persons": 10}
"""Largest file in megabytes, and largest recording, that the page takes; as of the server."""


@dataclass(frozen=True)
class BrowserModel:
    """Recognizer for the engine in the browser.

    Args:
        description: What the engine computes with, as plain values.
        graph: The network in ONNX, without texts beside it.
        ridge: Classifier beside the network in the form of safetensors; None if there is none.
        pose: Pose models, with which it takes videos and the camera; None if there are none.
    """

    description: dict[str, Any]
    graph: bytes
    ridge: bytes | None
    pose: BrowserPose | None = None

    @classmethod
    def of(cls, model: ExportedModel, pose: BrowserPose | None = None) -> BrowserModel:
        """Return an exported recognizer as the engine takes it.

        Args:
            model: The recognizer.
            pose: Pose models, whose constants become part of its description.

        Raises:
            ConfigError: If it uses a setting that the engine does not know.
        """
        graph = without_properties(read_outside_bytes(model.path, _MOST_BYTES, "an ONNX model"))
        description = browser_description(model)
        if pose is not None:
            description |= {"pose": pose_facts(), "why_no_pose": ""}
        return cls(description, graph, model.ridge, pose)


def browser_description(model: ExportedModel) -> dict[str, Any]:
    """Return all that the engine in the browser needs to know of a recognizer.

    Raises:
        ConfigError: If it uses a setting that the engine does not know.
    """
    metadata, config = model.metadata, model.config
    given, data = metadata.input_format, config.data
    if data.storage_dtype != "float32":
        raise ConfigError(
            f"data.storage_dtype is {data.storage_dtype!r}; the engine in the browser has float32 "
            "alone. Serve this recognizer with 'skeletonagent serve'"
        )
    prepare = SamplePreparation(data, given.layout, given.has_confidence)
    threshold, threshold_from = choose_threshold(None, model.held_out)
    rest, uses_stillness = choose_rest("auto", metadata.class_names)
    clips, ridge = metadata.training_clips, model.kernel_ridge
    return {
        "form": BROWSER_SCHEMA,
        "name": model.path.stem,
        "program": program_name(),
        "class_names": list(metadata.class_names),
        "backbone": config.model.backbone,
        "persons": metadata.persons,
        "batch_size": 2 * config.training.batch_size,
        "data": _plain(asdict(data), _DATA),
        "clips": _plain(asdict(config.clips), _CLIPS),
        "ridge_weight": config.kernel_ridge.weight if model.ridge is not None else 0,
        "input": {
            "layout": layout_facts(given.layout),
            "channels": given.channels,
            "coordinates": given.coordinates,
            "has_confidence": given.has_confidence,
            "has_image_sizes": given.has_image_sizes,
        },
        "full_layout": layout_facts(prepare.full_layout),
        "middles": middle_joints() if given.layout.joints == COCO_17.joints else None,
        "completed_middles": middle_joints() if given.layout.joints == COCO_20.joints else None,
        "poses": metadata.poses and metadata.poses.to_json(),
        "training_clips": clips and clips.to_json(),
        "statistics": metadata.statistics and metadata.statistics.to_json(),
        "threshold": threshold,
        "threshold_from": threshold_from,
        "rest": rest,
        "uses_stillness": uses_stillness,
        "pairs": [bool(clips and name in clips.pair_classes) for name in metadata.class_names],
        "guidance": [
            {
                "sentence": of_class.sentence,
                "joints": [model.guidance.layout.joints[joint] for joint in of_class.joints],
            }
            for of_class in model.guidance.classes
        ],
        "claims": None if ridge is None else claimed_classes(ridge.claims, prepare.full_layout),
        "layouts": {name: _known_layout(one, given.layout) for name, one in LAYOUTS.items()},
        "constants": _constants(),
        "limits": _LIMITS,
        "pose": None,
        "why_no_pose": NO_POSE,
    }


_DATA = (
    "origin", "scale", "orientation", "orientation_per", "gaps", "imputation", "absent_rule",
    "dims", "storage_dtype",
)  # fmt: skip
_CLIPS = (
    "frames", "stream", "test_clips", "test_sampling", "motion_rule", "confidence_rule", "sampling",
)  # fmt: skip


def _plain(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return some values, members of enumerations as their values."""
    return {
        name: value.value if isinstance(value := values[name], Enum) else value for name in names
    }


def middle_joints() -> dict[str, list[int]]:
    """Return the joints whose middles are added to those of COCO-17."""
    return {
        f"{part}s": [COCO_17.joints.index(f"{side} {part}") for side in ("left", "right")]
        for part in ("hip", "shoulder")
    }


def _known_layout(layout: SkeletonLayout, wanted: SkeletonLayout) -> dict[str, Any]:
    """Return the joints of a known skeleton, and which of them each wanted one is."""
    names = list(layout.joints)
    return {"joints": names, "places": joint_places(names, layout, wanted)}


def _constants() -> dict[str, Any]:
    """Return the numbers by which recordings are cut into segments and compared."""
    modules = (
        bodies_in_frame, movement, segment_settings, source_check, training_statistics,
    )  # fmt: skip
    found = {
        name.lower(): value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, int | float)
    }
    return {**found, "checked_seconds": CHECKED_SECONDS, "advice": source_check.ADVICE}


def claimed_classes(claims: FittedClaims | None, layout: SkeletonLayout) -> dict[str, Any] | None:
    """Return the claims about classes by the joints that show them; None if nothing counts."""
    if claims is None:
        return None
    distinct = dict.fromkeys(claim for of_class in claims.claims for claim in of_class)
    place = {claim: number for number, claim in enumerate(distinct)}
    return {
        "claims": [_claim(claim, layout) for claim in distinct],
        "of_classes": [
            [[place[claim], claim.sign] for claim in of_class] for of_class in claims.claims
        ],
        "mean": np.asarray(claims.mean).tolist(),
        "scale": np.asarray(claims.scale).tolist(),
        "center": np.asarray(claims.center).tolist(),
        "spread": claims.spread,
    }


def _claim(claim: Claim, layout: SkeletonLayout) -> dict[str, Any] | None:
    about = claim_joints(claim, layout)
    if about is None:
        return None
    return {
        "column": list(MotionFeature).index(claim.feature),
        "groups": [list(group) for group in about.groups],
        "highest": about.highest,
    }


def description_text(description: dict[str, Any]) -> str:
    """Return a description as JSON in one line.

    Raises:
        ConfigError: If it holds a number that JSON does not have.
    """
    try:
        return json.dumps(description, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:
        raise ConfigError(f"the recognizer holds numbers that are not finite: {error}") from error
