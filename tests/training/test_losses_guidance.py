"""Guidance as tensors: salient joints and text table of a stream, shuffled or not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.training.losses import GuidanceTensors

ARM = SkeletonLayout("arm", ("chest", "shoulder", "elbow", "hand"), ((1, 0), (2, 1), (3, 2)))
GUIDANCE = Guidance(
    ARM,
    (
        ClassGuidance("lift", (1, 2), "up", rivals=("rest", "swing")),
        ClassGuidance("swing", (3,), "round", rivals=("swing", "lift")),
        ClassGuidance("rest", (), "still"),
    ),
)
TABLE = torch.nn.functional.normalize(torch.tensor([[1.0, 2.0], [1.0, 3.0], [1.0, 0.0]]), dim=1)


def encode(sentences: Sequence[str]) -> Tensor:
    assert sentences == ("up", "round", "still")
    return TABLE


def test_guidance_is_taken_as_it_is() -> None:
    for stream in (Stream.JOINT, Stream.BONE):
        tensors = GuidanceTensors.from_guidance(GUIDANCE, stream, encode, torch.device("cpu"))
        assert torch.equal(tensors.salient, GUIDANCE.salient(stream).float())
        assert torch.equal(tensors.text_table, TABLE)
        assert all(map(torch.equal, GuidanceTensors(*tensors), tensors))
