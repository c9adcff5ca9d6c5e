"""Scores of described classes: how well samples bear out the claims of a description.

What a claim is about is measured in a sample, in units of how the training samples of the known
classes vary, and saturated, so that no single claim decides. A description places its class in
these units: one spread above or below the mean of all for each claim, and as far from the mean of a
rival for each claim against it. A sample's score is its agreement with that place, standardised by
the scores of the training samples, so that descriptions of few and of many claims compare.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.agents.evidence.claim_values import ClaimMoments, measure_claims
from skeletonagent.agents.evidence.motion_features import MotionFeatures
from skeletonagent.core.claims import Claim, ClaimJoints, claim_joints
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature

SATURATION = 2.0
"""Spreads at which a measured value hardly says more."""
RIVAL_WEIGHT = 0.3
"""Weight of a claim against one rival where that of a claim against all others is 1."""
PRIOR_WEIGHT = 1.0
"""Weight of the mean of all classes, towards which few claims leave a place."""
RELIABILITY_CLAIMS = 10.0
"""Claims about a motion feature after which its own reliability counts as much as that of all."""


@dataclass(frozen=True)
class ClassDescription:
    """Claims about a class.

    Args:
        name: Name of the class.
        claims: Claims against all other classes, and against rivals.
    """

    name: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class DescribedClass:
    """Class as its description places it among the training samples, which need not be kept.

    Args:
        name: Name of the class.
        subjects: What is measured, as claims; their directions play no part but for sides.
        means: Mean of each measured value over the training samples.
        spreads: Its standard deviation there.
        place: Where the class is described to be, in spreads from the mean, times the reliability
            of the motion feature.
        center: Mean agreement of the training samples.
        scale: Standard deviation of their agreement.
    """

    name: str
    subjects: tuple[Claim, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    place: tuple[float, ...]
    center: float = 0.0
    scale: float = 1.0

    def score(self, layout: SkeletonLayout, features: MotionFeatures) -> Float[Tensor, " n"]:
        """Return the score of each sample; that of training samples has mean 0 and deviation 1.

        Args:
            layout: The skeleton.
            features: Motion features of the samples; values that are not known play no part.
        """
        measured = measure_claims(self.subjects, layout, features)
        means, spreads = torch.tensor(self.means), torch.tensor(self.spreads)
        units = _saturated((measured.values - means) / spreads) * measured.known
        return (units @ torch.tensor(self.place) - self.center) / self.scale


@dataclass(frozen=True)
class ClaimScale:
    """Training samples of the known classes, against which new classes are described.

    Args:
        layout: The skeleton.
        features: Motion features of the samples.
        labels: Class of each sample.
        class_names: Names of the known classes, in label order.
        reliability: How well claims about each motion feature hold, relative to all; 1 where it is
            missing.
    """

    layout: SkeletonLayout
    features: MotionFeatures
    labels: Int[Tensor, " n"]
    class_names: tuple[str, ...]
    reliability: Mapping[MotionFeature, float]

    @classmethod
    def fit(
        cls,
        layout: SkeletonLayout,
        features: MotionFeatures,
        labels: Int[Tensor, " n"],
        class_names: Sequence[str],
        descriptions: Sequence[ClassDescription] = (),
    ) -> ClaimScale:
        """Return the scale of training samples.

        Args:
            layout: The skeleton.
            features: Motion features of the samples, at least two.
            labels: Class of each sample.
            class_names: Names of the known classes, in label order.
            descriptions: Descriptions of known classes, from which it is learned what claims about
                each motion feature are worth.
        """
        scale = cls(layout, features, labels, tuple(class_names), {})
        return replace(scale, reliability=scale._reliabilities(descriptions))

    def describe(self, description: ClassDescription) -> DescribedClass:
        """Return a class as its description places it.

        Raises:
            ConfigError: If no claim can be measured on the skeleton, or a rival is no known class.
        """
        units = self._units(description.claims)
        places, left_out = [], []
        for subject, claims in units.about.items():
            column = units.column[subject]
            if not units.moments.varies[column]:
                left_out += [str(claim) for claim in claims]
                continue
            total, weight = 0.0, PRIOR_WEIGHT
            for claim in claims:
                share = RIVAL_WEIGHT if claim.rival else 1.0
                start = self._mean_of(claim.rival, units.values[:, column]) if claim.rival else 0.0
                total, weight = total + share * (start + claim.sign), weight + share
            trust = self.reliability.get(claims[0].feature, 1.0)
            places.append((column, trust * total / weight))
        left_out += [str(claim) for claim in units.lacking]
        if left_out:
            remark = f"{description.name}: cannot be measured on {self.layout.name}"
            warnings.warn(f"{remark}: {', '.join(dict.fromkeys(left_out))}", stacklevel=2)
        if not places:
            raise ConfigError(f"{description.name}: no claim can be measured on {self.layout.name}")
        columns, place = zip(*places, strict=True)
        described = DescribedClass(
            name=description.name,
            subjects=tuple(units.subjects[column] for column in columns),
            means=tuple(units.moments.mean[list(columns)].tolist()),
            spreads=tuple(units.moments.deviation[list(columns)].tolist()),
            place=place,
        )
        agreement = described.score(self.layout, self.features)
        spread = max(float(agreement.std()), 1e-6)
        return replace(described, center=float(agreement.mean()), scale=spread)

    def _mean_of(self, rival: str, values: Float[Tensor, " n"]) -> float:
        """Return the mean of a known class.

        Raises:
            ConfigError: If it is not known.
        """
        if rival not in self.class_names:
            known = ", ".join(self.class_names)
            raise ConfigError(f"{rival!r} is no class to compare with; there are {known}")
        own = values[self.labels == self.class_names.index(rival)]
        return float(own.mean()) if len(own) else 0.0

    def _reliabilities(
        self, descriptions: Sequence[ClassDescription]
    ) -> Mapping[MotionFeature, float]:
        """Return how far known classes lie where claims about each feature place them."""
        held: dict[MotionFeature, list[float]] = defaultdict(list)
        for description in descriptions:
            claims = [claim for claim in description.claims if not claim.rival]
            units = self._units(claims)
            for subject, about in units.about.items():
                column = units.column[subject]
                if units.moments.varies[column]:
                    mean = self._mean_of(description.name, units.values[:, column])
                    held[about[0].feature] += [claim.sign * mean for claim in about]
        everything = [value for values in held.values() for value in values]
        usual = sum(everything) / max(1, len(everything))
        if usual <= 0:
            return {}
        return {
            feature: max(
                0.0,
                (sum(values) / usual + RELIABILITY_CLAIMS) / (len(values) + RELIABILITY_CLAIMS),
            )
            for feature, values in held.items()
        }

    def _units(self, claims: Sequence[Claim]) -> _Units:
        """Return what claims are about, measured in the training samples."""
        about: dict[tuple[MotionFeature, ClaimJoints], list[Claim]] = defaultdict(list)
        lacking = []
        for claim in claims:
            joints = claim_joints(claim, self.layout)
            if joints is None:
                lacking.append(claim)
            else:
                alone = len(joints.groups) == 1
                about[claim.feature, replace(joints, highest=alone or joints.highest)].append(claim)
        subjects = [replace(claims[0], rival="") for claims in about.values()]
        measured = measure_claims(subjects, self.layout, self.features)
        moments = measured.moments()
        return _Units(
            about=about,
            column={subject: column for column, subject in enumerate(about)},
            subjects=subjects,
            lacking=lacking,
            values=_saturated(moments.units(measured)),
            moments=moments,
        )


@dataclass(frozen=True)
class _Units:
    """What claims are about, measured in the training samples.

    Args:
        about: The claims about each subject, whatever their directions and rivals.
        column: Column of each subject.
        subjects: Each subject as a claim.
        lacking: Claims about parts that the skeleton lacks.
        values: Saturated spreads from the mean, 0 where not known.
        moments: Moments of each measured value.
    """

    about: Mapping[tuple[MotionFeature, ClaimJoints], list[Claim]]
    column: Mapping[tuple[MotionFeature, ClaimJoints], int]
    subjects: Sequence[Claim]
    lacking: Sequence[Claim]
    values: Float[Tensor, "n k"]
    moments: ClaimMoments


def _saturated(units: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    return SATURATION * (units / SATURATION).tanh()
