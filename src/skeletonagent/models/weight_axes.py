"""Meaning of the weights of a recognizer: joints, persons, channels and classes along their axes.

A recognizer of another skeleton, other classes or other channels has weights of other shapes.
Where every index along an axis has a name, the weights that both have are known.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from torch import nn

from skeletonagent.models.backbones import Backbone
from skeletonagent.models.graph_conv import (
    AdaptiveGraphConv,
    CTRGraphConv,
    DGGraphConv,
    NeighbourGraphConv,
)
from skeletonagent.models.joint_cnn import FeatureNormStem, JointTokens
from skeletonagent.models.readouts import JointReadout, TemporalReadout
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.models.settings import InputFeature
from skeletonagent.models.stems import BatchNormStem, EmbeddingStem
from skeletonagent.models.temporal_conv import DGTemporalConv

Axis = tuple[Hashable, ...] | None
"""Name of each index along an axis of a tensor; None where an index has no meaning of its own."""


@dataclass(frozen=True)
class AxisNames:
    """Names of what a recognizer is built for.

    Args:
        joints: Names of the joints, such that equal names are the same joint.
        channels: Names of the clips' channels, such as ``x, y, z, confidence``.
        persons: M, number of bodies.
        classes: Names of the classes.
    """

    joints: tuple[Hashable, ...]
    channels: tuple[str, ...]
    persons: int
    classes: tuple[str, ...]


@dataclass(frozen=True)
class WeightAxes:
    """Meaning of one tensor of a recognizer.

    Args:
        name: Name of the tensor that does not depend on what else the recognizer has.
        axes: Names along each of its axes.
    """

    name: str
    axes: tuple[Axis, ...]


def describe_weights(recognizer: Recognizer, names: AxisNames) -> dict[str, WeightAxes]:
    """Return the meaning of each floating-point tensor of a recognizer's state, by its name.

    Args:
        recognizer: The recognizer.
        names: Names of its joints, channels, persons and classes.
    """
    inputs = _inputs(recognizer, names)
    described = dict(_described(recognizer, names, inputs))
    kept = [name for name in inputs if inputs[name]]
    return {
        name: WeightAxes(
            _independent(name, kept), described.get(name, (None,) * tensor.ndim)
        )
        for name, tensor in recognizer.state_dict().items()
        if tensor.is_floating_point()
    }  # fmt: skip


def _inputs(recognizer: Recognizer, names: AxisNames) -> dict[str, tuple[Hashable, ...]]:
    """Return the names of the channels of each input."""
    features = recognizer.inputs
    if features is None:
        return {"clips": names.channels}
    targets = tuple(names.joints[joint] for joint in features.targets.tolist())
    channels: dict[str, tuple[Hashable, ...]] = {}
    for feature in features.names:
        match feature:
            case InputFeature.DISTANCE:
                channels[feature] = targets
            case InputFeature.PARTNER:
                channels[feature] = targets if names.persons > 1 else ()
            case _:
                channels[feature] = names.channels
    return channels


def _described(
    recognizer: Recognizer, names: AxisNames, inputs: dict[str, tuple[Hashable, ...]]
) -> Iterator[tuple[str, tuple[Axis, ...]]]:
    """Yield the tensors with an axis that has names, and their axes."""
    joined = tuple((feature, channel) for feature, named in inputs.items() for channel in named)
    classes = _numbered(names.classes)
    yield "cls_head.fc.weight", (classes, None)
    yield "cls_head.fc.bias", (classes,)
    yield from _of_stem(recognizer.backbone, names, joined)
    yield from _of_first_block(recognizer.backbone, names.joints, joined)
    yield from _of_readout(recognizer, names, inputs)
    for path, module in recognizer.backbone.named_modules():
        match module:
            case DGGraphConv() | AdaptiveGraphConv() | CTRGraphConv():
                yield f"backbone.{path}.graphs", (None, names.joints, names.joints)
            case NeighbourGraphConv():
                yield f"backbone.{path}.graph", (names.joints, names.joints)
            case DGTemporalConv():
                yield f"backbone.{path}.share", (names.joints,)


def _of_stem(
    backbone: Backbone, names: AxisNames, joined: tuple[Hashable, ...]
) -> Iterator[tuple[str, tuple[Axis, ...]]]:
    match backbone.stem:
        case EmbeddingStem() as stem:
            width = range(stem.embed.out_features)
            yield "backbone.stem.embed.weight", (None, joined)
            yield "backbone.stem.position", (names.joints, None)
            yield from _norm("backbone.stem.norm", range(names.persons), names.joints, width)
        case BatchNormStem() as stem:
            yield from _norm("backbone.stem.norm", range(stem.persons), names.joints, joined)
        case FeatureNormStem():
            yield from _norm("backbone.stem.norm", joined, names.joints)


def _of_first_block(
    backbone: Backbone, joints: tuple[Hashable, ...], joined: tuple[Hashable, ...]
) -> Iterator[tuple[str, tuple[Axis, ...]]]:
    """Yield the layers that take the input's channels, where the stem leaves them as they are."""
    first = backbone.blocks[0]
    if isinstance(first, JointTokens):
        yield "backbone.blocks.0.embed.0.weight", (None, joined, None, None)
        yield "backbone.blocks.0.position", (None, None, joints)
        return
    if isinstance(backbone.stem, EmbeddingStem):
        return
    own_and_gathered = tuple(product(("own", "gathered"), joined))
    layers: dict[str, tuple[Hashable, ...]] = {
        "graph.attention": joined, "graph.enter.0": joined, "graph.project": joined,
        "graph.relate": joined, "graph.shortcut.0": joined,
        "temporal.0": own_and_gathered,
    }  # fmt: skip
    for path, channels in layers.items():
        layer = dict(first.named_modules()).get(path)
        if isinstance(layer, nn.Conv2d) and layer.in_channels == len(channels):
            yield f"backbone.blocks.0.{path}.weight", (None, channels, None, None)


def _of_readout(
    recognizer: Recognizer, names: AxisNames, inputs: dict[str, tuple[Hashable, ...]]
) -> Iterator[tuple[str, tuple[Axis, ...]]]:
    width, persons = range(recognizer.backbone.out_channels), range(names.persons)
    match recognizer.readout:
        case JointReadout():
            columns = tuple(product(width, names.joints))
            yield "readout.reduce.0.weight", (None, columns, None, None)
        case TemporalReadout() as readout:
            columns_of_bodies = tuple(product(persons, names.joints, width))
            yield "readout.maps.0.weight", (None, columns_of_bodies, None, None)
            kept = [channels for channels in inputs.values() if channels]
            for number, channels in enumerate(kept):
                values = tuple(product(persons, names.joints, channels))
                yield from _norm(f"readout.inputs.{number}.norm", persons, names.joints, channels)
                yield f"readout.inputs.{number}.layers.0.0.weight", (None, values, None, None)
            first = readout.maps[0]
            assert isinstance(first, nn.Conv2d)
            parts = ("maps", *(name for name, channels in inputs.items() if channels))
            joined = tuple(product(parts, range(first.out_channels)))
            yield "readout.layers.1.0.weight", (None, joined, None, None)


def _norm(path: str, *factors: Sequence[Hashable]) -> Iterator[tuple[str, tuple[Axis, ...]]]:
    """Yield the vectors of a norm whose features are the product of some names."""
    features: tuple[Hashable, ...] = tuple(product(*factors))
    for vector in ("weight", "bias", "running_mean", "running_var"):
        yield f"{path}.{vector}", (features,)


def _numbered(names: Sequence[str]) -> tuple[Hashable, ...]:
    """Return names with the number of the time that each occurs: some data sets repeat one."""
    return tuple((name, names[:place].count(name)) for place, name in enumerate(names))


def _independent(name: str, inputs: Sequence[str]) -> str:
    """Return the name of a tensor with the name of a readout's input in place of its number."""
    start = "readout.inputs."
    if not name.startswith(start):
        return name
    number, _, rest = name.removeprefix(start).partition(".")
    return f"{start}{inputs[int(number)]}.{rest}"
