"""Plans of studies: the recipes that they compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from skeletonagent.text.encoder import TEXT_ENCODERS


@dataclass(frozen=True)
class StudyRow:
    """Recipe of a study, a row of its tables.

    Args:
        label: Name in the tables.
        assignments: Changes to the configuration that all rows share, as ``section.key=value``.
        against: Label of a row that it is compared with beside the baseline, such as a control.
    """

    label: str
    assignments: tuple[str, ...] = ()
    against: str = ""


@dataclass(frozen=True)
class StudyPlan:
    """Study of several recipes.

    Args:
        title: Subject of the study.
        rows: Recipes; the first is the baseline that the others are compared with.
        metrics: Names in ``METRICS`` of the metrics in its tables; all that were measured if none.
    """

    title: str
    rows: tuple[StudyRow, ...]
    metrics: tuple[str, ...] = ()


_ONCE = "training.guidance_period=0"  # guidance is made once, before the first epoch
_UNGUIDED = StudyRow("class loss only", ("agents.chat=none",))
_GUIDED = StudyRow("both losses, online")
_ANALYST = "agents.chat=analyst"
_BUNDLED = "agents.chat=bundled"
_NO_AGENTS = "agents.chat=none"
_ROTATION_ALONE = (
    "augment.yaw=0",
    "augment.mirror=0",
    "augment.person_swap=0",
    "augment.crop=1",
    "augment.axis_scale=0",
    "augment.jitter=0",
)
_STGCN = ("model.backbone=stgcn++", "model.width=32", "model.readout=mean")
_PAPER_BACKBONE = ("model.backbone=skeletonagent", "model.width=96", "model.readout=mean")
_GUIDANCE_METRICS = ("top1", "hardest_third", "ece", "nll", "time")

STUDY_PLANS: Mapping[str, StudyPlan] = {
    "components": StudyPlan(
        "Contribution of each component (paper table 4)",
        (
            _UNGUIDED,
            StudyRow("L_con, static", ("loss.beta=0", _ONCE)),
            StudyRow("L_align, static", ("loss.alpha=0", _ONCE)),
            StudyRow("both losses, static", (_ONCE,)),
            StudyRow("L_con, online", ("loss.beta=0",)),
            StudyRow("L_align, online", ("loss.alpha=0",)),
            _GUIDED,
        ),
    ),
    "sources": StudyPlan(
        "Source of the guidance (paper table 5, left and middle)",
        (
            StudyRow("none", ("agents.chat=none",)),
            StudyRow("analyst, static", ("agents.chat=analyst", _ONCE)),
            StudyRow("analyst", ("agents.chat=analyst",)),
        ),
    ),
    "text-encoders": StudyPlan(
        "Text encoder of the sentences (paper table 5, right)",
        (
            _UNGUIDED,
            *(StudyRow(name, (f"agents.text_encoder={name}",)) for name in TEXT_ENCODERS),
        ),
    ),
    "alpha-beta": StudyPlan(
        "Weights of the losses: alpha alone, then beta with the paper's alpha (paper figure 4)",
        (
            _UNGUIDED,
            *(
                StudyRow(f"alpha {alpha:g}", (f"loss.alpha={alpha}", "loss.beta=0"))
                for alpha in (0.1, 0.2, 0.3, 0.5, 1.0)
            ),
            *(
                StudyRow(f"alpha 0.2, beta {beta:g}", ("loss.alpha=0.2", f"loss.beta={beta}"))
                for beta in (0.1, 0.3, 0.5, 0.7, 1.0)
            ),
        ),
    ),
    "difficulty": StudyPlan(
        "Classes that are hard, medium and easy for the baseline (paper table 6)",
        (_UNGUIDED, _GUIDED),
    ),
    "guidance": StudyPlan(
        "Effect of guidance, and its cost in time",
        (
            _UNGUIDED,
            StudyRow("L_align, static text", (_ANALYST, "loss.alpha=0", _ONCE)),
            StudyRow("L_con, online", (_ANALYST, "loss.beta=0")),
            StudyRow("L_align, online", (_ANALYST, "loss.alpha=0")),
            StudyRow("both losses, static", (_ANALYST, _ONCE), against="both losses, shuffled"),
            StudyRow("both losses, online", (_ANALYST,), against="both losses, static"),
            StudyRow("both losses, shuffled", (_ANALYST, _ONCE, "agents.control=shuffled")),
            StudyRow("both losses, bundled answers", (_BUNDLED, "agents.verify=off")),
            StudyRow(
                "both losses, bundled, filtered",
                (_BUNDLED, "agents.verify=filter"),
                against="both losses, bundled answers",
            ),
        ),
        metrics=_GUIDANCE_METRICS,
    ),
    "compact": StudyPlan(
        "The compact recipe, and each of its parts taken away",
        (
            StudyRow("compact recipe", (_NO_AGENTS,)),
            StudyRow("as the camera sees it", (_NO_AGENTS, "data.orientation=camera")),
            StudyRow("mean over joints", (_NO_AGENTS, "model.readout=mean")),
            StudyRow("rotation alone", (_NO_AGENTS, *_ROTATION_ALONE)),
            StudyRow("positions alone", (_NO_AGENTS, "model.inputs=[position]")),
            StudyRow("last weights", (_NO_AGENTS, "training.ema_decay=0")),
            StudyRow("network alone", (_NO_AGENTS, "kernel_ridge.weight=0")),
            StudyRow("guided by the analyst", (_ANALYST,)),
        ),
        metrics=("top1", "nll", "time"),
    ),
    "readouts": StudyPlan(
        "Readouts of graph convolutions, with the compact recipe's data and training",
        (
            StudyRow("ST-GCN++, mean", (_NO_AGENTS, *_STGCN)),
            StudyRow("ST-GCN++, joints", (_NO_AGENTS, *_STGCN, "model.readout=joints")),
            StudyRow(
                "SkeletonAgent, mean", (_NO_AGENTS, *_PAPER_BACKBONE), against="ST-GCN++, mean"
            ),
            StudyRow(
                "SkeletonAgent, joints",
                (_NO_AGENTS, *_PAPER_BACKBONE, "model.readout=joints"),
                against="SkeletonAgent, mean",
            ),
        ),
        metrics=("top1", "nll", "time"),
    ),
}
"""Plans by name. The command line can add rows, such as other sources of guidance.

Table 4 names two stages of the Questioner: static is the first alone, online both. Figure 4 states
its values in the picture only, so those here are ours, around the paper's choice.
"""
