"""The studies as plans: which recipes are compared, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from skeletonagent.text.encoder import TEXT_ENCODERS


@dataclass(frozen=True)
class StudyRow:
    """One recipe of a study.

    Args:
        label: Its name in the tables.
        assignments: What it changes in the configuration all rows share.
        against: Label of a row that it is compared with beside the baseline, such as a control.
    """

    label: str
    assignments: tuple[str, ...] = ()
    against: str = ""


@dataclass(frozen=True)
class StudyPlan:
    """A study: recipes to compare.

    Args:
        title: What is studied.
        rows: The recipes; the first is the baseline the others are compared with.
        metrics: What its tables show, by names in ``METRICS``; all that was measured if none.
    """

    title: str
    rows: tuple[StudyRow, ...]
    metrics: tuple[str, ...] = ()


_ONCE = "training.guidance_period=0"  # the agents are asked before the first epoch alone
_UNGUIDED = StudyRow("class loss only", ("agents.chat=none",))
_GUIDED = StudyRow("both losses, online")
_ANALYST = "agents.chat=analyst"
_BUNDLED = "agents.chat=bundled"
_STATIC = (_ANALYST, _ONCE)
_FADING = "loss.schedule=fading"
_CENTRED = "loss.centred=true"
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
        "Who gives the guidance (paper table 5, left and middle)",
        (
            StudyRow("none", ("agents.chat=none",)),
            StudyRow("analyst, static", ("agents.chat=analyst", _ONCE)),
            StudyRow("analyst", ("agents.chat=analyst",)),
        ),
    ),
    "text-encoders": StudyPlan(
        "Who turns sentences into vectors (paper table 5, right)",
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
        "Does guidance help, and at what price",
        (
            _UNGUIDED,
            StudyRow("L_align, static text", (_ANALYST, "loss.alpha=0", _ONCE)),
            StudyRow("L_con, online", (_ANALYST, "loss.beta=0")),
            StudyRow("L_align, online", (_ANALYST, "loss.alpha=0")),
            StudyRow("both losses, static", (_ANALYST, _ONCE), against="both losses, swapped"),
            StudyRow("both losses, online", (_ANALYST,), against="both losses, static"),
            StudyRow("both losses, swapped", (_ANALYST, _ONCE, "loss.shuffle_guidance=true")),
            StudyRow("both losses, bundled answers", (_BUNDLED, "agents.verify=off")),
            StudyRow(
                "both losses, bundled, filtered",
                (_BUNDLED, "agents.verify=filter"),
                against="both losses, bundled answers",
            ),
        ),
        metrics=_GUIDANCE_METRICS,
    ),
    "ideas": StudyPlan(
        "Other ways with the guidance, to be compared on a part held out (--validate)",
        (
            _UNGUIDED,
            StudyRow("both losses, static", _STATIC),
            StudyRow("static, fading", (*_STATIC, _FADING)),
            StudyRow("static, bundled", (_BUNDLED, _ONCE)),
            StudyRow("static, bundled, fading", (_BUNDLED, _ONCE, _FADING)),
            StudyRow("static, centred", (*_STATIC, _CENTRED)),
            StudyRow("static, centred, mild", (*_STATIC, _CENTRED, "loss.temperature=0.3")),
            StudyRow("static, heavier", (*_STATIC, "loss.alpha=0.5", "loss.beta=1")),
            StudyRow("static, rare joints", (*_STATIC, "loss.joints=rare")),
            StudyRow("static, mean of joints", (*_STATIC, "loss.joints=mean")),
            StudyRow("online", (_ANALYST,)),
            StudyRow("online, rivals alone in L_con", (_ANALYST, "loss.contrast=rivals")),
            StudyRow("online, rivals heavier in L_align", (_ANALYST, "loss.rival_weight=4")),
        ),
        metrics=_GUIDANCE_METRICS,
    ),
}
"""The studies by name. More rows, such as other sources, come from the command line.

Table 4 names two stages of the Questioner: static is the first alone, online both. The values of
figure 4 are in its picture only, so those here are ours, around the paper's choice.
"""
