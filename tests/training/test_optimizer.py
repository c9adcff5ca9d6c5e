"""Optimizers against those of torch and by hand; what a checkpoint keeps of them."""

from __future__ import annotations

import copy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from skeletonagent.core.errors import CheckpointError
from skeletonagent.training.checkpoint import Checkpoint, load_checkpoint
from skeletonagent.training.optimizer import build_optimizer, decay_groups, set_learning_rate
from skeletonagent.training.settings import OptimizerName, TrainSettings


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


CPU = torch.device("cpu")
ADAMW = {"optimizer": OptimizerName.ADAMW, "weight_decay": 0.5, "learning_rate": 0.01}


def network(generator: torch.Generator) -> nn.Module:
    """Return weights of one, two and three dimensions, and a single number."""
    module = nn.Module()
    for name, shape in {"weight": (3, 4), "bias": (3,), "graphs": (2, 3, 3), "scale": ()}.items():
        module.register_parameter(name, nn.Parameter(torch.randn(shape, generator=generator)))
    return module


def gradients(module: nn.Module, generator: torch.Generator) -> None:
    for parameter in module.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_adamw_equals_its_formula(generator: torch.Generator) -> None:
    """Decoupled decay of matrices alone, averages without their bias, step by step."""
    module = network(generator)
    optimizer = build_optimizer(dict(module.named_parameters()), TrainSettings(**ADAMW), CPU)
    weights = {n: p.detach().clone().double() for n, p in module.named_parameters()}
    first = {n: torch.zeros_like(w) for n, w in weights.items()}
    second = {n: torch.zeros_like(w) for n, w in weights.items()}
    for step in range(1, 6):
        gradients(module, generator)
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None
            gradient = parameter.grad.double()
            decay = 0.5 if name in ("weight", "graphs") else 0.0
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            mean, square = first[name] / (1 - 0.9**step), second[name] / (1 - 0.999**step)
            weights[name] -= 0.01 * decay * weights[name] + 0.01 * mean / (square.sqrt() + 1e-8)
        optimizer.step()
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.detach().double(), weights[name], rtol=1e-5, atol=1e-6)


def test_rates_on_a_device_follow_the_factor_of_their_group(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, where rates are tensors; the parameters stay on the CPU."""
    module = network(generator)
    tensor = torch.tensor
    monkeypatch.setattr(torch, "tensor", lambda value, device: tensor(value))
    settings = TrainSettings(**ADAMW, init_from="run", taken_rate_factor=0.3)
    optimizer = build_optimizer(
        dict(module.named_parameters()), settings, torch.device("cuda"), taken=["weight"]
    )
    monkeypatch.undo()
    set_learning_rate(optimizer, 0.5)
    rates = {id(p): float(group["lr"]) for group in optimizer.param_groups for p in group["params"]}
    expected = {id(p): 0.15 if n == "weight" else 0.5 for n, p in module.named_parameters()}
    assert rates == pytest.approx(expected)


def test_adamw_equals_torch(generator: torch.Generator) -> None:
    module = network(generator)
    plain = copy.deepcopy(module)
    ours = build_optimizer(dict(module.named_parameters()), TrainSettings(**ADAMW), CPU)
    decayed, spared = [plain.weight, plain.graphs], [plain.bias, plain.scale]
    theirs = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.5}, {"params": spared, "weight_decay": 0.0}],
        lr=0.01,
        foreach=False,
        fused=False,
    )
    for seed in range(4):
        for each in (module, plain):
            gradients(each, torch.Generator().manual_seed(seed))
        ours.step()
        theirs.step()
    for left, right in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-6)


def test_every_parameter_is_in_one_group(generator: torch.Generator) -> None:
    module = network(generator)
    parameters = dict(module.named_parameters())
    with_decay, without = decay_groups(parameters, 0.3)
    assert with_decay == {"params": [module.weight, module.graphs], "weight_decay": 0.3}
    assert without == {"params": [module.bias, module.scale], "weight_decay": 0.0}
    assert len(decay_groups({"bias": parameters["bias"]}, 0.3)) == 1


def test_a_checkpoint_keeps_the_state_of_every_parameter(world: ModuleType, tmp_path: Path) -> None:
    training = world.training(tmp_path, epochs=1, **ADAMW)
    training.run()
    saved = load_checkpoint(tmp_path / "epoch_0001")
    names = {n for n, p in training.state.recognizer.named_parameters() if p.requires_grad}
    for prefix in ("exp_avg", "exp_avg_sq", "optimizer_step"):
        assert saved.tensors_under(prefix).keys() == names
    assert {float(step) for step in saved.tensors_under("optimizer_step").values()} == {2.0}
    assert not saved.tensors_under("momentum")


def test_the_state_comes_back(world: ModuleType, tmp_path: Path) -> None:
    training = world.training(tmp_path, epochs=1, **ADAMW)
    training.run()
    again = world.training(tmp_path, **ADAMW)
    again.state.load(load_checkpoint(tmp_path / "epoch_0001"))
    for left, right in zip(
        training.state.recognizer.parameters(), again.state.recognizer.parameters(), strict=True
    ):
        before, after = training.state.optimizer.state[left], again.state.optimizer.state[right]
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize(("wrote", "reads"), [("sgd", "adamw"), ("adamw", "sgd")])
def test_a_checkpoint_of_another_optimizer_is_refused(
    world: ModuleType, tmp_path: Path, wrote: str, reads: str
) -> None:
    def training(name: str) -> Any:
        return world.training(tmp_path, epochs=1, optimizer=OptimizerName(name))

    begun = training(wrote)
    begun.run()
    with pytest.raises(CheckpointError, match=f"optimizer {wrote}, not of {reads}"):
        training(reads).state.load(Checkpoint(1, begun.weights, {}))
