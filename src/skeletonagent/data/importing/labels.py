"""Labels and subjects of recordings: from the pattern of their names, or from their folders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.recording import KeypointRecording

PARTS = {"train": "train", "training": "train", "test": "test", "val": "test", "valid": "test",
         "validation": "test", "testing": "test"}  # fmt: skip
"""Names of folders, and of cells of a table, that say which set a recording belongs to."""

_FIELD = re.compile(r"\{(\w*)\}|(\*)")
_SHOWN = 3


@dataclass(frozen=True)
class LabelledRecording:
    """Recording with what is known of it apart from its joints.

    Args:
        recording: Recording, with its label and subject.
        path: Its place below the source, without a suffix.
        part: Set that it is said to belong to, ``train`` or ``test``.
    """

    recording: KeypointRecording
    path: str
    part: str | None = None

    @property
    def label(self) -> str:
        """Name of the action; empty where it is not known."""
        return self.recording.label or ""

    @property
    def subject(self) -> str:
        """Name of the person; empty where it is not known."""
        return self.recording.subject or ""


def label_by_pattern(
    recordings: Sequence[LabelledRecording], pattern: str
) -> tuple[list[LabelledRecording], str]:
    """Return recordings with the labels and subjects that their names say, and a line about it.

    Args:
        recordings: Recordings.
        pattern: Pattern of the names, such as ``{label}_{subject}_{take}``. ``{label}`` takes as
            much as it can, other fields and ``*`` as little. With a ``/`` in it, it is compared
            with the path below the source, otherwise with the name.

    Raises:
        ConfigError: If it has no field ``{label}``, or a field twice.
        DataError: If a name does not fit.
    """
    compiled = _compiled(pattern)
    labelled, others = [], []
    for item in recordings:
        text = item.path if "/" in pattern else item.path.rsplit("/", 1)[-1]
        if match := compiled.fullmatch(text):
            labelled.append(_with_fields(item, match.groupdict()))
        else:
            others.append(text)
    if others:
        raise DataError(
            f"{len(others)} of {len(recordings)} names do not fit the pattern {pattern!r}: "
            f"{', '.join(others[:_SHOWN])}{', ...' if len(others) > _SHOWN else ''}; '*' stands "
            "for anything in a pattern"
        )
    first = labelled[0]
    subject = f", subject {first.subject!r}" if first.subject else ""
    return labelled, f"names: {first.path!r} is label {first.label!r}{subject}"


def _compiled(pattern: str) -> re.Pattern[str]:
    fields = [name for name, star in _FIELD.findall(pattern) if not star]
    if "label" not in fields or len(set(fields)) < len(fields) or "" in fields:
        raise ConfigError(
            f"pattern {pattern!r}: it needs {{label}} and no field twice, such as "
            "'{label}_{subject}_{take}'"
        )
    literal, place = "", 0
    for match in _FIELD.finditer(pattern):
        literal += re.escape(pattern[place : match.start()])
        name = match[1]
        inner = ".+" if name == "label" else "[^/]*?" if match[2] else "[^/]+?"
        literal += f"(?P<{name}>{inner})" if name in ("label", "subject") else f"(?:{inner})"
        place = match.end()
    return re.compile(literal + re.escape(pattern[place:]), re.DOTALL)


def _with_fields(item: LabelledRecording, fields: Mapping[str, str]) -> LabelledRecording:
    subject = fields.get("subject") or item.recording.subject
    return replace(
        item, recording=replace(item.recording, label=fields["label"].strip(), subject=subject)
    )


def label_by_folder(
    recordings: Sequence[LabelledRecording], source: Path
) -> tuple[list[LabelledRecording], str]:
    """Return recordings with the labels they bring, or those of their folders, and a line about it.

    A label is the folder right below the source, or below its folders ``train`` and ``test``.
    Files of these names say the set as well.

    Raises:
        DataError: If recordings have no label and lie in no folder of a class.
    """
    labelled = [_with_folder(item) for item in recordings]
    if all(item.label for item in recordings):
        return labelled, "the files themselves"
    missing = [item.recording.name for item in labelled if not item.label]
    if missing:
        raise DataError(
            f"no label is known of {len(missing)} of {len(recordings)} recordings, such as "
            f"{missing[0]!r}; put each class into a folder, or {_suggestion(missing)}",
            path=source,
        )
    return labelled, "names of folders"


def _with_folder(item: LabelledRecording) -> LabelledRecording:
    folders = item.path.split("/")[:-1]
    part = PARTS.get(folders[0].lower().removeprefix("x_")) if folders else None
    if part is not None:
        item, folders = replace(item, part=part), folders[1:]
    elif item.recording.source is not None:
        item = replace(item, part=PARTS.get(item.recording.source.stem.lower()))
    if not folders or item.label:
        return item
    return replace(item, recording=replace(item.recording, label=folders[0]))


def _suggestion(names: Sequence[str]) -> str:
    """Return which pattern the names may have."""
    table = "name a table with the columns file and label by --labels"
    last = [name.rsplit("/", 1)[-1] for name in names]
    for separator in "_-":
        counts = {len(name.split(separator)) for name in last}
        if len(counts) == 1 and 1 < (fields := counts.pop()) < 5:
            guess = separator.join(["{label}", "{subject}", "{take}", "*"][:fields])
            return f"say how they are named, for instance by --pattern '{guess}', or {table}"
    return table
