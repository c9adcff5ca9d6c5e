"""Parts of a folder of keypoint files: files that one process reads and writes down together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.program import program_name
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.folder_walk import FileOutcome, FolderWalk, ReadElsewhere

_ALIGNMENT = 64
"""Multiple of bytes at which arrays begin, so that they can be used where they are."""


@dataclass(frozen=True)
class ReadingPart:
    """Some files of a folder, and the file that what was read of them is written to.

    Args:
        walk: Walk that reads them, which has read nothing.
        files: The files, and folders of a file for each frame.
        path: File of the part; its name is a digest of what its content depends on.
    """

    walk: FolderWalk
    files: tuple[Path, ...]
    path: Path

    @classmethod
    def of(cls, walk: FolderWalk, files: Sequence[Path], first: int, folder: Path) -> ReadingPart:
        """Return a part with its file in a folder.

        Args:
            walk: Walk of the kind that reads them.
            files: The files.
            first: Number of the first of them.
            folder: Folder of the parts.
        """
        only = None if walk.only is None else walk.only.name
        states = [(str(file), *_states(file)) for file in files]
        known = repr((program_name(), only, walk.num_joints, states))
        digest = sha256(known.encode(errors="surrogateescape")).hexdigest()[:32]
        name = f"{first}-{first + len(files) - 1}-{digest}.npy"
        return cls(walk.alone(), tuple(files), folder / name)

    def write(self) -> int:
        """Read the files and write the part, unless it is there; return their number."""
        if not self.path.is_file():
            write_outcomes([self.walk.read_file(file) for file in self.files], self.path)
        return len(self.files)


def _states(path: Path) -> Iterator[tuple[int, int]]:
    """Yield size and time of change of a file, or of the files right in a folder."""
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        status = file.stat()
        yield status.st_size, status.st_mtime_ns


def write_outcomes(outcomes: Sequence[FileOutcome], path: Path) -> None:
    """Write what was read of files: bytes of arrays, JSON that describes them, its length."""
    chunks: list[bytes] = []
    described = json.dumps([_described(outcome, chunks) for outcome in outcomes], default=_plain)
    chunks += [described.encode(), len(described).to_bytes(8, "little")]
    with write_atomically(path) as file:
        np.save(file, np.frombuffer(b"".join(chunks), np.uint8))


def read_outcomes(path: Path) -> list[FileOutcome]:
    """Return what :func:`write_outcomes` wrote; joints stay in the file, mapped into memory."""
    content = np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
    length = int.from_bytes(content[-8:].tobytes(), "little")
    return [
        FileOutcome(
            recordings=tuple(_recording(each, content) for each in value["recordings"]),
            left_out=tuple(value["left_out"]),
            empty=tuple((n, _path(file), name) for n, file, name in value["empty"]),
            remarks={text: dict.fromkeys(places) for text, places in value["remarks"].items()},
        )
        for value in json.loads(content[-8 - length : -8].tobytes())
    ]


def outcomes_of_parts(parts: Iterable[ReadingPart]) -> ReadElsewhere:
    """Return a function that gives what was read of the files of parts, in their order.

    It raises a DataError if it is asked for another file: the folder has changed meanwhile.
    """
    read = (
        pair for part in parts for pair in zip(part.files, read_outcomes(part.path), strict=True)
    )

    def outcomes(files: Sequence[Path]) -> Iterator[FileOutcome]:
        for file in files:
            other, outcome = next(read, (None, None))
            if outcome is None or file != other:
                raise DataError("has changed while it was read; repeat the command", path=file)
            yield outcome

    return outcomes


def _described(outcome: FileOutcome, chunks: list[bytes]) -> dict[str, Any]:
    """Return plain values that describe an outcome; its arrays are appended to bytes."""
    return {
        "recordings": [
            {
                "name": each.name,
                "joints": _placed(each.joints, chunks),
                "joint_names": each.joint_names,
                "layout": None if each.layout is None else each.layout.to_json(),
                "confidence": _placed(each.confidence, chunks),
                "fps": each.fps,
                "image_size": each.image_size,
                "person_ids": each.person_ids,
                "source": None if each.source is None else str(each.source),
                "label": each.label,
                "subject": each.subject,
            }
            for each in outcome.recordings
        ],
        "left_out": outcome.left_out,
        "empty": [
            (n, None if path is None else str(path), name) for n, path, name in outcome.empty
        ],
        "remarks": {text: list(places) for text, places in outcome.remarks.items()},
    }


def _placed(array: np.ndarray | None, chunks: list[bytes]) -> dict[str, Any] | None:
    if array is None:
        return None
    content = array.tobytes()
    start = sum(map(len, chunks))
    chunks.append(content + bytes(-len(content) % _ALIGNMENT))
    return {"start": start, "type": array.dtype.str, "shape": array.shape}


def _recording(value: Mapping[str, Any], content: UInt8[np.ndarray, " b"]) -> KeypointRecording:
    joints = _array(value["joints"], content)
    if joints is None:
        raise ValueError("a recording has joints")
    names, size, layout = value["joint_names"], value["image_size"], value["layout"]
    return KeypointRecording(
        name=value["name"],
        joints=joints,
        joint_names=None if names is None else tuple(names),
        layout=None if layout is None else SkeletonLayout.from_json(layout),
        confidence=_array(value["confidence"], content),
        fps=value["fps"],
        image_size=None if size is None else (size[0], size[1]),
        person_ids=tuple(value["person_ids"]),
        source=_path(value["source"]),
        label=value["label"],
        subject=value["subject"],
    )


def _array(value: Mapping[str, Any] | None, content: UInt8[np.ndarray, " b"]) -> np.ndarray | None:
    if value is None:
        return None
    dtype, shape, start = np.dtype(value["type"]), tuple(value["shape"]), value["start"]
    size = dtype.itemsize * int(np.prod(shape))
    array: np.ndarray = content[start : start + size].view(dtype).reshape(shape)
    return array


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _plain(value: Any) -> Any:
    """Return a number of NumPy as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain value")
