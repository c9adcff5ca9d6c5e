"""The studies as plans: which recipes are compared, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from skeletonagent.text.encoder import TEXT_ENCODERS


@dataclass(frozen=True)
class Row:
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
class Plan:
    """A study: recipes to compare.

    Args:
        title: What is studied.
        rows: The recipes; the first is the baseline the others are compared with.
        metrics: What its tables show, by names in ``METRICS``; all that was measured if none.
    """

    title: str
    rows: tuple[Row, ...]
    metrics: tuple[str, ...] = ()


_ONCE = "training.period=0"  # the agents are asked before the first epoch alone
_UNGUIDED = Row("class loss only", ("agents.chat=none",))
_GUIDED = Row("both losses, online")
_ANALYST = "agents.chat=analyst"
_BUNDLED = "agents.chat=bundled"
_STATIC = (_ANALYST, _ONCE)
_FADING = "objective.schedule=fading"
_CENTRED = "objective.centred=true"
_GUIDANCE_METRICS = ("top1", "hardest_third", "ece", "nll", "time")

PLANS: Mapping[str, Plan] = {
    "components": Plan(
        "Contribution of each component (paper table 4)",
        (
            _UNGUIDED,
            Row("L_con, static", ("objective.beta=0", _ONCE)),
            Row("L_align, static", ("objective.alpha=0", _ONCE)),
            Row("both losses, static", (_ONCE,)),
            Row("L_con, online", ("objective.beta=0",)),
            Row("L_align, online", ("objective.alpha=0",)),
            _GUIDED,
        ),
    ),
    "sources": Plan(
        "Who gives the guidance (paper table 5, left and middle)",
        (
            Row("none", ("agents.chat=none",)),
            Row("analyst, static", ("agents.chat=analyst", _ONCE)),
            Row("analyst", ("agents.chat=analyst",)),
        ),
    ),
    "text-encoders": Plan(
        "Who turns sentences into vectors (paper table 5, right)",
        (
            _UNGUIDED,
            *(Row(name, (f"agents.text_encoder={name}",)) for name in TEXT_ENCODERS),
        ),
    ),
    "alpha-beta": Plan(
        "Weights of the losses: alpha alone, then beta with the paper's alpha (paper figure 4)",
        (
            _UNGUIDED,
            *(
                Row(f"alpha {alpha:g}", (f"objective.alpha={alpha}", "objective.beta=0"))
                for alpha in (0.1, 0.2, 0.3, 0.5, 1.0)
            ),
            *(
                Row(f"alpha 0.2, beta {beta:g}", ("objective.alpha=0.2", f"objective.beta={beta}"))
                for beta in (0.1, 0.3, 0.5, 0.7, 1.0)
            ),
        ),
    ),
    "difficulty": Plan(
        "Classes that are hard, medium and easy for the baseline (paper table 6)",
        (_UNGUIDED, _GUIDED),
    ),
    "guidance": Plan(
        "Does guidance help, and at what price",
        (
            _UNGUIDED,
            Row("L_align, static text", (_ANALYST, "objective.alpha=0", _ONCE)),
            Row("L_con, online", (_ANALYST, "objective.beta=0")),
            Row("L_align, online", (_ANALYST, "objective.alpha=0")),
            Row("both losses, static", (_ANALYST, _ONCE), against="both losses, swapped"),
            Row("both losses, online", (_ANALYST,), against="both losses, static"),
            Row("both losses, swapped", (_ANALYST, _ONCE, "objective.swapped=true")),
            Row("both losses, bundled answers", (_BUNDLED, "agents.verify=off")),
            Row(
                "both losses, bundled, filtered",
                (_BUNDLED, "agents.verify=filter"),
                against="both losses, bundled answers",
            ),
        ),
        metrics=_GUIDANCE_METRICS,
    ),
    "ideas": Plan(
        "Other ways with the guidance, to be compared on a part held out (--validate)",
        (
            _UNGUIDED,
            Row("both losses, static", _STATIC),
            Row("static, fading", (*_STATIC, _FADING)),
            Row("static, bundled", (_BUNDLED, _ONCE)),
            Row("static, bundled, fading", (_BUNDLED, _ONCE, _FADING)),
            Row("static, centred", (*_STATIC, _CENTRED)),
            Row("static, centred, mild", (*_STATIC, _CENTRED, "objective.temperature=0.3")),
            Row("static, heavier", (*_STATIC, "objective.alpha=0.5", "objective.beta=1")),
            Row("static, rare joints", (*_STATIC, "objective.joints=rare")),
            Row("static, mean of joints", (*_STATIC, "objective.joints=mean")),
            Row("online", (_ANALYST,)),
            Row("online, rivals alone in L_con", (_ANALYST, "objective.contrast=rivals")),
            Row("online, rivals heavier in L_align", (_ANALYST, "objective.rival_weight=4")),
        ),
        metrics=_GUIDANCE_METRICS,
    ),
}
"""The studies by name. More rows, such as other sources, come from the command line.

Table 4 names two stages of the Questioner: static is the first alone, online both. The values of
figure 4 are in its picture only, so those here are ours, around the paper's choice.
"""
