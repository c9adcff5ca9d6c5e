"""Check of recordings against the training clips: another sensor, unit, camera or frame rate."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.clip_measures import ClipMeasures
from skeletonagent.core.measured_joints import bone_ends
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.settings import Orientation, Scale
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.experiments.training_statistics import TrainingStatistics
from skeletonagent.runtime.measuring import measures_of_samples

UNTRIMMED_FACTOR = 3
"""Samples that are so many times as long as the longest training clips are not trimmed."""
DEVIATION_WEIGHT, LARGEST_DEVIATION = 8.0, 3.0
"""Weight in the novelty of what is farther than far, and the deviation where more says no more.

Settled on UTD-MHAD's training subjects without five classes, see ``benchmarks/unknown_actions.py``.
"""
MOST_NOVELTY = 1e6
"""Largest novelty, also of what cannot be measured."""
USUAL_SHARE = 0.05
"""Share of several samples that may be unlike the training clips without a word."""
MOST_RATE_RATIO = 1.5
"""Ratio of two frame rates beyond which they are different ones."""
_HARDLY_EVER, _OFTEN = 0.05, 0.5
"""Shares of the frames in which a joint is seen."""
_PIECES = 64
"""Pieces of a long recording that are measured, evenly spread."""


@dataclass(frozen=True)
class ClipComparison:
    """Clips as they are compared with the training clips.

    Args:
        measures: Their measures.
        scalars: The numbers that are compared, by name.
        deviations: How far these are from the training clips; above 1 is far.
        statistics: Statistics of the training clips.
    """

    measures: ClipMeasures
    scalars: Mapping[str, Float[np.ndarray, " n"]]
    deviations: Mapping[str, Float[np.ndarray, " n"]]
    statistics: TrainingStatistics


@dataclass(frozen=True)
class SourceCheck:
    """Comparison of recordings with the clips that a recognizer was trained on.

    Only what reaches the recognizer counts: sizes and directions that preprocessing takes out do
    not.

    Args:
        metadata: Joints, preprocessing and statistics of the recognizer.
    """

    metadata: RecognizerMetadata

    def of_clips(self, samples: Sequence[SkeletonSequence]) -> str | None:
        """Return in what trimmed samples are unlike the training clips, None where in nothing.

        Args:
            samples: Samples as stored, in the input format of the recognizer.
        """
        names, fps = [sample.sample_id for sample in samples], _common_rate(samples)
        return self.of_measured(self.measured(samples, fps), names, fps)

    def of_measured(
        self, clips: ClipComparison | None, names: Sequence[str], fps: float | None = None
    ) -> str | None:
        """Return in what clips that were measured are unlike the training clips, as of_clips.

        Args:
            clips: What :meth:`measured` returns.
            names: Name of each clip.
            fps: Frames a second of all clips; None if unknown.
        """
        words = self._rate_words(fps)
        named = list(names) if words else []
        if clips is not None:
            far = self._far(clips)
            unlike = np.any(list(far.values()), axis=0)
            if unlike.sum() > USUAL_SHARE * len(unlike):
                named = named or [name for name, flag in zip(names, unlike, strict=True) if flag]
                words += [
                    self._words(name, flags, clips)
                    for name, flags in far.items()
                    if flags.sum() > unlike.sum() / 10
                ]
        if not words:
            return None
        return f"unlike the training clips: {_names(named)}: {'; '.join(words)}. {ADVICE}"

    def of_rate(self, fps: float | None) -> str | None:
        """Return that a frame rate is unlike that of the training clips, None if it is not.

        Args:
            fps: Frames a second; None if unknown.
        """
        words = self._rate_words(fps)
        return f"unlike the training clips: {words[0]}. {ADVICE}" if words else None

    def of_recording(self, joints: Float[np.ndarray, "m t v c"], fps: float | None) -> str | None:
        """Return in what an untrimmed recording is unlike the training clips, None if in nothing.

        It is measured in pieces as long as the training clips. Slow movement says nothing there.

        Args:
            joints: Joints of all bodies; NaN where they were not seen.
            fps: Frames a second; None if unknown.
        """
        statistics, clips = self.metadata.statistics, self.metadata.training_clips
        words, measured = self._rate_words(fps), None
        if statistics is not None and clips is not None:
            length = max(2, round(self._factor(fps) * clips.median))
            measured = self.measured(_pieces(joints, length), fps)
        if measured is not None:
            for name, flags in self._far(measured, untrimmed=True).items():
                if flags.mean() > 0.5:
                    words.append(self._words(name, flags, measured))
        return f"unlike the training clips: {'; '.join(words)}. {ADVICE}" if words else None

    def _factor(self, fps: float | None) -> float:
        """Return frames a second over those of the training clips; 1 where one is unknown."""
        clips = self.metadata.training_clips
        return fps / clips.fps if fps and clips and clips.fps else 1.0

    def _rate_words(self, fps: float | None) -> list[str]:
        """Return what is to be said of a frame rate; nothing if it is about that of training."""
        clips, factor = self.metadata.training_clips, self._factor(fps)
        if clips is None or max(factor, 1 / factor) <= MOST_RATE_RATIO:
            return []
        return [f"{fps:g} frames a second, the training clips had {clips.fps:g}"]

    def largest_deviations(self, clips: ClipComparison) -> Float[np.ndarray, " n"]:
        """Return the largest deviation of each clip from the training clips; above 1 is far.

        Args:
            clips: What :meth:`measured` returns.
        """
        counted = [
            values for name, values in clips.deviations.items() if name not in self._taken_out
        ]
        largest: np.ndarray = np.max(counted, axis=0)
        return largest

    def measured(
        self, samples: Sequence[SkeletonSequence], fps: float | None = None
    ) -> ClipComparison | None:
        """Return samples as they are compared; None without samples or statistics.

        Args:
            samples: Samples as stored.
            fps: Frames a second of all of them; None if unknown.
        """
        input_format, statistics = self.metadata.input_format, self.metadata.statistics
        if not samples or statistics is None:
            return None
        named = [
            SkeletonSequence(np.nan_to_num(sample.joints), 0, str(number))
            for number, sample in enumerate(samples)
        ]
        coordinates = min(statistics.coordinates, input_format.coordinates)
        measures = measures_of_samples(named, input_format.layout, coordinates)
        scalars = statistics.scalars(measures, self._factor(fps))
        return ClipComparison(measures, scalars, statistics.deviations_of(scalars), statistics)

    def _far(
        self, clips: ClipComparison, *, untrimmed: bool = False
    ) -> dict[str, Bool[np.ndarray, " n"]]:
        """Return which clips are far from the training clips, for each measure that counts.

        Args:
            clips: The clips.
            untrimmed: Whether clips are pieces of a recording, which may be of stillness.
        """
        skipped = self._taken_out
        far = {name: values > 1 for name, values in clips.deviations.items() if name not in skipped}
        if untrimmed:
            speed = np.nan_to_num(clips.scalars["speed"])
            far["speed"] &= speed > clips.statistics.speed.median
            del far["roughness"]
        return far

    def _words(self, name: str, flags: Bool[np.ndarray, " n"], clips: ClipComparison) -> str:
        """Return in what the clips of a flag differ in a measure; see :meth:`_far`."""
        statistics = clips.statistics
        if name in ("misfit", "absent"):
            ids = clips.measures.sample_ids
            flagged = [sample for sample, flag in zip(ids, flags, strict=True) if flag]
            of_these = clips.measures.of_samples(flagged)
            if name == "misfit":
                return self.bone_words(statistics, of_these)
        values = clips.scalars[name][flags]
        own = float(values[0] if len(values) == 1 else np.nanmedian(values))
        if name == "absent":
            return self.absent_words(statistics, of_these, own)
        return _PHRASES[name](own, getattr(statistics, name).median)

    @property
    def _taken_out(self) -> set[str]:
        """Measures that preprocessing makes alike."""
        data = self.metadata.config.data
        flat = data.dims == 2
        skipped = set()
        if data.scale is not Scale.NONE or flat:
            skipped.add("size")
        if data.orientation is not Orientation.CAMERA or flat:
            skipped.add("turn")
        if data.orientation is Orientation.BODY or flat:
            skipped.add("tilt")
        return skipped

    def absent_words(
        self, statistics: TrainingStatistics, measures: ClipMeasures, share: float
    ) -> str:
        """Return the share of joints that are absent, and those that hardly ever are there."""
        layout = self.metadata.input_format.layout
        seen = np.nanmean(measures.seen, axis=0)
        gone = np.flatnonzero((seen < _HARDLY_EVER) & (np.array(statistics.seen) > _OFTEN))
        names = ", ".join(layout.display_name(joint) for joint in gone[:4].tolist())
        usual = f"{statistics.absent.median:.0%} in training"
        named = f", such as {names}" if names else ""
        return f"{share:.0%} of joints absent{named}, {usual}"

    def bone_words(self, statistics: TrainingStatistics, measures: ClipMeasures) -> str:
        """Return the bone that differs most, in words."""
        layout = self.metadata.input_format.layout
        with np.errstate(invalid="ignore"):
            known = np.isfinite(measures.bones)
            means = np.where(known, measures.bones, 0).sum(axis=0) / known.sum(axis=0)
        away = np.nan_to_num(means - np.array(statistics.bones))
        worst = int(np.abs(away).argmax())
        child, parent = (ends[worst] for ends in bone_ends(layout))
        names = layout.display_name(parent), layout.display_name(child)
        return (
            f"bodies of other proportions, such as {' to '.join(names)}, "
            f"{math.exp(away[worst]):.2g} times as long"
        )


def check_clips(
    samples: Sequence[SkeletonSequence], metadata: RecognizerMetadata
) -> Float[np.ndarray, " n"]:
    """Warn of samples that are not trimmed or from another source than the training clips.

    Args:
        samples: Samples as stored, in the input format of the recognizer.
        metadata: What the recognizer was trained on.

    Returns:
        The largest deviation of each sample from the training clips; above 1 is far.
    """
    clips = metadata.training_clips
    most = UNTRIMMED_FACTOR * clips.longest if clips else math.inf
    if clips and (long := [s.sample_id for s in samples if s.joints.shape[1] > most]):
        warnings.warn(
            f"much longer than the training clips, of which 95 % have at most {clips.longest} "
            f"frames: {_names(long)}. One label is given to each as a whole; segment() and "
            "'predict --segments' find the actions within",
            stacklevel=3,
        )
    check = SourceCheck(metadata)
    fps = _common_rate(samples)
    measured = check.measured(samples, fps)
    if problem := check.of_measured(measured, [sample.sample_id for sample in samples], fps):
        warnings.warn(problem, stacklevel=3)
    return np.zeros(len(samples)) if measured is None else check.largest_deviations(measured)


def _common_rate(samples: Sequence[SkeletonSequence]) -> float | None:
    """Return the frame rate of samples; None where it is unknown or they differ in it."""
    rates = {sample.fps for sample in samples}
    return rates.pop() if len(rates) == 1 else None


def novelty(
    entropies: Float[np.ndarray, " n"], deviations: Float[np.ndarray, " n"], limit: float
) -> Float[np.ndarray, " n"]:
    """Return how little samples are what a recognizer knows; above 1, they count as unknown.

    It is the sum of two: the entropy of the class probabilities, in units of its limit, and what
    the deviation from the training clips exceeds that of far ones by, times its weight.

    Args:
        entropies: Entropy of the network's class probabilities of each sample, in nats.
        deviations: Largest deviation of each from the training clips, in units of what is far.
        limit: Entropy beyond which an action is unknown.
    """
    strange = DEVIATION_WEIGHT * (np.clip(deviations, 1, LARGEST_DEVIATION) - 1)
    found = np.nan_to_num(entropies / limit + strange, nan=MOST_NOVELTY)
    bounded: np.ndarray = np.minimum(found, MOST_NOVELTY)
    return bounded


ADVICE = (
    "Labels may be wrong, for a recognizer is good on what is like its training clips. Train on "
    "keypoints of this source; for those of pictures, see 'train --dims 2'"
)
"""What to do about recordings of another source."""

_PHRASES: Mapping[str, Callable[[float, float], str]] = {
    "size": lambda own, usual: f"coordinates {math.exp(own - usual):.3g} times as large",
    "speed": lambda own, usual: f"joints {math.exp(own - usual):.2g} times as fast",
    "roughness": lambda own, usual: f"movement {math.exp(own - usual):.2g} times as rough",
    "tilt": lambda own, usual: f"bodies tilted by {own:.0f} degrees, so another camera or axes",
    "turn": lambda own, usual: f"bodies turned by {own:.0f} degrees, so another camera or axes",
    "front": lambda own, usual: (
        "feet point backwards, so coordinates are mirrored or left and right exchanged"
        if own * usual < 0
        else "feet point another way than the joints of the ankles say"
    ),
}


def _pieces(joints: Float[np.ndarray, "m t v c"], length: int) -> list[SkeletonSequence]:
    """Return pieces of a recording in which somebody is seen, as samples."""
    starts = range(0, max(1, joints.shape[1] - length // 2), length)
    chosen = starts[:: max(1, -(-len(starts) // _PIECES))]
    pieces = [joints[:, start : start + length] for start in chosen]
    return [
        SkeletonSequence(np.ascontiguousarray(piece), 0, str(number))
        for number, piece in enumerate(pieces)
        if np.isfinite(piece).any()
    ]


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"sample {shown}{more}"
