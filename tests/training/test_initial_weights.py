"""Weights of one recognizer in another one of other joints, classes, persons and channels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.recognizer import Recognizer, build_recognizer
from skeletonagent.models.weight_axes import AxisNames, describe_weights
from skeletonagent.training.initial_weights import (
    TakenWeights,
    listed,
    take_weights,
    weights_digest,
)
from skeletonagent.training.optimizer import set_learning_rate
from skeletonagent.training.settings import Freeze, OptimizerName, TrainSettings
from skeletonagent.training.train_step import TrainState

LAYOUT = SkeletonLayout(
    "cross", ("hips", "chest", "head", "left hand", "right hand"), ((1, 0), (2, 1), (3, 1), (4, 1))
)
ORDER = (3, 0, 4, 2, 1)
"""Joint of the layout at each place of the other one."""
PLACE = {joint: place for place, joint in enumerate(ORDER)}
PERMUTED = SkeletonLayout(
    "permuted",
    tuple(LAYOUT.joints[joint] for joint in ORDER),
    tuple((PLACE[child], PLACE[parent]) for child, parent in LAYOUT.bones),
    center=PLACE[0],
)
INPUTS = ("position", "bone", "motion", "distance", "partner")


@dataclass(frozen=True)
class Made:
    """A recognizer, and the names of what it was built for."""

    recognizer: Recognizer
    names: AxisNames


def made(
    seed: int,
    *,
    layout: SkeletonLayout = LAYOUT,
    channels: tuple[str, ...] = ("x", "y", "z"),
    persons: int = 2,
    classes: tuple[str, ...] = ("wave", "jump", "sit"),
    backbone: str = "joint-cnn",
    **settings: Any,
) -> Made:
    """Return a recognizer of random weights and running statistics."""
    torch.manual_seed(seed)
    recognizer = build_recognizer(
        backbone,
        layout,
        channels=len(channels),
        persons=persons,
        num_classes=len(classes),
        text_dim=4,
        width=8,
        **settings,
    )
    for name, tensor in recognizer.state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(0, 0.3)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return Made(recognizer.eval(), AxisNames(layout.joints, channels, persons, classes))


def take(target: Made, source: Made, *fresh_parts: str) -> TakenWeights:
    return take_weights(
        target.recognizer, target.names, source.recognizer, source.names, fresh_parts
    )


def clips(seed: int = 5, persons: int = 2, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, persons, 12, 5, channels, generator=generator)


RECOGNIZERS = {
    **{name: {"backbone": name} for name in BACKBONES},
    "joints": {"readout": "joints", "backbone": "tiny-gcn"},
    "temporal": {"readout": "temporal", "readout_width": 4},
    **{
        f"{name} of inputs": {"backbone": name, "inputs": INPUTS}
        for name in ("dg-stgcn", "tiny-gcn", "skeletonagent")
    },
    "temporal of inputs": {"readout": "temporal", "readout_width": 4, "inputs": INPUTS},
}


@pytest.mark.parametrize("settings", RECOGNIZERS.values(), ids=RECOGNIZERS)
def test_order_and_spelling_of_joints_and_classes_do_not_matter(settings: dict[str, Any]) -> None:
    """The recognizer with the weights of another gives what that gives, on clips in its order."""
    source = made(1, **settings)
    classes = ("sit", "wave", "jump")
    target = made(2, layout=PERMUTED, classes=classes, **settings)
    taken = take(target, source)
    assert not taken.in_part and not taken.fresh and len(taken.whole) > 10
    given, salient = clips(), torch.tensor([[1.0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 0, 1, 1]])
    with torch.no_grad():
        expected = source.recognizer(given, salient)
        label = [source.names.classes.index(name) for name in classes]
        got = target.recognizer(given[..., ORDER, :], salient[label][:, ORDER])
    torch.testing.assert_close(got.logits, expected.logits[:, label], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got.embedding, expected.embedding, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        got.joint_logits, expected.joint_logits[:, label], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("settings", RECOGNIZERS.values(), ids=RECOGNIZERS)
def test_what_a_recognizer_of_fewer_things_takes(settings: dict[str, Any]) -> None:
    """One without a joint, a class, a person and the depth takes all of what it has."""
    source = made(1, **settings)
    bones = tuple((child, parent) for child, parent in LAYOUT.bones if child != 4)
    smaller = SkeletonLayout("smaller", LAYOUT.joints[:4], bones)
    target = made(
        2, layout=smaller, channels=("x", "y"), persons=1, classes=("jump", "sit"), **settings
    )
    before = {name: tensor.clone() for name, tensor in target.recognizer.state_dict().items()}
    taken = take(target, source)
    # A readout that takes one input less has no layers for the partner's.
    assert not taken.in_part and not taken.fresh
    after, full = target.recognizer.state_dict(), source.recognizer.state_dict()
    torch.testing.assert_close(after["cls_head.fc.weight"], full["cls_head.fc.weight"][1:])
    assert all(not torch.equal(before[name], after[name]) for name in taken.whole)


@pytest.mark.parametrize("settings", RECOGNIZERS.values(), ids=RECOGNIZERS)
def test_what_is_new_stays_fresh(settings: dict[str, Any]) -> None:
    """Of more joints, persons, classes and channels all that was there before is taken."""
    larger = SkeletonLayout(
        "larger", ("tail", *LAYOUT.joints), tuple((c + 1, p + 1) for c, p in LAYOUT.bones)
    )
    source = made(1, **settings)
    target = made(
        2,
        layout=larger,
        channels=("x", "y", "z", "confidence"),
        persons=3,
        classes=("new", *source.names.classes, "wave"),
        **settings,
    )
    before = {name: tensor.clone() for name, tensor in target.recognizer.state_dict().items()}
    taken = take(target, source)
    after, given = target.recognizer.state_dict(), source.recognizer.state_dict()
    assert taken.in_part["cls_head.fc.bias"] == 3 / 5
    for name in taken.fresh:
        assert torch.equal(before[name], after[name])
    for name, share in taken.in_part.items():
        same = (before[name] == after[name]).double().mean()
        assert float(same) == pytest.approx(1 - share, abs=1e-9), name
    assert torch.equal(after["cls_head.fc.bias"][1:4], given["cls_head.fc.bias"])
    assert torch.equal(after["cls_head.fc.bias"][[0, 4]], before["cls_head.fc.bias"][[0, 4]])


def test_a_joint_takes_its_own_weights() -> None:
    """Worked by hand: the weights of a head's distance to the chest, for the second body."""
    source = made(1, **RECOGNIZERS["temporal of inputs"])
    target = made(2, layout=PERMUTED, **RECOGNIZERS["temporal of inputs"])
    take(target, source)
    distance = INPUTS.index("distance")
    name = f"readout.inputs.{distance}.layers.0.0.weight"
    one, other = (made.recognizer.state_dict()[name].flatten(1) for made in (source, target))
    head, chest = 2, 1
    assert torch.equal(
        other.view(-1, 2, 5, 5)[:, 1, PLACE[head], PLACE[chest]],
        one.view(-1, 2, 5, 5)[:, 1, head, chest],
    )


def test_inputs_are_known_by_their_names() -> None:
    temporal = {"readout": "temporal", "readout_width": 4}
    source = made(1, inputs=("position", "motion"), **temporal)
    target = made(2, inputs=("motion", "distance", "position"), **temporal)
    taken = take(target, source)
    one, other = (made.recognizer.state_dict() for made in (source, target))
    for layer in ("norm.bias", "layers.0.0.weight", "layers.2.1.running_mean"):
        assert torch.equal(other[f"readout.inputs.0.{layer}"], one[f"readout.inputs.1.{layer}"])
        assert f"readout.inputs.1.{layer}" in taken.fresh
    assert taken.in_part["readout.layers.1.0.weight"] == 3 / 4  # maps and two of three inputs
    assert taken.in_part["backbone.blocks.0.embed.0.weight"] == 6 / 11


def test_another_width_or_backbone_is_not_taken() -> None:
    source = made(1, backbone="tiny-gcn")
    target = made(2, backbone="stgcn++")
    before = {name: tensor.clone() for name, tensor in target.recognizer.state_dict().items()}
    taken = take(target, source, "backbone.")
    assert {name for name in taken.fresh if name.startswith("backbone.")} == {
        name for name in describe_weights(target.recognizer, target.names) if "backbone" in name
    }
    for name in taken.fresh:
        assert torch.equal(before[name], target.recognizer.state_dict()[name])
    wider = made(3, readout="joints", readout_width=6)
    assert "readout.reduce.0.weight" in take(wider, made(1, readout="joints")).fresh


def test_names_in_words() -> None:
    taken = TakenWeights(("a", "b"), {"c": 0.25}, tuple("defghijk"))
    assert taken.summary() == (
        "2 of 11 tensors taken, 1 in part (c 25%), 8 fresh (d, e, f, g, h, i and 2 more)"
    )
    assert TakenWeights.from_json(taken.to_json()) == taken
    assert TakenWeights(("a",)).summary() == "1 of 1 tensors taken"
    assert listed(["a"]) == "a"
    assert not TakenWeights(("cls_head.fc.bias",), fresh=("a",)).anything
    assert TakenWeights(in_part={"a": 0.1}).anything


def test_a_digest_is_that_of_the_values() -> None:
    source = made(1)
    digest = weights_digest(source.recognizer)
    assert digest == weights_digest(made(1).recognizer) and len(digest) == 64
    with torch.no_grad():
        source.recognizer.cls_head.fc.bias[0] += 1
    assert digest != weights_digest(source.recognizer)


ADAMW = {"optimizer": OptimizerName.ADAMW, "weight_decay": 0.05, "learning_rate": 2e-3}


def state_with(training: Any, taken: TakenWeights | None, **settings: Any) -> TrainState:
    """Return the state of a training that begins with weights of a run."""
    changed = replace(training.settings, init_from="run", **settings)
    old = training.state
    return TrainState(old.recognizer, changed, old.context, old.loss, taken)


def heads_fresh(training: Any) -> TakenWeights:
    names = [n for n, t in training.state.recognizer.state_dict().items() if t.is_floating_point()]
    heads = tuple(name for name in names if name.startswith("cls_head."))
    return TakenWeights(whole=tuple(n for n in names if n not in heads), fresh=heads)


@pytest.mark.parametrize("settings", [{}, ADAMW], ids=["sgd", "adamw"])
def test_a_frozen_backbone_stays_as_it_is(
    world: ModuleType, tmp_path: Any, settings: dict[str, Any]
) -> None:
    training = world.training(tmp_path, **settings)
    training.state = state_with(training, heads_fresh(training), freeze=Freeze.BACKBONE)
    before = {n: t.clone() for n, t in training.state.recognizer.state_dict().items()}
    training.run()
    after = training.state.recognizer.state_dict()
    changed = {
        name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])
    }
    assert changed == {"cls_head", "joint_head", "text_head"}


@pytest.mark.parametrize("settings", [{}, ADAMW], ids=["sgd", "adamw"])
def test_taken_weights_learn_at_their_own_rate(
    world: ModuleType, tmp_path: Any, settings: dict[str, Any]
) -> None:
    training = world.training(tmp_path, **settings)
    state = state_with(training, heads_fresh(training), taken_rate_factor=0.25)
    parameters = {id(p): n for n, p in state.recognizer.named_parameters()}
    set_learning_rate(state.optimizer, 0.008)
    rates = {
        parameters[id(p)]: group["lr"]
        for group in state.optimizer.param_groups
        for p in group["params"]
        if id(p) in parameters
    }
    assert rates.keys() == set(parameters.values())
    assert {n for n, rate in rates.items() if rate == 0.008} == {
        "cls_head.fc.weight", "cls_head.fc.bias",
    }  # fmt: skip
    assert {rate for n, rate in rates.items() if "cls_head" not in n} == {0.002}


def test_norms_keep_the_statistics_that_were_taken(world: ModuleType, tmp_path: Any) -> None:
    training = world.training(tmp_path)
    training.state = state_with(training, heads_fresh(training), freeze=Freeze.NORMS)
    before = {n: t.clone() for n, t in training.state.recognizer.state_dict().items()}
    training.run()
    after = training.state.recognizer.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    statistics = {name for name in before if name.endswith(("running_mean", "running_var"))}
    assert statistics and statistics <= same
    weights = {name for name, _ in training.state.recognizer.named_parameters()}
    assert not {name for name in same & weights if before[name].ndim > 1}


def test_nothing_to_freeze_is_an_error(world: ModuleType, tmp_path: Any) -> None:
    training = world.training(tmp_path)
    with pytest.raises(ConfigError, match=r"training\.freeze is 'backbone', but no tensor"):
        state_with(training, TakenWeights(whole=("cls_head.fc.bias",)), freeze=Freeze.BACKBONE)


@pytest.mark.parametrize(
    "settings",
    [{"freeze": Freeze.BACKBONE}, {"freeze": Freeze.NORMS}, {"taken_rate_factor": 0.5}],
)
def test_settings_about_taken_weights_need_a_run(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="init_from"):
        TrainSettings(**settings)
    TrainSettings(init_from="run", **settings)
