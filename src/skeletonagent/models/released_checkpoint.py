"""Checkpoints of the authors' released code, read without running any code in them."""

from __future__ import annotations

import mmap
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor
from torch.serialization import safe_globals

from skeletonagent.core.errors import CheckpointError
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.outside_files import placeholder_problem
from skeletonagent.core.pickle_scan import scan_pickle
from skeletonagent.core.streams import Stream
from skeletonagent.models.recognizer import Recognizer, build_recognizer
from skeletonagent.models.released_keys import TEXT_TOWER, K, convert_released_keys
from skeletonagent.models.settings import PersonPooling

DEFAULT_PERSONS = 2
"""Bodies of a clip of the released DG-STGCN, whose weights do not contain the number."""

_SCALAR = np.float64(0).__reduce__()[0]
_SAFE_GLOBALS: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(name)) for name in ("float32", "float64", "int64")),
]
"""Types of NumPy's numbers, in which mmcv stores the best accuracy."""

_LARGEST_PICKLE = 2**28
"""Size in bytes of what describes the tensors of a checkpoint, which is a thousandth of this."""
_OLD_PICKLES = 5
"""Pickles before the tensors of an old checkpoint."""

_LOAD_ERRORS = (
    OSError, EOFError, RuntimeError, ValueError, TypeError, LookupError, AttributeError,
    ArithmeticError, AssertionError, struct.error, pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip
"""Errors that ``torch.load`` raises for files that are no checkpoints or damaged."""


@dataclass(frozen=True)
class ReleasedCheckpoint:
    """Checkpoint of the released code.

    Args:
        state: Weights under this package's names.
        backbone: Name in the table of backbones.
        width: Channels of the backbone's first blocks.
        joints: V.
        channels: C.
        persons: M.
        num_classes: Y.
        text_dim: D.
        salient: K as a mask, in the stream of the training; None if the file has none.
        stream: Stream of the training; None if the file does not contain it.
        epoch: Number of epochs done; 0 if the file does not contain it.
        text_tower: Number of the text encoder's tensors, which are left out.
    """

    state: Mapping[str, Tensor]
    backbone: str
    width: int
    joints: int
    channels: int
    persons: int
    num_classes: int
    text_dim: int
    salient: Bool[Tensor, "y v"] | None
    stream: Stream | None
    epoch: int
    text_tower: int

    def recognizer(self, layout: SkeletonLayout) -> Recognizer:
        """Return the recognizer with these weights, with absent persons counted as released.

        Raises:
            CheckpointError: If a tensor is missing, unknown or of another shape.
        """
        try:
            # Without memory, so that wrong sizes in a file cost nothing before they are checked.
            with torch.device("meta"):
                recognizer = build_recognizer(
                    self.backbone,
                    layout,
                    channels=self.channels,
                    persons=self.persons,
                    num_classes=self.num_classes,
                    text_dim=self.text_dim,
                    width=self.width,
                    person_pooling=PersonPooling.RELEASED,
                )
        except ValueError as error:
            raise CheckpointError(f"not a released recognizer: {error}") from error
        expected = recognizer.state_dict()
        _check_state(self.state, expected)
        state = {key: tensor.to(expected[key].dtype) for key, tensor in self.state.items()}
        recognizer.load_state_dict(state, assign=True)
        return recognizer

    def guidance(
        self, layout: SkeletonLayout, class_names: Sequence[str], stream: Stream
    ) -> Guidance:
        """Return the guidance that K was made from; its sentences are lost, class names stand in.

        In the bone streams a bone is salient if either of its ends is, so several sets of joints
        may give a row of K: their union is taken. A row that no set gives gets the nearest set,
        and a note.
        """
        classes = tuple(ClassGuidance(name, (), name) for name in class_names)
        if self.salient is None:
            return Guidance(layout, classes)
        mask = _swap_ntu_bones(self.salient, stream)
        joints = mask.clone()
        ends = {Stream.BONE: layout.parents, Stream.KBONE: layout.grandparents}.get(stream.base)
        for bone, end in enumerate(ends or ()):
            joints[:, end] &= mask[:, bone]
        classes = tuple(
            replace(guidance, joints=tuple(int(joint) for joint in row.nonzero()))
            for guidance, row in zip(classes, joints, strict=True)
        )
        exact = (Guidance(layout, classes).salient(stream) == mask).all(dim=1).tolist()
        note = "no set of joints gives the released K"
        return Guidance(
            layout,
            tuple(
                guidance if same else replace(guidance, notes=(note,))
                for guidance, same in zip(classes, exact, strict=True)
            ),
        )


def read_released_checkpoint(path: Path) -> ReleasedCheckpoint:
    """Return the released checkpoint in a file.

    Raises:
        CheckpointError: If the file cannot be read, contains more than tensors and plain values,
            or is not the checkpoint of a released recognizer.
    """
    content = _load(path)
    tensors = content.get("state_dict", content)
    if not isinstance(tensors, Mapping) or not all(
        isinstance(tensor, Tensor) for tensor in tensors.values()
    ):
        raise CheckpointError(f"{path} holds no state dict of tensors")
    state = {str(key).removeprefix("module."): tensor for key, tensor in tensors.items()}
    meta = content.get("meta")
    try:
        return _describe(state, meta if isinstance(meta, Mapping) else {})
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _load(path: Path) -> Mapping[str, Any]:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise CheckpointError(f"{path} is no file")
    try:
        _scan_pickles(path)
        with safe_globals(_SAFE_GLOBALS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"no file {path}") from error
    except _LOAD_ERRORS as error:
        requested = re.search(r"GLOBAL (\S+)", str(error))
        problem = placeholder_problem(path) or type(error).__name__
        raise CheckpointError(
            f"{path} asks for {requested[1]}; only tensors and plain values are read, no code"
            if requested
            else f"{path} is no checkpoint of PyTorch, or damaged ({problem})"
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds {type(content).__name__}, not a state dict")
    return content


def _scan_pickles(path: Path) -> None:
    """Check the pickles in a checkpoint, which is a ZIP archive or, of old, one after another.

    Raises:
        UnpicklingError: If one would exhaust the memory or the stack.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith("data.pkl"):
                    if member.file_size > _LARGEST_PICKLE:
                        raise pickle.UnpicklingError(f"a pickle of {member.file_size} bytes")
                    scan_pickle(archive.read(member))
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = 0
        for _ in range(_OLD_PICKLES):
            if place < len(content):
                place = scan_pickle(content, place)


def _describe(state: Mapping[str, Tensor], meta: Mapping[str, Any]) -> ReleasedCheckpoint:
    renamed = convert_released_keys(state)
    _, joints, _ = _shape(renamed, "backbone.blocks.0.graph.graphs", 3)
    (normed,) = _shape(renamed, "backbone.stem.norm.weight", 1)
    num_classes, _ = _shape(renamed, "cls_head.fc.weight", 2)
    text_dim, _ = _shape(renamed, "text_head.fc.weight", 2)
    if "backbone.stem.embed.weight" in renamed:
        backbone = "skeletonagent"
        width, channels = _shape(renamed, "backbone.stem.embed.weight", 2)
        persons = normed // (joints * width)
    else:
        backbone = "dg-stgcn"
        width, _, _, _ = _shape(renamed, "backbone.blocks.0.graph.leave.0.weight", 4)
        channels, persons = normed // joints, DEFAULT_PERSONS
    epoch = meta.get("epoch")
    return ReleasedCheckpoint(
        state=renamed,
        backbone=backbone,
        width=width,
        joints=joints,
        channels=channels,
        persons=persons,
        num_classes=num_classes,
        text_dim=text_dim,
        salient=_salient_mask(state[K], num_classes, joints) if K in state else None,
        stream=_trained_stream(str(meta.get("config"))),
        epoch=epoch if isinstance(epoch, int) else 0,
        text_tower=sum(key.startswith(TEXT_TOWER) for key in state),
    )


def _shape(state: Mapping[str, Tensor], key: str, ndim: int) -> tuple[int, ...]:
    """Return the shape of a tensor, with all dimensions at least 1."""
    if key not in state:
        raise CheckpointError(f"not a released recognizer: {key} is missing")
    shape = tuple(state[key].shape)
    if len(shape) != ndim or 0 in shape:
        raise CheckpointError(f"not a released recognizer: {key} has shape {shape}")
    return shape


def _salient_mask(k: Tensor, num_classes: int, joints: int) -> Bool[Tensor, "y v"]:
    """Return K as a mask: the rows of each class that are ones, where others are zeros."""
    if k.shape == (num_classes, joints, joints):
        row = k[..., :1].bool()
        if torch.equal(k, row.to(k.dtype).expand_as(k)):
            return row.squeeze(-1)
    raise CheckpointError(
        f"{K} must hold {joints} rows of {joints} ones or zeros for each of {num_classes} classes"
    )


def _swap_ntu_bones(mask: Bool[Tensor, "y v"], stream: Stream) -> Bool[Tensor, "y v"]:
    """Return K with the bones in the order of the joints.

    In the released K of NTU's bone streams the rows of joints 20 and 21 are swapped.
    """
    if mask.shape[1] != 25 or stream.base is Stream.JOINT:
        return mask
    return mask[:, [*range(20), 21, 20, 22, 23, 24]]


def _trained_stream(config: str) -> Stream | None:
    """Return the stream in the text of a configuration of the released code."""
    modality = re.search(r"^modality\s*=\s*['\"](\w+)['\"]", config, flags=re.MULTILINE)
    try:
        return Stream.parse(modality[1]) if modality else None
    except ValueError:
        return None


def _check_state(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    problems = [
        *(f"{key} is missing" for key in expected.keys() - state.keys()),
        *(f"{key} is unknown" for key in state.keys() - expected.keys()),
        *(
            f"{key} has shape {tuple(state[key].shape)}, not {tuple(expected[key].shape)}"
            for key in expected.keys() & state.keys()
            if state[key].shape != expected[key].shape
        ),
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise CheckpointError(
            f"not the weights of a released recognizer: {'; '.join(sorted(problems)[:3])}{more}"
        )
