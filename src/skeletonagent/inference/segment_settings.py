"""Settings of segmentation, with defaults that follow from the clips of the training."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.experiments.training_clips import TrainingClips
from skeletonagent.inference.labelling import LabelRules
from skeletonagent.inference.movement import MovementMeter
from skeletonagent.inference.spans import SpanRules
from skeletonagent.inference.track import WindowRules

ASSUMED_FPS = 30.0
"""Frames a second of a recording that does not say it."""

MOVEMENT_SPEED = 0.4
"""Slowest movement that is no pause, in body sizes a second; a body size is the root mean square
distance of the joints from their mean, 0.4 m of a standing adult."""

PAUSE_SECONDS = 0.4
"""Shortest pause between two movements, in seconds."""

SHORTEST_SECONDS = 0.25
"""Shortest movement that may be an action, in seconds."""

PAD_SECONDS = 0.15
"""Time after a movement that belongs to it, in seconds: actions end in stillness."""

JOIN_SECONDS = 0.35
"""Longest time between two segments of one class that are one, in seconds."""

LONGEST_FACTOR = 1.25
"""Longest movement between two pauses that is taken for one action, as a multiple of the number of
frames that 5 % of the training clips exceed."""

KEPT_SHARE = 0.95
"""Share of the rightly recognized held-out clips whose probability reaches the threshold."""

HIGHEST_THRESHOLD = 0.9
"""Largest threshold that follows from held-out clips: where all of these are recognized beyond
doubt, another recording of the same actions would hardly reach what they reach."""

DEFAULT_THRESHOLD = 0.5
"""Threshold of a run without held-out predictions."""

REST_NAMES = frozenset(
    {
        "rest", "resting", "idle", "background", "none", "nothing", "null", "no action",
        "no activity", "other", "pause", "stand still", "standing still", "neutral", "null class",
    }
)  # fmt: skip
"""Class names that mean that nothing is done."""


@dataclass(frozen=True)
class SegmentSettings:
    """Settings by which one recording is cut into segments, all in frames of this recording.

    Args:
        window: Frames of a window.
        stride: Frames from the start of one window to that of the next.
        threshold: Smallest probability of a label.
        longest: Longest movement between two pauses that is taken for one action.
        shortest: Fewest frames of a segment within a longer movement.
        rest: Name of the class of which nothing is reported; None if there is none.
        uses_stillness: Whether pauses are found by stillness.
        fps: Frames a second.
        class_names: Names of the classes.
        pairs: Classes that two persons show together.
        threshold_from: Where the threshold comes from, in words.
    """

    window: int
    stride: int
    threshold: float
    longest: int
    shortest: int
    rest: str | None
    uses_stillness: bool
    fps: float
    class_names: tuple[str, ...]
    pairs: Bool[np.ndarray, " y"]
    threshold_from: str

    @property
    def singles(self) -> Bool[np.ndarray, " y"]:
        """Classes that one person can show by itself."""
        return ~self.pairs

    def window_rules(self, preview: bool) -> WindowRules:
        """Return the lengths of clips."""
        return WindowRules(self.window, self.stride, self.longest, preview)

    @cached_property
    def span_rules(self) -> SpanRules:
        """What counts as movement."""
        return SpanRules(
            speed=MOVEMENT_SPEED if self.uses_stillness else None,
            pause=max(1, round(PAUSE_SECONDS * self.fps)),
            shortest=max(1, round(SHORTEST_SECONDS * self.fps)),
            pad=round(PAD_SECONDS * self.fps) if self.uses_stillness else 0,
            lead=MovementMeter(self.fps).block if self.uses_stillness else 0,
        )

    @property
    def join(self) -> int:
        """Largest number of frames between two segments of one class that are one."""
        return round(JOIN_SECONDS * self.fps)

    def label_rules(self, of_pairs: bool) -> LabelRules:
        """Return how probabilities become labels of one person, or of two together."""
        rest = None if self.rest is None else self.class_names.index(self.rest)
        allowed = self.pairs if of_pairs else self.singles
        if rest is not None:
            allowed = allowed.copy()
            allowed[rest] = True
        return LabelRules(allowed, self.threshold, rest, self.window, self.stride, self.shortest)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return {
            "window": self.window,
            "stride": self.stride,
            "threshold": round(self.threshold, 6),
            "threshold_from": self.threshold_from,
            "longest": self.longest,
            "rest": self.rest or ("stillness" if self.uses_stillness else "none"),
        }


@dataclass(frozen=True)
class SegmentOptions:
    """What a caller may ask for; None takes what follows from the run.

    Args:
        window: Frames of a window.
        stride: Frames from the start of one window to that of the next.
        threshold: Smallest probability of a label, from 0 to 1.
        rest: ``auto``, ``stillness``, ``none``, or the name of a class.
    """

    window: int | None = None
    stride: int | None = None
    threshold: float | None = None
    rest: str = "auto"

    def __post_init__(self) -> None:
        """Refuse values that cannot be used.

        Raises:
            ConfigError: If one of them is out of its range.
        """
        for name in ("window", "stride"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; wanted is a number of frames from 1 on")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ConfigError(f"threshold is {self.threshold}; wanted is a probability, 0 to 1")


def resolve_settings(
    options: SegmentOptions,
    *,
    class_names: Sequence[str],
    training_clips: TrainingClips | None,
    clip_frames: int,
    fps: float | None,
    held_out: ClassProbabilities | None,
) -> SegmentSettings:
    """Return the settings of a recording; what had to be assumed is said in a warning.

    Args:
        options: What the caller asked for.
        class_names: Names of the classes.
        training_clips: Lengths of the training clips, if the run keeps them.
        clip_frames: Frames of a clip as the recognizer takes it.
        fps: Frames a second of the recording, if known.
        held_out: Class probabilities of labelled clips that were not trained on, if there are any.

    Raises:
        ConfigError: If the rest class is no class of the recognizer.
    """
    if training_clips is None:
        training_clips = TrainingClips(clip_frames, 2 * clip_frames, 3 * clip_frames, ())
        if options.window is None:
            warnings.warn(
                "the run does not say how long its training clips were; windows have "
                f"{2 * clip_frames} frames. Set the window to the length of an action",
                stacklevel=2,
            )
    factor = fps / training_clips.fps if fps and training_clips.fps else 1.0
    window = options.window or max(2, round(factor * training_clips.median))
    threshold, source = choose_threshold(options.threshold, held_out)
    rest, uses_stillness = choose_rest(options.rest, class_names)
    return SegmentSettings(
        window=window,
        stride=options.stride or max(1, window // 4),
        threshold=threshold,
        # A movement of several windows is never too short for an action.
        longest=max(
            window,
            round(LONGEST_FACTOR * factor * training_clips.longest),
            round(SHORTEST_SECONDS * (fps or ASSUMED_FPS)) + 1,
        ),
        shortest=max(1, min(window, round(factor * training_clips.shortest)) // 2),
        rest=rest,
        uses_stillness=uses_stillness,
        fps=fps or ASSUMED_FPS,
        class_names=tuple(class_names),
        pairs=np.isin(np.array(class_names), np.array(training_clips.pair_classes, dtype=str)),
        threshold_from=source,
    )


def choose_threshold(
    wanted: float | None, held_out: ClassProbabilities | None
) -> tuple[float, str]:
    """Return the threshold and where it comes from.

    Without a wish it is the probability that :data:`KEPT_SHARE` of the rightly recognized held-out
    clips reach, at most :data:`HIGHEST_THRESHOLD`; else :data:`DEFAULT_THRESHOLD`.
    """
    if wanted is not None:
        return float(wanted), "given"
    if held_out is not None and len(held_out.labels):
        right = held_out.recognized().probs
        if len(right):
            lowest = float(np.quantile(right.max(axis=1), 1 - KEPT_SHARE))
            if lowest > HIGHEST_THRESHOLD:
                return HIGHEST_THRESHOLD, "the highest; held-out predictions are surer"
            return lowest, f"kept by {KEPT_SHARE:.0%} of the right held-out predictions"
    return DEFAULT_THRESHOLD, "default"


def entropy_limit(held_out: ClassProbabilities | None) -> float:
    """Return the entropy in nats beyond which an action counts as unknown.

    :data:`KEPT_SHARE` of the rightly recognized held-out clips stay below it. It is at least that
    of two classes of which one has :data:`HIGHEST_THRESHOLD`, and without held-out clips that of
    two with :data:`DEFAULT_THRESHOLD`.
    """
    right = None if held_out is None else held_out.recognized()
    if right is None or not len(right.labels):
        return _entropy_of_two(DEFAULT_THRESHOLD)
    usual = float(np.quantile(right.entropies, KEPT_SHARE))
    return max(usual, _entropy_of_two(HIGHEST_THRESHOLD))


def _entropy_of_two(share: float) -> float:
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def choose_rest(rest: str, class_names: Sequence[str]) -> tuple[str | None, bool]:
    """Return the rest class, if there is one, and whether pauses are told by stillness.

    Raises:
        ConfigError: If the name is no class.
    """
    if rest == "auto":
        found = [name for name in class_names if name.strip().lower() in REST_NAMES]
        return (found[0], False) if len(found) == 1 else (None, True)
    if rest in ("stillness", "none"):
        return None, rest == "stillness"
    if rest in class_names:
        return rest, False
    raise ConfigError(
        f"rest is {rest!r}; wanted is auto, stillness, none, or one of the classes "
        f"{', '.join(class_names)}"
    )
