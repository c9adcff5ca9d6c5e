"""Commands made small: what a document shows, with the settings of a training of moments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from skeletonagent.experiments.benchmark_presets import BENCHMARK_PRESETS
from skeletonagent.experiments.plans import STUDY_PLANS

_SETTINGS = (
    "clips.frames=8", "clips.test_clips=1", "model.backbone=stgcn++", "model.width=8",
    "training.epochs=1", "training.batch_size=8", "training.warmup_epochs=0", "device=cpu",
    "agents.fallback=[]",
)  # fmt: skip
_FEWER_STREAMS = "joint,bone,joint_motion"
_STEPS = re.compile(r"^training\.steps=\d+$")
_OFFLINE = re.compile(r"^(?:analyst|bundled|none|recorded:.*)$")


def small(words: Sequence[str]) -> list[str]:
    """Return a command that does the same with less.

    Trainings have one epoch of few frames and little width, two steps where they have a number of
    them, or a second where they have a time, and not all six streams. Where a language model would
    be asked, the analyst answers, or of a benchmark nobody; devices that may not be there are left
    out.
    """
    make = _SMALLER.get(words[0]) or _SMALLER.get(" ".join(words[:2]))
    if make is None:
        return list(words)
    return [_STEPS.sub("training.steps=2", word) for word in make(list(words))]


def _train(words: list[str]) -> list[str]:
    given, words = _without(words, "--devices", "--chat")
    words = [_FEWER_STREAMS if word == "all" and before == "--stream" else word
             for before, word in pairwise(["", *words])]  # fmt: skip
    words = [
        "agents.chat=analyst" if _asks_a_model(word) else word
        for word in _fewer(_fewer(words, "--seeds", "2"), "--time", "1s")
    ]
    if _OFFLINE.match(given.get("--chat", "")):
        words += ["--chat", given["--chat"]]
    elif not any(word.startswith("agents.chat=") for word in words):
        # Of the benchmarks' up to 400 classes nobody is asked; the small sets have four.
        words += ["--chat", "none" if BENCHMARK_PRESETS.keys() & set(words) else "analyst"]
    return [*words, *_sets(*_settings_of(words), "agents.text_encoder=wordllama")]


def _pretrain(words: list[str]) -> list[str]:
    settings = ("clips.frames=8", "model.readout_width=4", "training.steps=2", "device=cpu")
    return [*_fewer(words, "--generated", "2"), *_sets(*settings)]


def _ablate(words: list[str]) -> list[str]:
    _, words = _without(words, "--devices", "--seeds")
    words = ["agents.chat=analyst" if _asks_a_model(word) else word for word in words]
    plan = STUDY_PLANS[words[1]]
    offline = next(
        (row for row in plan.rows[1:] if "agents.text_encoder=wordllama" in row.assignments),
        plan.rows[1],
    )
    only = [] if "--only" in words else ["--only", offline.label]
    others = ["agents.chat=analyst"] if plan.rows[0].label != "none" else []
    settings = (*_SETTINGS, *others, "agents.text_encoder=wordllama")
    return [*words, *only, "--seeds", "1", *_sets(*settings)]


def _curve(words: list[str]) -> list[str]:
    _, words = _without(words, "--devices", "--clips", "--draws")
    fewer = ["--clips", "1,all", "--draws", "1", "--no-baseline", "--devices", "cpu"]
    return [*words, *fewer, *_sets(*_settings_of(words), "agents.chat=none")]


def _settings_of(words: Sequence[str]) -> tuple[str, ...]:
    """Return the settings of a small training; one that begins with a base has its recognizer."""
    from_base = any(
        before == "--from" and word in ("runs/base", "runs/exported")
        for before, word in pairwise(words)
    )
    return ("training.steps=2", "device=cpu") if from_base else _SETTINGS


def _demo(words: list[str]) -> list[str]:
    return [*words, "--epochs", "1", "--seeds", "1"]


def _report(words: list[str]) -> list[str]:
    return [*_without(words, "--clips")[1], "--clips", "2"]


def _convert(words: list[str]) -> list[str]:
    return [*words, "--overwrite", "--processes", "1"]


def _estimate(words: list[str]) -> list[str]:
    return [*words, *_sets("training.epochs=11")]


_SMALLER: dict[str, Callable[[list[str]], list[str]]] = {
    "train": _train,
    "pretrain": _pretrain,
    "ablate": _ablate,
    "curve": _curve,
    "demo": _demo,
    "report": _report,
    "data convert": _convert,
    "dialogues estimate": _estimate,
}


def _asks_a_model(word: str) -> bool:
    name, _, value = word.partition("=")
    return name == "agents.chat" and not _OFFLINE.match(value)


def _fewer(words: list[str], option: str, value: str) -> list[str]:
    given, rest = _without(words, option)
    return [*rest, option, value] if option in given else rest


def _without(words: list[str], *options: str) -> tuple[dict[str, str], list[str]]:
    """Return the values of options, and the words without them."""
    given, rest, left = {}, [], iter(words)
    for word in left:
        if word in options:
            given[word] = next(left)
        else:
            rest.append(word)
    return given, rest


def _sets(*assignments: str) -> list[str]:
    return [part for text in assignments for part in ("--set", text)]
