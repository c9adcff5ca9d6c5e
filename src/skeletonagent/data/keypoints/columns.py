"""Columns of a table of keypoints: which joint and coordinate, frame, time or person each is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skeletonagent.data.keypoints.source import clean_text

AXES = ("x", "y", "z")
CONFIDENCE = "confidence"

_CONFIDENCES = "c|conf|confidence|score|likelihood|visibility|visible|vis|prob|probability|presence"
_PART = rf"x|y|z|{_CONFIDENCES}"
_UNIT = re.compile(r"\s*[\(\[](?:mm|cm|m|px|pixels?|norm(?:alized)?)[\)\]]$", re.IGNORECASE)
_BEHIND = re.compile(
    rf"(?P<joint>.+?)(?:[\s_.:/-]+|(?<=\d)|(?<=[\)\]])|(?=[\(\[]))[\(\[]?(?P<part>{_PART})[\)\]]?",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?P<joint>.*[a-z0-9])(?P<part>[XYZ])")
_BEFORE = re.compile(rf"(?P<part>{_PART})(?:[\s_.:-]+(?P<joint>.+)|(?P<number>\d+))", re.IGNORECASE)
_NUMBERED = re.compile(r"(?:joint|kp|keypoint|landmark|point|marker|node|j|p|k)?[\s_]*(\d+)", re.I)
_PERSON = re.compile(r"(?:person|body|player|track|id|p)[\s_]*(\d+)[\s_.:/-]+(.+)", re.IGNORECASE)

_ROLES: Mapping[str, frozenset[str]] = {
    "frame": frozenset({
        "frame", "frames", "frame_id", "frame_index", "frame_idx", "frame_no", "frame_number",
        "frame_num", "framenumber", "frameid", "fno", "fnum", "image_id",
    }),
    "time": frozenset({
        "time", "timestamp", "t", "seconds", "time_s", "time_sec", "timestamp_s", "time_ms",
        "timestamp_ms", "milliseconds", "time_us", "timestamp_us", "time_ns", "timestamp_ns",
    }),
    "person": frozenset({
        "person", "person_id", "personid", "track", "track_id", "trackid", "id", "body", "body_id",
        "individual", "individuals", "instance", "player", "skeleton_id", "skeleton",
    }),
    "recording": frozenset({
        "file", "filename", "file_name", "video", "video_id", "clip", "clip_id", "recording",
        "sequence", "sequence_id", "sample", "sample_id", "take", "trial",
    }),
    "label": frozenset({"label", "action", "class", "activity", "class_name", "action_name"}),
    "subject": frozenset({"subject", "subject_id", "participant", "performer", "actor"}),
    "joint": frozenset({
        "joint", "joint_name", "joint_id", "keypoint", "keypoint_name", "keypoint_id", "landmark",
        "landmark_id", "landmark_index", "landmark_name", "marker", "bodypart", "body_part",
        "node", "name", "point", "kp", "joint_index",
    }),
}  # fmt: skip
"""Names of columns that are no coordinates, by what they hold."""


@dataclass(frozen=True)
class TableColumns:
    """Meaning of the columns of a table.

    Args:
        joints: Column of each part, ``x`` to ``z`` and ``confidence``, by person and joint; the
            person is nothing where columns name none.
        roles: Columns that hold the frame, the time, the person and the like.
        parts: Columns that are named ``x``, ``y`` and so on alone, as in long tables.
        unused: Names of the columns that say nothing that is known.
    """

    joints: Mapping[str, Mapping[str, Mapping[str, int]]]
    roles: Mapping[str, int]
    parts: Mapping[str, int]
    unused: tuple[str, ...] = field(default=())


def columns_of(header: Sequence[str], skipped: int = 0) -> TableColumns:
    """Return what the columns of a table hold, by their names.

    Args:
        header: Names of the columns.
        skipped: Number of columns at the beginning that are none of the table's.
    """
    joints: dict[str, dict[str, int]] = {}
    roles: dict[str, int] = {}
    parts: dict[str, int] = {}
    unused = []
    for column, name in enumerate(header):
        if column < skipped:
            continue
        bare = _UNIT.sub("", name).strip()
        role, joint = _role(bare), _joint_and_part(bare)
        if (part := _part(bare)) and part not in parts:
            parts[part] = column
        elif role and role not in roles:
            roles[role] = column
        elif joint and joint[1] not in joints.get(joint[0], ()):
            joints.setdefault(joint[0], {})[joint[1]] = column
        else:
            unused.append(name)
    return TableColumns(_by_person(joints) if joints else {}, roles, parts, tuple(unused))


def number_of(joint: str) -> int | None:
    """Return the number of a joint that is only numbered, such as ``joint3``; None if named."""
    match = _NUMBERED.fullmatch(joint.strip())
    return int(match[1]) if match else None


def _role(name: str) -> str | None:
    key = re.sub(r"[\W_]+", "_", name.lower()).strip("_")
    return next((role for role, names in _ROLES.items() if key in names), None)


def _part(name: str) -> str | None:
    """Return the coordinate, or the confidence, that a name without a joint is."""
    lower = name.lower()
    if lower in AXES:
        return lower
    return CONFIDENCE if re.fullmatch(_CONFIDENCES, lower) else None


def _joint_and_part(name: str) -> tuple[str, str] | None:
    match = _BEHIND.fullmatch(name) or _CAMEL.fullmatch(name) or _BEFORE.fullmatch(name)
    if match is None:
        return None
    groups = match.groupdict()
    joint = groups.get("joint") or groups.get("number") or ""
    return clean_text(joint), _part(groups["part"]) or CONFIDENCE


def _by_person(
    joints: Mapping[str, Mapping[str, int]],
) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
    """Return joints by person, where all names begin with one and persons have equal joints."""
    persons: dict[str, dict[str, Mapping[str, int]]] = {}
    for name, columns in joints.items():
        match = _PERSON.fullmatch(name)
        if match is None:
            return {"": joints}
        persons.setdefault(match[1], {})[match[2]] = columns
    if len({frozenset(of_person) for of_person in persons.values()}) != 1:
        return {"": joints}
    return persons
