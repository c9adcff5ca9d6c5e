"""Maps whose norm and rectifier are left to whoever reads them, and the operations on maps."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.temporal_conv import DGTemporalConv


class NormedMap(NamedTuple):
    """Map, and what a norm makes of it: ``scale x + shift`` for each channel.

    The norm may be of the first channels alone.
    """

    x: Float[Tensor, "b c t v"]
    """The map as it is in memory."""
    scale: Float[Tensor, " d"]
    """Factor of each channel."""
    shift: Float[Tensor, " d"]
    """What is added after it."""


class ReadMap(NamedTuple):
    """Map that a product has read, for those who read it as well.

    Their gradients reach the map through the product's, in one pass.
    """

    x: Float[Tensor, "b c t v"]
    """The map."""
    pooled: Float[Tensor, "b c v"] | None
    """Its mean over the frames, if it was asked for."""


@runtime_checkable
class MapOperations(Protocol):
    """Operations of a spatial-temporal block, each with its gradient.

    A :class:`NormedMap` that is read by a product or a graph product is rectified as well.
    """

    def first_product(
        self,
        x: Float[Tensor, "b c t v"],
        weight: Float[Tensor, "d c"],
        norm: SyncableBatchNorm2d,
        skipped_bias: Float[Tensor, " d"] | None,
        *,
        pooled: bool,
    ) -> tuple[NormedMap, ReadMap]:
        """Return ``weight @ x`` with its norm, and the map for others."""
        ...

    def product(
        self,
        x: Float[Tensor, "b c t v"] | NormedMap,
        weight: Float[Tensor, "d c"],
        norm: SyncableBatchNorm2d,
        skipped_bias: Float[Tensor, " e"] | None,
    ) -> NormedMap:
        """Return ``weight @ x`` with its norm, which may be of the first channels alone."""
        ...

    def graph_product(
        self,
        x: NormedMap,
        shared: Float[Tensor, "b k v v"],
        attended: Float[Tensor, "b c2 v"],
        alpha: Float[Tensor, ""],
    ) -> Float[Tensor, "b c t v"]:
        """Return each channel gathered along ``shared + alpha tanh(source - target)``."""
        ...

    def join(
        self, x: NormedMap, other: Float[Tensor, "b c t v"] | NormedMap | None, *, with_mean: bool
    ) -> Float[Tensor, "b c t w"]:
        """Return the rectified sum of two maps, and the joints' mean as one more joint."""
        ...

    def branches(self, x: NormedMap, temporal: DGTemporalConv) -> NormedMap:
        """Return the branches of joints and their mean, added, with the norm of the result.

        Args:
            x: Input of all branches; that of the 1x1 branch, which has the last channels, is
                its product without the bias, and not normed.
            temporal: Weights.
        """
        ...
