"""Optimizers, and their state by the names of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor, nn

from skeletonagent.core.errors import CheckpointError
from skeletonagent.training.settings import OptimizerName, TrainSettings

STATE_KEYS: Mapping[OptimizerName, Mapping[str, str]] = {
    OptimizerName.SGD: {"momentum": "momentum_buffer"},
    OptimizerName.ADAMW: {
        "exp_avg": "exp_avg",
        "exp_avg_sq": "exp_avg_sq",
        "optimizer_step": "step",
    },
}
"""Key of each tensor of a parameter's state in torch, by its prefix in a checkpoint."""

RATE_FACTOR = "rate_factor"
"""Key of a group of parameters for the factor of its learning rate."""


def build_optimizer(
    parameters: Mapping[str, nn.Parameter],
    settings: TrainSettings,
    device: torch.device,
    taken: Collection[str] = (),
) -> torch.optim.Optimizer:
    """Return the optimizer of some parameters.

    On a GPU the learning rate and all state lie there, so that replayed kernels read them anew and
    no step waits for the device.

    Args:
        parameters: Parameters by name.
        settings: Settings of the optimization.
        device: Device of the parameters.
        taken: Names of those with a learning rate of their own, ``taken_rate_factor`` times it.
    """
    on_gpu = device.type == "cuda"
    rate: float | Tensor = settings.learning_rate
    if on_gpu:
        rate = torch.tensor(settings.learning_rate, device=device)
    # A tensor is cloned, since groups of different factors cannot share it.
    groups = [
        {**group, RATE_FACTOR: factor, "lr": rate.clone() if isinstance(rate, Tensor) else rate}
        for factor, names in _rate_factors(parameters, settings.taken_rate_factor, taken).items()
        for group in _groups({name: parameters[name] for name in names}, settings)
    ]
    if settings.optimizer is OptimizerName.ADAMW:
        return torch.optim.AdamW(groups, lr=rate, fused=True, capturable=on_gpu)
    return torch.optim.SGD(
        groups,
        lr=rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=True,
        fused=on_gpu or None,
    )


def _rate_factors(
    parameters: Mapping[str, nn.Parameter], factor: float, taken: Collection[str]
) -> dict[float, list[str]]:
    """Return the names of the parameters by the factor of their learning rate."""
    names: dict[float, list[str]] = {}
    for name in parameters:
        names.setdefault(factor if name in taken else 1.0, []).append(name)
    return names


def _groups(
    parameters: Mapping[str, nn.Parameter], settings: TrainSettings
) -> list[dict[str, object]]:
    """Return the parameters by their weight decay."""
    if settings.optimizer is OptimizerName.ADAMW:
        return decay_groups(parameters, settings.weight_decay)
    return [{"params": list(parameters.values())}]


def decay_groups(
    parameters: Mapping[str, nn.Parameter], weight_decay: float
) -> list[dict[str, object]]:
    """Return the parameters with weight decay and those without: vectors and single numbers.

    The latter are the parameters of norms, biases and scales.
    """
    matrices = [p for p in parameters.values() if p.ndim > 1]
    vectors = [p for p in parameters.values() if p.ndim < 2]
    groups = ((matrices, weight_decay), (vectors, 0.0))
    return [{"params": group, "weight_decay": decay} for group, decay in groups if group]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Change the learning rate of all groups, in place where it lies on a device."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * group[RATE_FACTOR])
        else:
            group["lr"] = rate * group[RATE_FACTOR]


def optimizer_tensors(
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, nn.Parameter],
    name: OptimizerName,
) -> dict[str, Tensor]:
    """Return the state of all parameters by the dotted names of a checkpoint.

    Args:
        optimizer: Optimizer.
        parameters: Its parameters by name.
        name: Kind of the optimizer.
    """
    return {
        f"{prefix}.{parameter_name}": optimizer.state[parameter][key]
        for prefix, key in STATE_KEYS[name].items()
        for parameter_name, parameter in parameters.items()
        if optimizer.state.get(parameter, {}).get(key) is not None
    }


def load_optimizer(
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, nn.Parameter],
    name: OptimizerName,
    tensors_under: Callable[[str], Mapping[str, Tensor]],
) -> None:
    """Restore the state of all parameters.

    Args:
        optimizer: Optimizer.
        parameters: Its parameters by name.
        name: Kind of the optimizer.
        tensors_under: Function that returns a checkpoint's tensors below a prefix.

    Raises:
        CheckpointError: If the checkpoint is of another optimizer.
    """
    others = [other for other in STATE_KEYS if other is not name]
    for other in others:
        if any(tensors_under(prefix) for prefix in STATE_KEYS[other]):
            raise CheckpointError(
                f"the checkpoint is of the optimizer {other.value}, not of {name.value}; resume "
                f"with training.optimizer={other.value}"
            )
    for prefix, key in STATE_KEYS[name].items():
        for parameter_name, tensor in tensors_under(prefix).items():
            parameter = parameters[parameter_name]
            optimizer.state[parameter][key] = tensor.to(parameter.device)
