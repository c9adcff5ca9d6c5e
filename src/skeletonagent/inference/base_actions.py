"""Actions that a base tells apart by the nearest mean of their examples, without a training.

The base takes the layout of the first examples: its weights are taken by the names of joints, and
joints that it does not know play no part.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.guidance import ClassGuidance
from skeletonagent.core.input_format import InputFormat
from skeletonagent.data.archive import read_archive
from skeletonagent.data.common_body import FEWEST_COMMON_JOINTS, common_joints
from skeletonagent.data.importing.joint_mapping import map_joints
from skeletonagent.data.keypoints.reading import read_keypoints
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import Orientation, Origin
from skeletonagent.data.validation import is_archive
from skeletonagent.experiments.base_encoder import recognizer_in_layout
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.fine_tuning import SourceRun
from skeletonagent.inference.added_actions import AddedAction, ExampleFormat
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.models.recognizer import ClassHead

SHARPNESS = 8.0
"""Difference of two logits of a clip at one mean and as far from the other as means are large.

Of 1, 2, 4, 8, 12, 16 and 32 it gave clips of held-out training subjects of NW-UCLA the best
likelihood, with two and five examples; with one, 4 was a little better.
"""

TEST_CLIPS = 4
"""Test clips of a sample."""


def format_of_examples(file: Path) -> InputFormat:
    """Return joints and coordinates of a file of examples.

    Args:
        file: Skeleton archive, or keypoint recordings whose joints have names.

    Raises:
        DataError: If it cannot be read.
        ConfigError: If hardly a joint of the base has a name in it.
    """
    if is_archive(file):
        store = read_archive(file, require_labels=False).store
        layout, channels = store.layout, store.channels
    else:
        recordings = read_keypoints(file)
        layout, channels = map_joints(recordings).layout, recordings[0].coordinates
    joints, left_out = common_joints(layout)
    shared = sum(joint is not None for joint in joints)
    if shared < FEWEST_COMMON_JOINTS:
        raise ConfigError(
            f"{file} names {shared} joints that a base knows, and {FEWEST_COMMON_JOINTS} are "
            "needed; give an archive, or a file whose joints have names such as 'left wrist'"
        )
    if left_out:
        warnings.warn(
            f"joints that a base does not know play no part: {', '.join(left_out)}", stacklevel=2
        )
    return InputFormat(layout, channels)


def base_in_format(model: StreamModel, source: SourceRun, examples: ExampleFormat) -> StreamModel:
    """Return a base that takes clips of another layout, without classes of use.

    Args:
        model: Recognizer of the base.
        source: Checkpoint of the base.
        examples: Format of the clips.
    """
    given = examples.input_format
    config = _config(model.config, given.coordinates, examples.persons)
    store = Preprocessor.from_settings(config.data)(_any_store(given))
    metadata = replace(
        model.metadata,
        config=config,
        class_names=("",),
        layout=store.layout,
        channels=store.clip_channels,
        persons=examples.persons,
        input_format=given,
        training_clips=None,
        statistics=None,
    )
    recognizer = recognizer_in_layout(source, model.recognizer, metadata)
    guidance = replace(model.guidance, layout=store.layout, classes=())
    return StreamModel(recognizer.to(model.device), metadata, guidance, model.epoch)


def _config(config: Config, coordinates: int, persons: int) -> Config:
    """Return the settings of a base for clips with so many coordinates and bodies."""
    if persons > 1:  # who stands where to whom is kept
        config = replace(config, data=replace(config.data, origin=Origin.GROUP))
    if coordinates == 2:
        data = replace(config.data, dims=2, orientation=Orientation.CAMERA)
        config = replace(config, data=data)
    return replace(config, clips=replace(config.clips, test_clips=TEST_CLIPS))


def _any_store(examples: InputFormat) -> ClipStore:
    """Return a sample of a format, by which it is found out what preprocessing makes of it."""
    generator = torch.Generator().manual_seed(0)
    joints = torch.rand(
        1, 2, examples.layout.num_joints, examples.channels, generator=generator
    ).numpy()
    sequences = [SkeletonSequence(joints, 0, "any")]
    return ClipStore.from_sequences(sequences, examples.layout, ("",))


def mean_of_examples(name: str, features: Tensor) -> AddedAction:
    """Return the action whose clips lie around the mean of some features, of shape (K, D)."""
    mean = features.mean(dim=0)
    return AddedAction(name, len(features), tuple(mean.tolist()), 0.0)


def recognizing_actions(model: StreamModel, actions: Sequence[AddedAction]) -> StreamModel:
    """Return a base that tells actions apart, and nothing else, by the nearest of their means.

    Args:
        model: Base in the layout of the examples.
        actions: Actions as :func:`mean_of_examples` returns them, at least one.
    """
    means = torch.tensor([action.weight for action in actions])
    squares = means.square().sum(dim=1)
    scale = SHARPNESS / squares.mean().clamp(min=1e-6)
    head = ClassHead(means.shape[1], len(actions))
    with torch.no_grad():
        head.fc.weight.copy_(2 * scale * means)
        head.fc.bias.copy_(-scale * squares)
    recognizer = model.recognizer
    recognizer.cls_head = head.to(model.device).eval()
    names = tuple(action.name for action in actions)
    classes = tuple(ClassGuidance(action=name, joints=(), sentence=name) for name in names)
    return replace(
        model,
        metadata=replace(model.metadata, class_names=names),
        guidance=replace(model.guidance, classes=classes),
    )
