"""Program of a test: the training step as one graph, which gives what the eager step gives.

It runs in a process of its own, since the annotations that tests check cannot be traced.
"""

from __future__ import annotations

import copy
import sys

import torch

from skeletonagent.core.layout import COCO_17
from skeletonagent.models.recognizer import build_recognizer
from skeletonagent.training.losses import SkeletonAgentLoss
from skeletonagent.training.train_step import ModelWithLoss


def main(backbone: str) -> None:
    """Compare both with packed bodies, in single precision and under autocast.

    Raises:
        torch._dynamo.exc.Unsupported: If the graph breaks.
    """
    torch.manual_seed(0)
    recognizer = build_recognizer(
        backbone, COCO_17, channels=3, persons=2, num_classes=3, text_dim=8, width=8
    )
    eager = ModelWithLoss(recognizer, SkeletonAgentLoss())
    clips = torch.randn(4, 2, 8, 17, 3)
    clips[1:3, 1] = 0
    bodies = torch.tensor([0, 1, 2, 4, 6, 7])
    salient, table = torch.rand(3, 17).round(), torch.randn(3, 8)
    inputs = (clips, torch.tensor([0, 1, 2, 0]), bodies, None, None, salient, table)
    for lower in (False, True):
        plain, traced = copy.deepcopy(eager), copy.deepcopy(eager)
        compiled = torch.compile(traced, backend="eager", fullgraph=True)
        outputs = []
        for model in (plain, compiled):
            with torch.autocast("cpu", enabled=lower):
                output = model(*inputs)
            output.losses[3].backward()
            outputs.append(output)
        torch.testing.assert_close(outputs[0], outputs[1])
        for (name, wanted), parameter in zip(
            plain.named_parameters(), traced.parameters(), strict=True
        ):
            torch.testing.assert_close(wanted.grad, parameter.grad, msg=name)
    print("one graph")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
