"""Initial weights of a recognizer, taken from another one of perhaps other joints and classes.

Every index along an axis of a tensor means something: a joint, a body, a channel, a class. Weights
are taken where both recognizers have the same, and stay as they were initialised elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from skeletonagent.core.errors import ConfigError
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.models.weight_axes import AxisNames, WeightAxes, describe_weights
from skeletonagent.training.settings import Freeze

CLASS_HEAD = "cls_head."
"""Start of the names of the class head's tensors."""

HEADS = (CLASS_HEAD, "joint_head.", "text_head.")
"""Starts of the names of the heads' tensors; backbone and readout are all others."""

MOST_NAMES = 6
"""Number of names that a line lists."""


@dataclass(frozen=True)
class TakenWeights:
    """Floating-point tensors of a recognizer, by how much of each was taken from another one.

    Args:
        whole: Names of those taken in whole.
        in_part: Share that was taken of the values of others.
        fresh: Names of those of which nothing was taken.
    """

    whole: tuple[str, ...] = ()
    in_part: Mapping[str, float] = field(default_factory=dict)
    fresh: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether any value of backbone or readout was taken; heads alone know nothing."""
        return any(not name.startswith(HEADS) for name in (*self.whole, *self.in_part))

    def frozen(self) -> frozenset[str]:
        """Return the names of those taken in whole that belong to no head."""
        return frozenset(name for name in self.whole if not name.startswith(HEADS))

    def to_json(self) -> dict[str, Any]:
        """Return the names as plain values."""
        return {
            "whole": list(self.whole),
            "in_part": {name: round(share, 4) for name, share in self.in_part.items()},
            "fresh": list(self.fresh),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TakenWeights:
        """Return the names of :meth:`to_json`.

        Raises:
            KeyError: If a field is missing.
        """
        return cls(tuple(value["whole"]), dict(value["in_part"]), tuple(value["fresh"]))

    def summary(self) -> str:
        """Return in words how many tensors were taken, and the names of the others."""
        count = len(self.whole) + len(self.in_part) + len(self.fresh)
        text = f"{len(self.whole)} of {count} tensors taken"
        if self.in_part:
            shares = [f"{name} {share:.0%}" for name, share in self.in_part.items()]
            text += f", {len(shares)} in part ({listed(shares)})"
        if self.fresh:
            text += f", {len(self.fresh)} fresh ({listed(self.fresh)})"
        return text


def listed(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


@torch.no_grad()
def take_weights(
    target: Recognizer,
    target_names: AxisNames,
    source: Recognizer,
    source_names: AxisNames,
    fresh_parts: Sequence[str] = (),
) -> TakenWeights:
    """Copy the weights that two recognizers share to one of them, and return which these are.

    Args:
        target: Recognizer whose weights are replaced, freshly initialised.
        target_names: Names of its joints, channels, persons and classes.
        source: Recognizer that the weights are taken from.
        source_names: Names of its joints, channels, persons and classes; equal names of both mean
            the same.
        fresh_parts: Starts of the names of tensors that stay as they are.
    """
    described = describe_weights(source, source_names)
    given = source.state_dict()
    by_name = {axes.name: (given[name], axes) for name, axes in described.items()}
    whole, in_part, fresh = [], {}, []
    state = target.state_dict()  # shares memory with the recognizer
    for name, axes in describe_weights(target, target_names).items():
        share = 0.0
        if axes.name in by_name and not name.startswith(tuple(fresh_parts)):
            share = _take(state[name], axes, *by_name[axes.name])
        if share == 1:
            whole.append(name)
        elif share:
            in_part[name] = share
        else:
            fresh.append(name)
    return TakenWeights(tuple(whole), in_part, tuple(fresh))


def _take(
    target: Shaped[Tensor, "..."],
    target_axes: WeightAxes,
    source: Shaped[Tensor, "..."],
    source_axes: WeightAxes,
) -> float:
    """Copy the values of a tensor that both have, and return their share in the target."""
    if target.ndim != source.ndim:
        return 0.0
    to: list[Tensor] = []
    origin: list[Tensor] = []
    for size, given, wanted, named in zip(
        target.shape, source.shape, target_axes.axes, source_axes.axes, strict=True
    ):
        if wanted is None or named is None:
            if size != given:
                return 0.0
            pairs = [(index, index) for index in range(size)]
        else:
            place = {name: index for index, name in enumerate(named)}
            pairs = [(index, place[name]) for index, name in enumerate(wanted) if name in place]
        to.append(torch.tensor([pair[0] for pair in pairs], dtype=torch.long))
        origin.append(torch.tensor([pair[1] for pair in pairs], dtype=torch.long))
    if not target.ndim:
        target.copy_(source)
        return 1.0
    target[torch.meshgrid(*to, indexing="ij")] = source[torch.meshgrid(*origin, indexing="ij")]
    taken = 1
    for indices in to:
        taken *= len(indices)
    return taken / target.numel()


def weights_digest(recognizer: nn.Module) -> str:
    """Return the SHA-256 of all weights with their names, whatever file they are in."""
    digest = sha256()
    for name, tensor in sorted(recognizer.state_dict().items()):
        value = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def freeze_weights(recognizer: nn.Module, taken: TakenWeights, freeze: Freeze) -> list[nn.Module]:
    """Exclude weights from training, and return the norms whose statistics stay as they are.

    Args:
        recognizer: The recognizer.
        taken: Weights of it that were taken from another one.
        freeze: Part of it that stays.

    Raises:
        ConfigError: If there is nothing that could stay.
    """
    if freeze is Freeze.NONE:
        return []
    if freeze is Freeze.NORMS:
        return _norms(recognizer, taken.whole, "running_mean")
    frozen = taken.frozen()
    for name, parameter in recognizer.named_parameters():
        parameter.requires_grad_(name not in frozen)
    if not frozen:
        raise ConfigError(
            "training.freeze is 'backbone', but no tensor of backbone and readout was taken in "
            "whole; leave it out, or take the weights of a run that is more alike"
        )
    return _norms(recognizer, frozen, "weight")


def _norms(recognizer: nn.Module, names: Collection[str], vector: str) -> list[nn.Module]:
    """Return the norms of which a vector is among the tensors named."""
    return [
        module
        for path, module in recognizer.named_modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and f"{path}.{vector}" in names
    ]
