"""Names of the authors' released weights, and their counterparts in this package."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from skeletonagent.core.errors import CheckpointError

K = "backbone.examplar"
"""Name of the frozen matrix K of all classes, (Y, V, V)."""

TEXT_TOWER = "backbone.model_text_dict."
"""Prefix of the names of CLIP's text encoder."""

IGNORED = ("backbone.logit_scale", K, TEXT_TOWER)
"""Prefixes of the names that are no part of a recognizer, the temperature among them."""

_BLOCK = r"backbone\.gcn\.(\d+)\."
_RENAMED = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"backbone\.pos_embedding$", r"backbone.stem.position"),
        (r"backbone\.data_bn\.", r"backbone.stem.norm."),
        (r"backbone\.to_joint_embedding\.", r"backbone.stem.embed."),
        (_BLOCK + r"gcn\.A$", r"backbone.blocks.\1.graph.graphs"),
        (_BLOCK + r"gcn\.(alpha|beta)$", r"backbone.blocks.\1.graph.\2"),
        (_BLOCK + r"gcn\.conv[12]\.", r"backbone.blocks.\1.graph.attention."),
        (_BLOCK + r"gcn\.pre\.([01])\.", r"backbone.blocks.\1.graph.enter.\2."),
        (_BLOCK + r"gcn\.post\.", r"backbone.blocks.\1.graph.leave.0."),
        (_BLOCK + r"gcn\.bn\.", r"backbone.blocks.\1.graph.leave.1."),
        (_BLOCK + r"gcn\.down\.([01])\.", r"backbone.blocks.\1.graph.shortcut.\2."),
        (_BLOCK + r"tcn\.add_coeff$", r"backbone.blocks.\1.temporal.share"),
        (_BLOCK + r"tcn\.branches\.[0-4]\.0\.", r"backbone.blocks.\1.temporal.branches.enter."),
        (_BLOCK + r"tcn\.branches\.5\.", r"backbone.blocks.\1.temporal.branches.enter."),
        (_BLOCK + r"tcn\.branches\.[0-4]\.1\.", r"backbone.blocks.\1.temporal.branches.norm."),
        (
            _BLOCK + r"tcn\.branches\.([0-3])\.3\.conv\.",
            r"backbone.blocks.\1.temporal.branches.convs.\2.",
        ),
        (_BLOCK + r"tcn\.transform\.([02])\.", r"backbone.blocks.\1.temporal.mix.\2."),
        (_BLOCK + r"tcn\.bn\.", r"backbone.blocks.\1.temporal.mix.3."),
        (_BLOCK + r"residual\.conv\.", r"backbone.blocks.\1.shortcut.0."),
        (_BLOCK + r"residual\.bn\.", r"backbone.blocks.\1.shortcut.1."),
        (r"backbone\.direct_fc\.", r"joint_head.fc."),
        (r"backbone\.linear_head\.ViT-B/32\.", r"text_head.fc."),
        (r"(?:cls_)?head\.fc_cls\.", r"cls_head.fc."),
    )
)


def convert_released_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the authors' state dict as that of a recognizer.

    The recognizer has the backbone ``skeletonagent`` or, for Kinetics-400, whose released one does
    not embed the joints, ``dg-stgcn``.

    The 1x1 convolutions that open the six temporal branches, their BatchNorms and the two
    convolutions of the attention are one layer each here, so theirs are concatenated.
    Shapes are left to ``load_state_dict`` to check.

    Args:
        state: Tensors under the authors' names; :data:`IGNORED` are left out.

    Raises:
        CheckpointError: If a name is unknown, or tensors to be concatenated do not fit.
    """
    parts: dict[str, list[Tensor]] = defaultdict(list)
    for key in sorted(state):  # branches and convolutions in the order of their numbers
        if not key.startswith(IGNORED):
            parts[_rename(key)].append(state[key])
    graphs = parts.get("backbone.blocks.0.graph.graphs")
    joints = graphs[0].shape[-1] if graphs and graphs[0].ndim else None
    try:
        return {key: _merge(key, tensors, joints) for key, tensors in parts.items()}
    except (RuntimeError, IndexError) as error:
        raise CheckpointError(f"not the weights of a released recognizer: {error}") from error


def _rename(key: str) -> str:
    for pattern, replacement in _RENAMED:
        if pattern.match(key):
            return pattern.sub(replacement, key, count=1)
    raise CheckpointError(f"{key} is not a name of the released recognizer's state dict")


def _merge(key: str, tensors: Sequence[Tensor], joints: int | None) -> Tensor:
    """Return the parts as one tensor, without values that the released code never uses."""
    match key.rsplit(".", 1)[-1]:
        case "alpha" | "beta" | "num_batches_tracked":
            return tensors[0].flatten()[0]
        case "share":
            return tensors[0][:joints]
        case "position":
            return tensors[0].squeeze(0)
    merged = torch.cat(list(tensors))
    return merged.flatten(1) if key == "joint_head.fc.weight" else merged
