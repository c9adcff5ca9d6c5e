"""Recognizer that a command uses: opened, with the actions that were added to its run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skeletonagent.cli.console import print_remark

if TYPE_CHECKING:
    from skeletonagent.inference.predictor import Predictor


def open_model(run: Path, device: str | None, engine: str, overrides: Sequence[str]) -> Predictor:
    """Return the recognizer of a run or an exported file, and say which engine was chosen.

    For arguments and errors see :func:`~skeletonagent.inference.loading.open_predictor`.
    """
    from skeletonagent.inference.loading import open_predictor

    model = open_predictor(run, device, engine=engine, overrides=overrides)
    if model.choice:
        print_remark(model.choice)
    if model.is_exported:
        return model
    from skeletonagent.inference.action_examples import knowing_actions

    return knowing_actions(model)
