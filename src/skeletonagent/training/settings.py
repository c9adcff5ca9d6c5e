"""Settings of training: optimization, loss, distributed runs and precision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval


class OptimizerName(StrEnum):
    """Rule by which a step changes the weights.

    ``sgd``: gradient descent with Nesterov momentum. ``adamw``: Adam with decoupled weight decay,
    which norms, biases and scales are spared (Loshchilov and Hutter, arXiv:1711.05101).
    """

    SGD = "sgd"
    ADAMW = "adamw"


class Freeze(StrEnum):
    """Part of a recognizer that stays as it was taken from another one.

    ``none``: all of it is trained. ``norms``: norms keep the running statistics that were taken,
    in place of those of few clips; all weights are trained. ``backbone``: what was taken in whole
    of backbone and readout stays, with the statistics of its norms; the heads are trained.
    """

    NONE = "none"
    NORMS = "norms"
    BACKBONE = "backbone"


class StepKernels(StrEnum):
    """Kernels that compute the blocks of a training step.

    ``torch``: those of PyTorch. ``triton``: fused ones of this package, which read and write fewer
    maps; they need Triton, a GPU, and the backbone ``skeletonagent`` or ``dg-stgcn``.
    """

    TORCH = "torch"
    TRITON = "triton"


@dataclass(frozen=True)
class TrainSettings:
    """Settings of the optimization.

    Args:
        epochs: Number of passes over the training samples, where ``steps`` is not set; with
            ``--set``, it takes the place of ``steps``.
        steps: Number of steps of the whole training, which then decides over the number of epochs:
            these have at least seven steps, several passes over few samples, but for the last.
        batch_size: Number of clips in a step, of all ranks together.
        learning_rate: Highest learning rate, annealed to zero along a cosine, step by step.
        optimizer: Rule by which a step changes the weights: ``sgd`` or ``adamw``.
        momentum: Nesterov momentum of ``sgd``.
        weight_decay: Weight decay: with ``sgd`` L2 of all parameters, with ``adamw`` decoupled, and
            not of parameters that are vectors or single numbers: norms, biases and scales.
        warmup_epochs: Number of epochs over which the learning rate rises from zero.
        warmup_share: Share of all steps over which the learning rate rises from zero, in addition
            to ``warmup_epochs``.
        ema_decay: Decay of the exponential moving average (EMA) of the weights, which is what is
            evaluated; less in a short training, see ``ema_reach``. 0 evaluates the weights
            themselves.
        ema_reach: Longest reach of the EMA, as a share of all steps: its decay is at most
            1 - 1 / (ema_reach x steps). A longer one would hold weights of a short training's
            beginning, which recognise nothing.
        guidance_period: Number of epochs between two rounds of the agents; 0 asks them once,
            before the first epoch.
        validation_share: Share of the training samples that is kept for validation.
        validation_until: Share of the training after which the validation samples are trained on
            as well.
        patience: Number of epochs without a better validation accuracy, or the same with a lower
            loss, after which training ends; kept are the weights of the best epoch. 0 never ends
            early. It needs a validation set that is held out to the end.
        compile: Whether torch.compile fuses the step's operations; the first steps then take long.
        cuda_graphs: Whether a step's kernels are recorded and replayed, on a single GPU.
        kernels: Kernels that compute a step's blocks: ``torch``, or on a single GPU ``triton``.
        feature_snapshots: Number of snapshots of the features that are kept for a report.
        init_from: Run, or folder of one checkpoint, whose weights the recognizer begins with, as
            far as they fit: joints and classes by name. Fresh weights if not set.
        freeze: Part of the recognizer that stays as it was taken: ``none``, ``norms`` or
            ``backbone``.
        taken_rate_factor: Factor of the learning rate of weights that were taken in whole.
    """

    epochs: Annotated[int, Ge(1)] = 150
    steps: Annotated[int, Ge(1)] | None = None
    batch_size: Annotated[int, Ge(2)] = 64
    learning_rate: Annotated[float, Gt(0)] = 0.1
    optimizer: OptimizerName = OptimizerName.SGD
    momentum: Annotated[float, Interval(gt=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Ge(0)] = 5e-4
    warmup_epochs: Annotated[float, Ge(0)] = 0.0
    warmup_share: Annotated[float, Interval(ge=0, le=1)] = 0.0
    ema_decay: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    ema_reach: Annotated[float, Gt(0)] = 0.1
    guidance_period: Annotated[int, Ge(0)] = 5
    validation_share: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    validation_until: Annotated[float, Interval(gt=0, le=1)] = 1.0
    patience: Annotated[int, Ge(0)] = 0
    compile: bool = False
    cuda_graphs: bool = False
    kernels: StepKernels = StepKernels.TORCH
    feature_snapshots: Annotated[int, Ge(0)] = 0
    init_from: str | None = None
    freeze: Freeze = Freeze.NONE
    taken_rate_factor: Annotated[float, Gt(0)] = 1.0

    def __post_init__(self) -> None:
        """Check that early stopping has something to measure, and that weights are taken.

        Raises:
            ValueError: If it has not, or none are and some are to be treated differently, or norms
                are frozen that kernels would measure anew.
        """
        if self.kernels is StepKernels.TRITON and self.freeze is not Freeze.NONE:
            raise ValueError(
                "kernels triton take the norms' statistics of each batch, and freeze "
                f"{self.freeze} keeps them; set kernels=torch, or freeze=none"
            )
        if self.init_from is None and (
            self.freeze is not Freeze.NONE or self.taken_rate_factor != 1
        ):
            raise ValueError(
                "freeze and taken_rate_factor are about weights taken from a run; name it with "
                "init_from (--from), or leave them out"
            )
        if self.patience and self.validation_until < 1:
            raise ValueError(
                f"patience {self.patience} needs a validation set that is held out to the end; set "
                "validation_until=1, or patience=0"
            )


class AlignTargets(StrEnum):
    """Target distributions of the alignment, over the pairs of a clip and a sentence.

    ``shared``: pairs of the same class share probability one. ``softmax``: the softmax of ten
    times the same-class mask, as in the released code (spec 2.3), which leaves the others a little.
    """

    SHARED = "shared"
    SOFTMAX = "softmax"


class LogitScale(StrEnum):
    """Factor of the alignment's cosines.

    ``fixed``: one over the temperature (the paper). ``learned``: a trained parameter, as in the
    released code (spec 2.3).
    """

    FIXED = "fixed"
    LEARNED = "learned"


class ClassWeighting(StrEnum):
    """Weights of the classes in the class loss.

    ``none``: every clip counts alike. ``balanced``: a clip counts in inverse proportion to the
    number of training clips of its class, one on average, so that all classes count alike.
    """

    NONE = "none"
    BALANCED = "balanced"


@dataclass(frozen=True)
class LossSettings:
    """Settings of the loss, see :class:`~skeletonagent.training.losses.SkeletonAgentLoss`.

    Args:
        alpha: Weight of the joint constraint.
        beta: Weight of the alignment with the sentences.
        temperature: Temperature tau of the alignment, if its logit scale is fixed.
        label_smoothing: Share of the class target spread over all classes.
        align_targets: Target distributions of the alignment.
        logit_scale: Factor of the alignment's cosines.
        mixup: Weight of the class loss of a mixed copy of the batch; 0 mixes nothing.
        class_weights: Weights of the classes in class loss and joint constraint: ``none`` or
            ``balanced``. Alignment and mixed copies are not weighted.
    """

    alpha: Annotated[float, Ge(0)] = 0.2
    beta: Annotated[float, Ge(0)] = 0.5
    temperature: Annotated[float, Gt(0)] = 0.1
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    align_targets: AlignTargets = AlignTargets.SHARED
    logit_scale: LogitScale = LogitScale.FIXED
    mixup: Annotated[float, Ge(0)] = 0.0
    class_weights: ClassWeighting = ClassWeighting.NONE


class BatchNormRule(StrEnum):
    """Statistics that normalise a batch which several ranks share.

    ``synchronised``: those of the whole batch. ``first``: each rank those of its own part; the
    first rank's running statistics are kept for evaluation.
    """

    SYNCHRONISED = "synchronised"
    FIRST = "first"


@dataclass(frozen=True)
class DistributedSettings:
    """Settings of a run of several ranks, which torchrun or SLURM starts.

    Args:
        batch_norm: Statistics that normalise a batch.
        timeout: Seconds a rank waits for another before the run ends; more than the agents may
            take for a round, if it is waited for.
    """

    batch_norm: BatchNormRule = BatchNormRule.SYNCHRONISED
    timeout: Annotated[float, Gt(0)] = 1800.0


Precision = Literal["32", "bf16"]
"""Single precision throughout, or bfloat16 where autocast considers it safe."""
