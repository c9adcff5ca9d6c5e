"""The heads against the paper's own forms."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.models.recognizer import AlignmentHead, ClassHead, JointConstraintHead


@given(n=st.integers(1, 3), y=st.integers(1, 6), v=st.integers(1, 25), seed=st.integers(0, 99))
def test_masked_scores_equal_the_papers_dense_k(n: int, y: int, v: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    head = JointConstraintHead(7)
    x_pre = torch.randn(n, 7, v, generator=generator)
    salient = (torch.rand(y, v, generator=generator) < 0.4).float()
    k = salient[:, :, None].expand(y, v, v)
    x_joint = torch.einsum("ndv,yvu->nydu", x_pre, k)  # eq. 4, literally
    dense = head.fc(x_joint.mT).squeeze(-1).mean(dim=-1)
    torch.testing.assert_close(head(x_pre, salient), dense, rtol=1e-4, atol=1e-4)


def test_constraint_counts_the_bias_once() -> None:
    head = JointConstraintHead(2)
    torch.nn.init.ones_(head.fc.weight)
    torch.nn.init.constant_(head.fc.bias, 100)
    x_pre = torch.tensor([[[1.0, 2, 3], [10, 20, 30]]])
    salient = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 0, 1], [1, 1, 1]])
    torch.testing.assert_close(head(x_pre, salient), torch.tensor([[100.0, 111, 144, 166]]))


@given(seed=st.integers(0, 99))
def test_constraint_is_blind_to_joints_that_are_not_salient(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    head = JointConstraintHead(4)
    x_pre = torch.randn(2, 4, 6, generator=generator)
    salient = (torch.rand(1, 6, generator=generator) < 0.5).float()
    elsewhere = torch.randn(2, 4, 6, generator=generator) * (1 - salient)
    torch.testing.assert_close(
        head(x_pre + elsewhere, salient), head(x_pre, salient), rtol=1e-4, atol=1e-4
    )


def test_class_head_starts_undecided() -> None:
    head = ClassHead(2000, 50)
    assert not head.fc.bias.any()
    assert 0.0095 < head.fc.weight.std().item() < 0.0105


def test_class_head_drops_features_only_in_training() -> None:
    head = ClassHead(64, 5, dropout=0.5)
    pooled = torch.randn(3, 64)
    assert not torch.equal(head(pooled), head.fc(pooled))
    torch.testing.assert_close(head.eval()(pooled), head.fc(pooled))


def test_alignment_head_starts_with_fan_out_variance() -> None:
    head = AlignmentHead(400, 512)
    assert not head.fc.bias.any()
    std = (2 / 512) ** 0.5
    assert 0.98 * std < head.fc.weight.std().item() < 1.02 * std
    assert head(torch.randn(3, 400)).shape == (3, 512)
