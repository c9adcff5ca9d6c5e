"""Skeleton-based action recognition, guided by agents that ask what tells confused classes apart.

    import skeletonagent as sa

    model = sa.load("runs/utd")
    print(model.predict(joints).class_names)

Names are imported when they are first used, so that importing the package is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skeletonagent.api import Run as Run
    from skeletonagent.api import create_model as create_model
    from skeletonagent.api import encode_guidance as encode_guidance
    from skeletonagent.api import list_models as list_models
    from skeletonagent.api import list_presets as list_presets
    from skeletonagent.api import list_text_encoders as list_text_encoders
    from skeletonagent.api import train as train
    from skeletonagent.core.clips import SkeletonData as SkeletonData
    from skeletonagent.core.clips import SkeletonSequence as SkeletonSequence
    from skeletonagent.core.clips import Split as Split
    from skeletonagent.core.errors import SkeletonAgentError as SkeletonAgentError
    from skeletonagent.core.guidance import Guidance as Guidance
    from skeletonagent.core.skeleton_layout import SkeletonLayout as SkeletonLayout
    from skeletonagent.data.keypoints.reading import read_keypoints as read_keypoints
    from skeletonagent.experiments.build_agents import describe_classes as describe_classes
    from skeletonagent.experiments.config import Config as Config
    from skeletonagent.experiments.curve_runs import learning_curve as learning_curve
    from skeletonagent.experiments.datasets import open_dataset as open_dataset
    from skeletonagent.experiments.datasets import write_dataset as write_dataset
    from skeletonagent.experiments.pretraining import pretrain as pretrain
    from skeletonagent.hub.transfer import pull_model as pull
    from skeletonagent.hub.transfer import push_model as push
    from skeletonagent.inference.action_examples import add_action as add_action
    from skeletonagent.inference.action_examples import knowing_actions as knowing_actions
    from skeletonagent.inference.evaluate import Evaluation as Evaluation
    from skeletonagent.inference.loading import open_predictor as load
    from skeletonagent.inference.predictions import Predictions as Predictions
    from skeletonagent.inference.predictor import Predictor as Predictor
    from skeletonagent.inference.segment_stream import SegmentStream as SegmentStream
    from skeletonagent.inference.segments import RecordingPrediction as RecordingPrediction
    from skeletonagent.training.callbacks import Callback as Callback
    from skeletonagent.training.losses import GuidanceTensors as GuidanceTensors
    from skeletonagent.training.losses import SkeletonAgentLoss as SkeletonAgentLoss

__version__ = "0.1.0"

_MODULES = {
    "Callback": "training.callbacks",
    "Config": "experiments.config",
    "Evaluation": "inference.evaluate",
    "Guidance": "core.guidance",
    "GuidanceTensors": "training.losses",
    "Predictions": "inference.predictions",
    "Predictor": "inference.predictor",
    "RecordingPrediction": "inference.segments",
    "Run": "api",
    "SegmentStream": "inference.segment_stream",
    "SkeletonAgentError": "core.errors",
    "SkeletonAgentLoss": "training.losses",
    "SkeletonData": "core.clips",
    "SkeletonLayout": "core.skeleton_layout",
    "SkeletonSequence": "core.clips",
    "Split": "core.clips",
    "add_action": "inference.action_examples",
    "create_model": "api",
    "describe_classes": "experiments.build_agents",
    "encode_guidance": "api",
    "knowing_actions": "inference.action_examples",
    "learning_curve": "experiments.curve_runs",
    "list_models": "api",
    "list_presets": "api",
    "list_text_encoders": "api",
    "load": "inference.loading",
    "open_dataset": "experiments.datasets",
    "pretrain": "experiments.pretraining",
    "pull": "hub.transfer",
    "push": "hub.transfer",
    "read_keypoints": "data.keypoints.reading",
    "train": "api",
    "write_dataset": "experiments.datasets",
}
"""Module that defines each public name."""

_DEFINED_AS = {"load": "open_predictor", "pull": "pull_model", "push": "push_model"}
"""Public names that are defined under another name."""

__all__ = [
    "Callback",
    "Config",
    "Evaluation",
    "Guidance",
    "GuidanceTensors",
    "Predictions",
    "Predictor",
    "RecordingPrediction",
    "Run",
    "SegmentStream",
    "SkeletonAgentError",
    "SkeletonAgentLoss",
    "SkeletonData",
    "SkeletonLayout",
    "SkeletonSequence",
    "Split",
    "__version__",
    "add_action",
    "create_model",
    "describe_classes",
    "encode_guidance",
    "knowing_actions",
    "learning_curve",
    "list_models",
    "list_presets",
    "list_text_encoders",
    "load",
    "open_dataset",
    "pretrain",
    "pull",
    "push",
    "read_keypoints",
    "train",
    "write_dataset",
]


def __getattr__(name: str) -> Any:
    """Return a public name, imported from its module when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        from skeletonagent.core.missing_packages import explained

        raise explained(error) from error
    value = getattr(module, _DEFINED_AS.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return list(__all__)
