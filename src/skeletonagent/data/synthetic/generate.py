"""Generated data set of confusable actions whose distinguishing joints are known.

The joints that the Selector chooses can be compared with :data:`SYNTHETIC_PAIRS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.layout import KINECT_25
from skeletonagent.data.synthetic.actions import ACTIONS, IDLE_HANDS, Action
from skeletonagent.data.synthetic.stick_figure import (
    REST,
    BodySize,
    ControlledPart,
    rotation,
    stick_figure,
)

FRAMES_PER_SECOND = 30

_HANDS = (6, 7, 21, 22, 10, 11, 23, 24)
_ARMS = (5, 9, *_HANDS)
_FEET = (14, 15, 18, 19)


@dataclass(frozen=True)
class ConfusablePair:
    """Two actions that look alike, and the joints in which they differ.

    Args:
        actions: Class names.
        joints: Joint indices in KINECT_25, of both sides where either side may act.
    """

    actions: tuple[str, str]
    joints: tuple[int, ...]


SYNTHETIC_PAIRS: tuple[ConfusablePair, ...] = (
    ConfusablePair(("write", "type on a keyboard"), _HANDS),
    ConfusablePair(("drink", "phone call"), _ARMS),
    ConfusablePair(("wave", "salute"), _ARMS),
    ConfusablePair(("clap", "rub hands"), _ARMS),
    ConfusablePair(("kick", "step"), _FEET),
    ConfusablePair(("nod", "shake head"), (2, 3)),
    ConfusablePair(("brush teeth", "brush hair"), _ARMS),
    ConfusablePair(("throw", "push"), _ARMS),
    ConfusablePair(("bow", "pick up"), _ARMS),
)
"""Pairs of actions of :func:`synthetic_dataset`; every class is in one pair."""


def true_joints(action: str, rivals: Iterable[str]) -> frozenset[int]:
    """Return the joints that distinguish an action from similar ones.

    Args:
        action: Class name.
        rivals: Class names of similar actions; those not paired with the action are ignored,
            because the joints that distinguish them are not known.
    """
    rivals = set(rivals)
    return frozenset(
        joint
        for pair in SYNTHETIC_PAIRS
        if action in pair.actions and rivals & (set(pair.actions) - {action})
        for joint in pair.joints
    )


def synthetic_dataset(
    *, clips_per_class: int = 48, subjects: int = 8, seed: int = 0, difficulty: float = 1.0
) -> SkeletonData:
    """Return generated Kinect-25 motion in metres, y up, at 30 frames per second.

    Every third subject is in the test set of split ``xsub``. A clip depends on the seed, its
    action, subject and repetition alone: with more clips, the first ones stay the same.

    Args:
        clips_per_class: Number of clips of each action, assigned to the subjects in turn.
        subjects: Number of subjects, at least 2.
        seed: Seed of subjects and clips, not negative.
        difficulty: Factor of sensor noise, idle motion and variation of style; 0 for none.

    Raises:
        ValueError: If there are fewer than two subjects, fewer clips of a class than subjects, or
            the difficulty is negative.
    """
    if subjects < 2 or clips_per_class < subjects:
        raise ValueError(
            f"got {clips_per_class} clips per class of {subjects} subjects; "
            "there must be two subjects or more and a clip of each"
        )
    if difficulty < 0:
        raise ValueError(f"difficulty must not be negative, got {difficulty}")
    people = [_Subject.draw(seed, number) for number in range(subjects)]
    sequences = [
        _clip(label, people[clip % subjects], clip // subjects, seed, difficulty)
        for label in range(len(ACTIONS))
        for clip in range(clips_per_class)
    ]
    test_subjects = {person.number for person in people if person.number % 3 == 1}
    split = Split(
        train=tuple(s.sample_id for s in sequences if s.subject not in test_subjects),
        test=tuple(s.sample_id for s in sequences if s.subject in test_subjects),
    )
    names = [action.name for action in ACTIONS]
    return SkeletonData(
        name="synthetic",
        title="Generated motion of confusable actions",
        store=ClipStore.from_sequences(sequences, KINECT_25, names),
        splits={"xsub": split},
        default_split="xsub",
    )


# Standard deviations by part: of a subject's posture, of idle motion, of the goals in a clip.
_POSTURE = np.array([0.0, 0.04, 0.06, 0.012, 0.012, 0.008, 0.008])[:, None] * (1.0, 0.5, 1.0)
_FIDGET = np.array([0.008, 0.05, 0.10, 0.016, 0.016, 0.002, 0.002])[:, None]
_STYLE = np.array([0.01, 0.08, 0.05, 0.025, 0.025, 0.025, 0.0])[:, None]
_JITTER = np.ones((25, 1))
_JITTER[[7, 11, 15, 19, 21, 22, 23, 24]] = 1.8  # hands and feet are tracked worst


@dataclass(frozen=True)
class _Subject:
    """Body size and style of a subject.

    Args:
        number: Number of the subject, from 0.
        body: Size of the body.
        left_handed: Whether the subject acts with the left side.
        tempo: Factor of frequencies.
        vigour: Factor of amplitudes.
        posture: Displacement of each part from its rest position.
    """

    number: int
    body: BodySize
    left_handed: bool
    tempo: float
    vigour: float
    posture: Float[np.ndarray, "7 3"]

    @classmethod
    def draw(cls, seed: int, number: int) -> _Subject:
        rng = _random_generator(seed, 0, number)
        trunk, arm, leg, breadth = rng.normal(1.0, 0.035, 4).clip(0.92, 1.08)
        return cls(
            number=number,
            body=BodySize(rng.uniform(1.52, 1.9), trunk, arm, leg, breadth),
            left_handed=number % 4 == 0,
            tempo=float(np.exp(rng.normal(0, 0.12))),
            vigour=float(np.exp(rng.normal(0, 0.2))),
            posture=rng.normal(0, 1, (7, 3)) * _POSTURE,
        )


def _random_generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _clip(
    label: int, subject: _Subject, repetition: int, seed: int, difficulty: float
) -> SkeletonSequence:
    rng = _random_generator(seed, 1, label, subject.number, repetition)
    action = ACTIONS[label]
    joints = stick_figure(subject.body, _controls(action, subject, rng, difficulty))
    if subject.left_handed == (rng.random() < 0.1 * difficulty):  # sometimes the other hand
        joints = joints[:, KINECT_25.mirror] * (-1.0, 1.0, 1.0)
    facing = rotation(np.array([0.0, np.pi + rng.uniform(-np.pi / 3, np.pi / 3), 0.0]))
    position = (rng.uniform(-1, 1), 0.0, rng.uniform(2, 4))
    joints = joints @ facing.T + position + _sensor_error(len(joints), rng) * difficulty
    return SkeletonSequence(
        joints=joints[None].astype(np.float32),
        label=label,
        sample_id=f"{action.name.replace(' ', '_')}_s{subject.number:02d}_r{repetition:02d}",
        subject=subject.number,
    )


def _controls(
    action: Action, subject: _Subject, rng: np.random.Generator, difficulty: float
) -> Float[np.ndarray, "t 7 3"]:
    """Return the controls of the figure in a clip: idle motion plus the action."""
    frames = int(rng.integers(40, 91))
    rest = REST + subject.posture
    rest[ControlledPart.PELVIS] += action.stance
    for hand in (ControlledPart.HAND, ControlledPart.OTHER_HAND):
        idle = IDLE_HANDS[rng.integers(len(IDLE_HANDS))]
        if rng.random() < 0.4 * difficulty:
            rest[hand] = idle
    style = rng.normal(0, 1, (7, 3)) * _STYLE * difficulty
    style[ControlledPart.OTHER_HAND] = style[
        ControlledPart.HAND
    ]  # alike, so that clapping hands meet
    shift, swing, circle = np.zeros((3, 7, 3))
    for motion in action.motions:
        if motion.goal is not None:
            shift[motion.part] = motion.goal - rest[motion.part] + style[motion.part]
        swing[motion.part], circle[motion.part] = motion.swing, motion.circle
    vigour = subject.vigour * np.exp(rng.normal(0, 0.3 * difficulty))
    wave = vigour * _oscillation(action, subject.tempo, frames, rng, difficulty)
    effort = _envelope(action, frames, rng)
    moved = shift + swing * wave[0, :, None, None] + circle * wave[1, :, None, None]
    controls: Float[np.ndarray, "t 7 3"] = rest + effort[:, None, None] * moved
    controls += _wander(frames, (7, 3), rng) * _FIDGET * difficulty
    for foot in (ControlledPart.FOOT, ControlledPart.OTHER_FOOT):
        controls[:, foot, 1] = controls[:, foot, 1].clip(min=REST[foot, 1])  # not into the floor
    return controls


def _oscillation(
    action: Action, tempo: float, frames: int, rng: np.random.Generator, difficulty: float
) -> Float[np.ndarray, "2 t"]:
    """Return sine and cosine of a phase that runs a little unevenly."""
    hertz = rng.uniform(*action.hertz) * tempo
    cycles = hertz * np.arange(frames) / FRAMES_PER_SECOND
    phase = 2 * np.pi * (rng.random() + cycles)
    phase += 0.5 * difficulty * _wander(frames, (1,), rng)[:, 0]
    return np.stack([np.sin(phase), np.cos(phase)])


def _envelope(action: Action, frames: int, rng: np.random.Generator) -> Float[np.ndarray, " t"]:
    """Return the share of the action in each frame, from 0 to 1: preparation, action, return."""
    hold, rise, middle = rng.uniform(*action.hold), rng.uniform(0.12, 0.22), rng.uniform(0.38, 0.62)
    distance = np.abs(np.linspace(0, 1, frames) - middle)
    ramp = ((hold / 2 + rise - distance) / rise).clip(0, 1)
    smooth: Float[np.ndarray, " t"] = ramp**2 * (3 - 2 * ramp)
    return smooth


def _wander(
    frames: int, shape: tuple[int, ...], rng: np.random.Generator
) -> Float[np.ndarray, "t *shape"]:
    """Return slow random motion of unit variance: three waves of 0.1 to 0.7 Hz."""
    waves = (3, 1, *shape)
    seconds = np.arange(frames).reshape(-1, *(1 for _ in shape)) / FRAMES_PER_SECOND
    phases = 2 * np.pi * (rng.uniform(0.1, 0.7, waves) * seconds + rng.random(waves))
    motion: Float[np.ndarray, "t *shape"] = np.sin(phases).sum(axis=0) * np.sqrt(2 / 3)
    return motion


def _sensor_error(frames: int, rng: np.random.Generator) -> Float[np.ndarray, "t 25 3"]:
    """Return tracking errors in metres: noise correlated over some frames, and short glitches."""
    white = rng.normal(0, 0.006, (frames + 3, 25, 3)) * _JITTER
    error = (white[:-3] + white[1:-2] + white[2:-1] + white[3:]) / 2
    for _ in range(rng.poisson(1.0)):
        joint, middle, width = rng.integers(25), rng.uniform(0, frames), rng.uniform(2, 5)
        bump = np.exp(-0.5 * ((np.arange(frames) - middle) / width) ** 2)
        error[:, joint] += bump[:, None] * rng.normal(0, 0.08, 3)
    return error
