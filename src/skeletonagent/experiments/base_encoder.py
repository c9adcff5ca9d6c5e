"""Encoder of a base: clips of any layout to the features that its pre-training has learned.

It is the base's recognizer without its heads, in the joints of the clips that it is to encode:
weights are taken by the names of joints, and joints that the base does not know play no part.
Bases know single bodies: of several each is encoded by itself, see
:mod:`skeletonagent.models.bodies_alone`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.errors import CheckpointError
from skeletonagent.data.orientation_statistics import describe_orientation
from skeletonagent.experiments.build import load_recognizer, new_recognizer
from skeletonagent.experiments.fine_tuning import SourceRun, take_from_source
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.models.fused import FusedRecognizer, fuse_for_inference
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.training.initial_weights import HEADS


@dataclass(frozen=True)
class BaseEncoder:
    """Encoder of clips of one body or of several.

    Args:
        recognizer: Recognizer that takes such clips; its heads play no part.
        metadata: Its joints, channels, bodies and settings.
        reverses_y: Whether y of the clips points down; in a base it points up.
    """

    recognizer: Recognizer
    metadata: RecognizerMetadata
    reverses_y: bool = False

    @classmethod
    def of_base(cls, source: SourceRun, store: ClipStore) -> BaseEncoder:
        """Return the encoder of a base for preprocessed samples.

        Args:
            source: The base.
            store: Preprocessed samples, by which it is found out where y points in pictures.

        Raises:
            CheckpointError: If the base cannot be read, or knows no joint of the samples.
        """
        channels = store.clip_channels
        metadata = replace(
            source.metadata,
            class_names=("",),
            layout=store.layout,
            channels=channels,
            persons=store.max_persons,
            text_dim=1,
            input_format=store.input_format,
            training_clips=None,
            statistics=None,
        )
        trained = load_recognizer(source.checkpoint, source.metadata)
        in_plane = channels == 2
        points_down = in_plane and not describe_orientation(store, torch.arange(len(store))).y_is_up
        recognizer = recognizer_in_layout(source, trained, metadata)
        return cls(recognizer, metadata, points_down)

    @cached_property
    def fused(self) -> FusedRecognizer:
        """Recognizer as inference runs it, fused once."""
        return fuse_for_inference(self.recognizer)

    def __call__(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n d"]:
        """Return the features of clips, on their device.

        Args:
            clips: Clips with room for so many bodies.
            bodies: Bodies that are present: body ``m`` of clip ``n`` as ``n M + m``; None for all.
        """
        return self.fused.to(clips.device).features(self.as_in_base(clips), bodies)

    def on_host(self) -> BaseEncoder:
        """Return the encoder on the CPU, as a copy."""
        return replace(self, recognizer=copy.deepcopy(self.recognizer).cpu().eval())

    def as_in_base(self, clips: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n m t v c"]:
        """Return clips whose y points up."""
        if not self.reverses_y:
            return clips
        signs = [1.0 if channel != 1 else -1.0 for channel in range(clips.shape[-1])]
        return clips * clips.new_tensor(signs)

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the weights without those of the heads, matrices in half precision."""
        return {
            f"encoder.{name}": tensor.half()
            if tensor.is_floating_point() and tensor.ndim > 1
            else tensor
            for name, tensor in self.recognizer.state_dict().items()
            if not name.startswith(HEADS)
        }

    def to_text(self) -> str:
        """Return what the weights alone do not say."""
        return json.dumps({**self.metadata.to_json(), "reverses_y": self.reverses_y})

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], text: str) -> BaseEncoder:
        """Return the encoder of :meth:`to_tensors` and :meth:`to_text`.

        Raises:
            CheckpointError: If they do not fit each other.
        """
        try:
            plain: Any = json.loads(text)
            reverses_y = bool(plain.pop("reverses_y"))
            pairs = bool(plain.pop("pairs", False))
            former = int(plain.pop("max_persons", 2 if pairs else 1))  # beside persons of 1
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise CheckpointError(f"the encoder is not described: {error!r}") from error
        metadata = RecognizerMetadata.from_json(plain)
        metadata = replace(metadata, persons=max(former, metadata.persons))
        recognizer = _new_encoder(metadata)
        found = {
            name.removeprefix("encoder."): tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in tensors.items()
            if name.startswith("encoder.")
        }
        try:
            missing = recognizer.load_state_dict(found, strict=False)
        except RuntimeError as error:
            raise CheckpointError(f"weights of the encoder do not fit: {error}") from error
        if missing.unexpected_keys or not all(n.startswith(HEADS) for n in missing.missing_keys):
            raise CheckpointError("weights of the encoder are missing, or too many")
        return cls(recognizer.eval(), metadata, reverses_y)


def described_encoder(content: bytes) -> str | None:
    """Return the text of :meth:`BaseEncoder.to_text` in a file of safetensors, None without one.

    Args:
        content: The bytes of a file that was read as safetensors before.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    text = json.loads(content[8:end]).get("__metadata__", {}).get("encoder")
    return None if text is None else str(text)


def recognizer_in_layout(
    source: SourceRun, trained: Recognizer, metadata: RecognizerMetadata
) -> Recognizer:
    """Return a base's recognizer with other joints; what the base does not know adds nothing.

    Args:
        source: The base.
        trained: Its recognizer.
        metadata: Joints, channels, bodies and settings that are wanted.

    Raises:
        CheckpointError: If no weight fits.
    """
    recognizer, metadata = _new_encoder(metadata), replace(metadata, persons=1)
    taken = take_from_source(recognizer, metadata, source, trained).weights
    _clear_matrices(recognizer, (*taken.in_part, *taken.fresh))
    take_from_source(recognizer, metadata, source, trained)
    return recognizer.eval()


def _new_encoder(metadata: RecognizerMetadata) -> Recognizer:
    """Return a fresh recognizer of one body that encodes each body of several by itself."""
    recognizer = new_recognizer(replace(metadata, persons=1))
    if metadata.persons > 1:
        recognizer.center_alone = metadata.layout.center
    return recognizer


@torch.no_grad()
def _clear_matrices(recognizer: Recognizer, names: Sequence[str]) -> None:
    """Set weights to zero, so that what a base does not know adds nothing to its features."""
    state = recognizer.state_dict()
    for name in names:
        if state[name].ndim > 1 and not name.startswith(HEADS):
            state[name].zero_()
