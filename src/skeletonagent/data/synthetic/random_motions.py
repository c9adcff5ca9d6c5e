"""Random motions of a body: made-up actions without number, whose performances vary as people do.

A motion is a program of what each angle of the body does and when. Performances of one program
differ in body, size, speed, timing, posture and viewpoint. No recording is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from skeletonagent.data.synthetic.body_tree import (
    BODY,
    BODY_ANGLES,
    BODY_GROUPS,
    body_offsets,
    pose_body,
)


class Course(IntEnum):
    """Course of an angle over time."""

    PULSE = 0
    """To a target and back."""
    RAMP = 1
    """To a target, where it stays."""
    SWING = 2
    """To and fro about a target."""
    HOLD = 3
    """At a target from the start to the end of the motion."""


MOVING_SHARE = {
    "trunk": 0.35, "head": 0.15, "left arm": 0.65, "right arm": 0.65, "left leg": 0.35,
    "right leg": 0.35,
}  # fmt: skip
"""Probability of each part of the body to move in a program."""

_COURSE_SHARES = (0.35, 0.2, 0.35, 0.1)
_ANGLE_SHARE = 0.6  # of the angles of a part that moves
_GROUP_OF = torch.tensor([BODY_GROUPS.index(angle.group) for angle in BODY_ANGLES])
_LOW = torch.tensor([angle.low for angle in BODY_ANGLES])
_HIGH = torch.tensor([angle.high for angle in BODY_ANGLES])
_FEET = [joint for joint, name in enumerate(BODY.joints) if name.endswith(("heel", "toe", "ankle"))]
_TRUNK = [BODY.joints.index(name) for name in ("middle of spine", "middle of shoulders")]
_LEGS = {name: column for column, name in enumerate(f"{a.joint} {a.axis}" for a in BODY_ANGLES)}


@dataclass(frozen=True)
class MotionPrograms:
    """Programs of P motions over the A angles of the body.

    Times are shares of a clip.

    Args:
        active: Angles that move.
        course: What they do, as :class:`Course`.
        target: Angle that they move to, in radians beyond the rest pose.
        swing: Amplitude about the target, in radians, of those that swing.
        cycles: Periods in a clip, of those that swing.
        phase: Phase at the start of those that swing, as a share of a period.
        onset: Start of the motion of each angle.
        span: Duration of the motion of each angle.
        travel: Way of the body in a clip to its left, up (a jump, or down where negative) and
            forward, in metres.
        turn: Turn of the body in a clip, in radians to its left.
        gait: Steps in a clip; 0 for a body that does not walk.
    """

    active: Bool[Tensor, "p a"]
    course: Int[Tensor, "p a"]
    target: Float[Tensor, "p a"]
    swing: Float[Tensor, "p a"]
    cycles: Float[Tensor, "p a"]
    phase: Float[Tensor, "p a"]
    onset: Float[Tensor, "p a"]
    span: Float[Tensor, "p a"]
    travel: Float[Tensor, "p 3"]
    turn: Float[Tensor, " p"]
    gait: Float[Tensor, " p"]

    def __len__(self) -> int:
        """Return the number of programs."""
        return len(self.turn)

    @classmethod
    def draw(cls, count: int, generator: Generator) -> MotionPrograms:
        """Return random programs.

        Args:
            count: Number of programs P.
            generator: Random numbers.
        """
        draw = _Draw(generator)
        shape = (count, len(BODY_ANGLES))
        shares = torch.tensor([MOVING_SHARE[group] for group in BODY_GROUPS])
        moving = draw.uniform(count, len(BODY_GROUPS)) < shares
        still = ~moving.any(dim=1)
        moving[still, BODY_GROUPS.index("right arm")] = True
        active = (draw.uniform(*shape) < _ANGLE_SHARE) & moving[:, _GROUP_OF]
        idle = ~active.any(dim=1)
        active[idle] = moving[idle][:, _GROUP_OF]
        target = (_LOW + (_HIGH - _LOW) * draw.uniform(*shape)) * draw.between(0.4, 1.0, *shape)
        common_onset, common_span = (
            draw.between(0, 0.35, count, 1),
            draw.between(0.3, 0.9, count, 1),
        )
        alone = draw.uniform(*shape) < 0.25  # joints that move at a time of their own
        walks = draw.uniform(count) < 0.2
        moves = draw.uniform(count, 3) < torch.tensor([0.2, 0.15, 0.3])
        reach = torch.tensor([0.8, 0.35, 1.5])
        return cls(
            active=active,
            course=draw.choice(_COURSE_SHARES, *shape),
            target=target,
            swing=target.abs().clamp(min=0.15) * draw.between(0.2, 0.8, *shape),
            cycles=torch.where(
                draw.uniform(*shape) < 0.2,
                draw.log_between(0.8, 8, *shape),
                draw.log_between(0.8, 6, count, 1),
            ),
            phase=torch.where(alone, draw.uniform(*shape), draw.halves(*shape)),
            onset=torch.where(alone, draw.between(0, 0.5, *shape), common_onset),
            span=torch.where(alone, draw.between(0.2, 0.8, *shape), common_span),
            travel=moves * (2 * draw.uniform(count, 3) - 1) * reach,
            turn=torch.where(draw.uniform(count) < 0.15, draw.between(-3.2, 3.2, count), 0.0),
            gait=torch.where(walks, draw.between(2, 6, count), 0.0),
        )

    def render(
        self, programs: Int[Tensor, " n"], frames: int, generator: Generator, noise: float = 0.008
    ) -> Float[Tensor, "n t 34 3"]:
        """Return a performance of each of the programs named, in metres, seen from in front.

        Args:
            programs: Numbers of the programs; one named twice is performed in two ways.
            frames: T.
            generator: Random numbers.
            noise: Standard deviation of the sensor's error, in metres.
        """
        draw, n = _Draw(generator), len(programs)
        angles = self._angles(programs, torch.linspace(0, 1, frames), draw)
        time = torch.linspace(0, 1, frames)[None]
        vigour = draw.scale(0.2, n, 1)
        heading = draw.normal(n, 1) * 0.15 + self.turn[programs, None] * vigour * _ease(time)
        travel = self.travel[programs] * draw.scale(0.2, n, 1)
        path = travel[:, None] * time[..., None]
        path[..., 1] = travel[:, None, 1] * (math.pi * time).sin()  # a jump or a crouch ends
        path[..., 2] += self.gait[programs, None] * 0.25 * time
        sizes = draw.scale(0.08, n, 1, 1) * draw.scale(0.1, n, BODY.num_joints, 1)
        offsets = body_offsets() * sizes
        low = draw.between(0.15, 0.6, n, 1)  # sensors see the spine low or in its middle
        trunk = offsets[:, _TRUNK].sum(dim=1)
        offsets[:, _TRUNK[0]], offsets[:, _TRUNK[1]] = low * trunk, (1 - low) * trunk
        joints = pose_body(offsets, angles, path, heading)
        joints = _planted(joints, travel[:, 1])
        return joints + noise * draw.normal(*joints.shape)

    def _angles(
        self, programs: Int[Tensor, " n"], time: Float[Tensor, " t"], draw: _Draw
    ) -> Float[Tensor, "n t a"]:
        """Return the angles of performances in each frame."""
        n, a = len(programs), len(BODY_ANGLES)
        time = time[None, :, None]
        onset = (self.onset[programs] + 0.06 * draw.normal(n, 1)).clamp(0, 0.75)[:, None]
        span = (self.span[programs] * draw.scale(0.2, n, 1)).clamp(0.15, 1)[:, None]
        progress = ((time - onset) / span).clamp(0, 1)
        lasting = (4 * progress).clamp(max=1) * (4 * (1 - progress)).clamp(max=1)
        cycles = (self.cycles[programs] * draw.scale(0.15, n, 1))[:, None]
        phase = self.phase[programs][:, None]
        wave = (2 * math.pi * (cycles * (time - onset) + phase)).sin() * lasting
        course = self.course[programs][:, None]
        share = torch.where(course == Course.PULSE, (math.pi * progress).sin(), _ease(progress))
        share = torch.where(course == Course.SWING, lasting, share)
        share = torch.where(course == Course.HOLD, 1.0, share)
        vigour = (draw.scale(0.2, n, 1) * draw.scale(0.1, n, a))[:, None]
        swing = torch.where(course == Course.SWING, self.swing[programs][:, None] * wave, 0.0)
        moved = vigour * (self.target[programs][:, None] * share + swing)
        posture = 0.07 * draw.normal(n, 1, a)
        drift = 0.02 * draw.normal(n, time.shape[1], a).cumsum(dim=1) / time.shape[1] ** 0.5
        angles = posture + drift + self.active[programs][:, None] * moved
        angles = angles + self._steps(programs, time, draw)
        margin = 0.2
        limited: Float[Tensor, "n t a"] = angles.clamp(_LOW - margin, _HIGH + margin)
        return limited

    def _steps(
        self, programs: Int[Tensor, " n"], time: Float[Tensor, "1 t 1"], draw: _Draw
    ) -> Float[Tensor, "n t a"]:
        """Return the angles that walking adds."""
        steps = self.gait[programs, None] / 2 * draw.scale(0.1, len(programs), 1)
        wave = (2 * math.pi * (steps * time[..., 0] + draw.uniform(len(programs), 1))).sin()
        wave = wave * (steps > 0)
        added = torch.zeros(len(programs), time.shape[1], len(BODY_ANGLES))
        for side, sign in (("left", 1.0), ("right", -1.0)):
            added[..., _LEGS[f"{side} hip 0"]] = -0.5 * sign * wave
            added[..., _LEGS[f"{side} knee 0"]] = 0.6 * (sign * wave).clamp(min=0)
            added[..., _LEGS[f"{side} shoulder 0"]] = 0.4 * sign * wave
        return added

    def sentence(self, program: int) -> str:
        """Return what a program does, in a sentence that follows from it."""
        parts = []
        for group in BODY_GROUPS:
            deeds = [
                self._deed(program, column)
                for column, angle in enumerate(BODY_ANGLES)
                if angle.group == group and self.active[program, column]
            ]
            if deeds:
                parts.append(f"the {group} {' and '.join(deeds)}")
        if self.gait[program]:
            parts.append("the body walks forward")
        if self.turn[program]:
            parts.append(f"the body turns {'left' if self.turn[program] > 0 else 'right'}")
        text = ", ".join(parts) + "."
        return text[:1].upper() + text[1:]

    def _deed(self, program: int, column: int) -> str:
        angle = BODY_ANGLES[column]
        words = angle.upward if self.target[program, column] > 0 else angle.downward
        course = Course(int(self.course[program, column]))
        return {
            Course.PULSE: f"{words} once and comes back",
            Course.RAMP: f"{words} and stays so",
            Course.SWING: f"{words} again and again",
            Course.HOLD: f"{words} from the start",
        }[course]


@dataclass(frozen=True)
class _Draw:
    """Random numbers of one generator."""

    generator: Generator

    def uniform(self, *shape: int) -> Float[Tensor, "..."]:
        return torch.rand(*shape, generator=self.generator)

    def normal(self, *shape: int) -> Float[Tensor, "..."]:
        return torch.randn(*shape, generator=self.generator)

    def between(self, low: float, high: float, *shape: int) -> Float[Tensor, "..."]:
        return low + (high - low) * self.uniform(*shape)

    def log_between(self, low: float, high: float, *shape: int) -> Float[Tensor, "..."]:
        return self.between(math.log(low), math.log(high), *shape).exp()

    def scale(self, spread: float, *shape: int) -> Float[Tensor, "..."]:
        """Return factors about one whose logarithm has a standard deviation."""
        return (spread * self.normal(*shape)).exp()

    def halves(self, *shape: int) -> Float[Tensor, "..."]:
        """Return nothing or a half: limbs that swing together, or in turn."""
        return 0.5 * (self.uniform(*shape) < 0.5)

    def choice(self, shares: tuple[float, ...], *shape: int) -> Int[Tensor, "..."]:
        limits = torch.tensor(shares).cumsum(0)[:-1]
        return torch.bucketize(self.uniform(*shape), limits)


def _ease(share: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Return shares that start and end smoothly."""
    return share * share * (3 - 2 * share)


def _planted(
    joints: Float[Tensor, "n t v 3"], jump: Float[Tensor, " n"]
) -> Float[Tensor, "n t v 3"]:
    """Return bodies whose lowest foot stays on the ground, but for what they jump."""
    lowest = joints[..., _FEET, 1].amin(dim=-1)
    height = jump.clamp(min=0)[:, None] * (math.pi * torch.linspace(0, 1, joints.shape[1])).sin()
    lifted = joints.clone()
    lifted[..., 1] += (height - lowest)[..., None]
    return lifted
