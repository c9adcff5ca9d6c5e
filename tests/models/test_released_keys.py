"""Names of the authors' weights and ours."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from skeletonagent.core.errors import CheckpointError
from skeletonagent.models.released_keys import convert_released_keys

GRAPHS = {"backbone.gcn.0.gcn.A": torch.randn(8, 4, 4)}


def converted(**tensors: Tensor) -> dict[str, Tensor]:
    """Convert parts of the first block; ``__`` stands for a dot."""
    named = {f"backbone.gcn.0.{k.replace('__', '.')}": v for k, v in tensors.items()}
    prefix = "backbone.blocks.0."
    state = convert_released_keys(GRAPHS | named)
    del state["backbone.blocks.0.graph.graphs"]
    return {k.removeprefix(prefix): v for k, v in state.items()}


def test_only_the_first_gate_counts() -> None:
    state = converted(gcn__alpha=torch.arange(3.0, 11.0), gcn__beta=torch.arange(5.0, 13.0))
    assert state == {"graph.alpha": torch.tensor(3.0), "graph.beta": torch.tensor(5.0)}


def test_branches_are_concatenated_in_order() -> None:
    parts = {
        **{f"tcn__branches__{i}__0__bias": torch.tensor([float(i)]) for i in (3, 0, 4, 1, 2)},
        "tcn__branches__5__bias": torch.tensor([5.0]),
    }
    state = converted(**dict(reversed(parts.items())))
    torch.testing.assert_close(state["temporal.branches.enter.bias"], torch.arange(6.0))


def test_attention_is_source_then_target() -> None:
    state = converted(gcn__conv2__bias=torch.tensor([2.0]), gcn__conv1__bias=torch.tensor([1.0]))
    torch.testing.assert_close(state["graph.attention.bias"], torch.tensor([1.0, 2.0]))


def test_shares_beyond_the_joints_are_dropped() -> None:
    state = converted(tcn__add_coeff=torch.arange(25.0))
    torch.testing.assert_close(state["temporal.share"], torch.arange(4.0))


def test_batches_are_counted_once() -> None:
    tracked = {f"tcn__branches__{i}__1__num_batches_tracked": torch.tensor(7) for i in range(5)}
    assert converted(**tracked) == {"temporal.branches.norm.num_batches_tracked": torch.tensor(7)}


def test_ignored_keys_are_left_out() -> None:
    state = convert_released_keys(
        {
            "backbone.pos_embedding": torch.randn(1, 4, 6),
            "backbone.logit_scale": torch.ones(1, 1),
            "backbone.examplar": torch.ones(2, 4, 4),
            "backbone.model_text_dict.ViT-B/32.token_embedding.weight": torch.ones(3, 2),
        }
    )
    assert list(state) == ["backbone.stem.position"]
    assert state["backbone.stem.position"].shape == (4, 6)


@pytest.mark.parametrize(
    "key",
    [
        "backbone.gcn.0.gcn.other",
        "backbone.gcn.0.tcn.branches.6.weight",
        "backbone.pos_embedding_2",
        "head.fc_cls2.weight",
        "optimizer",
    ],
)
def test_unknown_names_are_named(key: str) -> None:
    with pytest.raises(CheckpointError, match=key.replace(".", r"\.")):
        convert_released_keys({**GRAPHS, key: torch.zeros(1)})


@pytest.mark.parametrize("prefix", ["head", "cls_head"])
def test_the_class_head_has_two_names(prefix: str) -> None:
    bias = torch.randn(3)
    assert convert_released_keys({f"{prefix}.fc_cls.bias": bias}).keys() == {"cls_head.fc.bias"}


def test_branches_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(CheckpointError, match="not the weights of a released recognizer"):
        converted(
            tcn__branches__0__0__weight=torch.zeros(2, 3, 1, 1),
            tcn__branches__1__0__weight=torch.zeros(2, 4, 1, 1),
        )


@pytest.mark.parametrize("key", ["gcn__alpha", "gcn__conv1__weight"])
def test_tensors_without_contents_or_dimensions_are_refused(key: str) -> None:
    with pytest.raises(CheckpointError, match="not the weights of a released recognizer"):
        converted(**{key: torch.zeros(0) if "alpha" in key else torch.tensor(1.0)})
