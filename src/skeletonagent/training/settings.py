"""TODO."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval

from skeletonagent.training.emphasis import Contrast, JointWeights, Schedule


@dataclass(frozen=True)
class TrainSettings:
    """How long and how fast to learn.

    Args:
        epochs: Passes over the training part.
        batch_size: Clips in a step.
        learning_rate: Highest learning rate, annealed to zero along a cosine, step by step.
        momentum: Nesterov momentum.
        weight_decay: Of all parameters.
        warmup_epochs: Epochs over which the learning rate rises from zero.
        ema_decay: Share of the running average of the weights that is kept each step, less where
            it would reach back over more than a tenth of the steps; the average is what is
            evaluated. 0 evaluates the weights as they are.
        guidance_period: Epochs between two rounds of the agents; 0 asks them once, before the first epoch.
        validation_share: Share of the training part that is kept for validation.
        validation_until: Share of the epochs after which it is learned from as well.
        compile: Whether torch.compile fuses the step's operations; the first steps then take long.
        cuda_graphs: Whether a step's kernels are recorded and replayed, on a single GPU.
        feature_snapshots: How many times what was learned is kept for a report, over the training.
    """

    epochs: Annotated[int, Ge(1)] = 150
    batch_size: Annotated[int, Ge(2)] = 64
    learning_rate: Annotated[float, Gt(0)] = 0.1
    momentum: Annotated[float, Interval(gt=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Ge(0)] = 5e-4
    warmup_epochs: Annotated[float, Ge(0)] = 0.0
    ema_decay: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    guidance_period: Annotated[int, Ge(0)] = 5
    validation_share: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    validation_until: Annotated[float, Interval(gt=0, le=1)] = 1.0
    compile: bool = False
    cuda_graphs: bool = False
    feature_snapshots: Annotated[int, Ge(0)] = 0


class AlignTargets(StrEnum):
    """What the alignment aims at, for the pairs of a clip and a sentence.

    ``shared``: pairs of the same class share probability one. ``softmax``: the softmax of ten
    times their mask, as in the released code (spec 2.3), which leaves the others a little.
    """

    SHARED = "shared"
    SOFTMAX = "softmax"


class LogitScale(StrEnum):
    """By what the cosines of the alignment are multiplied.

    ``fixed``: one over the temperature (the paper). ``learned``: a factor that is learned like a
    weight, as in the released code (spec 2.3).
    """

    FIXED = "fixed"
    LEARNED = "learned"


@dataclass(frozen=True)
class LossSettings:
    """Weights of the losses.

    Args:
        alpha: Weight of the joint constraint.
        beta: Weight of the alignment with the sentences.
        temperature: tau of the alignment, if its scale is fixed.
        label_smoothing: Share of the class target spread over all classes.
        align_targets: What the alignment aims at.
        logit_scale: By what its cosines are multiplied.
        mixup: Weight of the class loss of a mixed copy of the batch, which is learned from beside
            it; 0 mixes nothing.
        schedule: How alpha and beta go over the training.
        centred: Whether what all sentences have in common is taken out of their embeddings, so
            that their cosines tell what they differ in.
        rival_weight: How many times a sentence counts among the others, in the alignment, if its
            class is one that the clip's class is confused with.
        contrast: Which classes compete in the joint constraint.
        joints: How much each salient joint counts in it.
        shuffle_guidance: Whether each class is given the joints and the sentence of another one, the same
            all the time: a control, of whether it matters what is said.
    """

    alpha: Annotated[float, Ge(0)] = 0.2
    beta: Annotated[float, Ge(0)] = 0.5
    temperature: Annotated[float, Gt(0)] = 0.1
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    align_targets: AlignTargets = AlignTargets.SHARED
    logit_scale: LogitScale = LogitScale.FIXED
    mixup: Annotated[float, Ge(0)] = 0.0
    schedule: Schedule = Schedule.CONSTANT
    centred: bool = False
    rival_weight: Annotated[float, Gt(0)] = 1.0
    contrast: Contrast = Contrast.ALL
    joints: JointWeights = JointWeights.EQUAL
    shuffle_guidance: bool = False


class BatchNormRule(StrEnum):
    """Whose statistics normalise a batch that several processes share.

    ``synchronised``: those of the whole batch. ``first``: each process its own share's; what is
    kept for evaluation is the first process's.
    """

    SYNCHRONISED = "synchronised"
    FIRST = "first"


@dataclass(frozen=True)
class DistributedSettings:
    """How several processes train one recognizer; torchrun or SLURM starts them.

    Args:
        batch_norm: Whose statistics normalise a batch.
        timeout: Seconds one process waits for another before the run ends; more than the agents
            may take for a round, if it is waited for.
    """

    batch_norm: BatchNormRule = BatchNormRule.SYNCHRONISED
    timeout: Annotated[float, Gt(0)] = 1800.0


Precision = Literal["32", "bf16"]
"""Single precision throughout, or bfloat16 where that is safe."""
