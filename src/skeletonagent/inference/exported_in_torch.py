"""Recognizer in an exported file whose clips are made in PyTorch, as data sets are."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.loader import ClipLoader
from skeletonagent.evaluation.predict import sample_features
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.export.session import OnnxSession
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.models.recognizer import Recognizer


@dataclass(frozen=True)
class SessionRecognizer:
    """Exported recognizer that is called as a fused one is.

    Args:
        session: The graph in ONNX Runtime.
        width: Number of features of a clip; those of a base follow.
    """

    session: OnnxSession
    width: int

    def __call__(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n y"]:
        """Return the logits; ``bodies`` as a recognizer takes them."""
        return self._run(clips, bodies)[0]

    def features(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n d"]:
        """Return the features that logits are computed from."""
        return self._run(clips, bodies)[1][:, : self.width]

    def probabilities_and_base(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n f"]:
        """Return the class probabilities, and behind them the features of the file's base."""
        logits, features = self._run(clips, bodies)
        return torch.cat([logits.softmax(dim=1), features[:, self.width :]], dim=1)

    def _run(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None
    ) -> tuple[Float[Tensor, "n y"], Float[Tensor, "n d"]]:
        if bodies is None:
            bodies = torch.arange(clips.shape[0] * clips.shape[1])
        logits, features = self.session.run(
            np.ascontiguousarray(clips.float().cpu().numpy()), bodies.cpu().numpy()
        )
        return torch.from_numpy(logits), torch.from_numpy(features)


@dataclass(frozen=True)
class SessionModel(StreamModel):
    """Recognizer in an exported file, with clips in PyTorch.

    It has no ``recognizer``: there are no weights in PyTorch.

    Args:
        session: The graph in ONNX Runtime.
    """

    recognizer: Recognizer = field(init=False, repr=False)
    session: OnnxSession = field(kw_only=True, repr=False)

    @property
    def device(self) -> torch.device:
        """Device of clips and graph."""
        return torch.device("cpu")

    @cached_property
    def fused(self) -> SessionRecognizer:  # type: ignore[override]  # called alike
        """The graph, called as a recognizer in PyTorch is."""
        base = self.kernel_ridge and self.kernel_ridge.base
        of_base = base.features.shape[1] if base else 0
        return SessionRecognizer(self.session, int(self.session.num_features) - of_base)

    def predict_network(
        self,
        loader: ClipLoader,
        samples: Int[Tensor, " n"],
        batch_size: int,
        num_clips: int | None,
    ) -> tuple[ClassProbabilities, Float[Tensor, "n e"] | None]:
        """Return probabilities and features of a base, if the file has one: the graph runs once."""
        if not len(samples) or self.kernel_ridge is None or self.kernel_ridge.base is None:
            return super().predict_network(loader, samples, batch_size, num_clips)
        encode = self.fused.probabilities_and_base
        both = sample_features(encode, loader, samples, batch_size=batch_size, num_clips=num_clips)
        probs, of_base = both.tensor_split([self.session.num_classes], dim=1)
        store = loader.store
        names = tuple(store.sample_ids[i] for i in samples.tolist())
        labels = store.labels[samples].cpu().numpy()
        return ClassProbabilities(names, labels, probs.numpy()), of_base


def ridge_in_torch(content: bytes | None, path: Path) -> KernelRidge | None:
    """Return the classifier beside the network that a file carries, None if there is none."""
    return None if content is None else KernelRidge.from_bytes(content, path)
