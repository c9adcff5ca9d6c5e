"""What zero-shot and one-shot recognition is measured on: samples, descriptions and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from skeletonagent.agents.evidence.claim_scores import ClaimScale, ClassDescription
from skeletonagent.agents.evidence.motion_features import MotionFeatures, measure_motion
from skeletonagent.core.claims import Claim
from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.fine_tuning import read_source
from skeletonagent.experiments.standardizer import Standardizer
from skeletonagent.inference.added_actions import ExampleFormat
from skeletonagent.inference.base_actions import base_in_format
from skeletonagent.inference.base_examples import MOST_PERSONS
from skeletonagent.inference.class_descriptions import describe_by_notes
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.llm.class_notes import ClassNotes, bundled_notes, normalized_name

WHITENING = 0.3
"""Share of the mean variance that the variances within classes are shrunk towards."""
OUTLIER = 3.0
"""Standard deviations beyond which a feature says no more."""


@dataclass(frozen=True)
class DescribedData:
    """Samples whose classes are all described.

    Args:
        store: All samples.
        motion: Their motion features.
        notes: Class notes of every class, in label order.
        train: Positions of the training set.
        test: Positions of the test set.
    """

    store: ClipStore
    motion: MotionFeatures
    notes: tuple[ClassNotes, ...]
    train: Int[Tensor, " n"]
    test: Int[Tensor, " m"]

    @classmethod
    def of(cls, data: SkeletonData, split: str | None) -> DescribedData:
        """Return the samples of a data set.

        Raises:
            ConfigError: If a class is not described in bundled notes.
        """
        store = data.store
        notes = bundled_notes(store.class_names)
        missing = [name for name in store.class_names if name not in notes]
        if missing:
            raise ConfigError(f"no bundled notes with claims describe {', '.join(missing)}")
        _, parts = choose_split(data, split)
        return cls(
            store,
            measure_motion(store, torch.arange(len(store))),
            tuple(notes[name] for name in store.class_names),
            store.indices(parts.train),
            store.indices(parts.test),
        )

    def features(self, samples: Int[Tensor, " n"]) -> MotionFeatures:
        """Return the motion features of samples."""
        return MotionFeatures(self.motion.values[samples], self.motion.known[samples])

    def of_classes(self, samples: Int[Tensor, " n"], classes: Sequence[int]) -> Int[Tensor, " k"]:
        """Return the samples of some classes."""
        return samples[torch.isin(self.store.labels[samples], torch.tensor(classes))]

    def positions(self, samples: Int[Tensor, " n"], classes: Sequence[int]) -> Int[Tensor, " n"]:
        """Return each sample's class as its position in ``classes``."""
        place = torch.full((self.store.num_classes,), -1)
        place[torch.tensor(classes)] = torch.arange(len(classes))
        return place[self.store.labels[samples]]

    def names(self, classes: Sequence[int]) -> tuple[str, ...]:
        """Return the names of classes."""
        return tuple(self.store.class_names[label] for label in classes)

    def descriptions(
        self, classes: Sequence[int], seen: Sequence[int]
    ) -> tuple[ClassDescription, ...]:
        """Return the descriptions of classes, compared with those seen."""
        names = self.names(seen)
        found = []
        for label in classes:
            description = describe_by_notes(self.notes[label], names)
            found.append(replace(description, name=self.store.class_names[label]))
        return tuple(found)

    def scale(self, seen: Sequence[int], samples: Int[Tensor, " n"]) -> ClaimScale:
        """Return the scale of claims of training samples of the classes seen."""
        return ClaimScale.fit(
            self.store.layout,
            self.features(samples),
            self.positions(samples, seen),
            self.names(seen),
            self.descriptions(seen, seen),
        )

    def random_claims(
        self, description: ClassDescription, seen: Sequence[int], generator: torch.Generator
    ) -> ClassDescription:
        """Return a description of the same form: parts, features, rivals, directions at random."""
        pool = [line for notes in self.notes for line in notes.claims]
        rivals = {claim.rival: claim.rival for claim in description.claims}
        order = torch.randperm(len(seen), generator=generator).tolist()
        others = [self.store.class_names[seen[place]] for place in order]
        rivals |= dict(zip(filter(None, rivals), others, strict=False))
        claims = []
        for claim in description.claims:
            drawn = Claim.parse(pool[int(torch.randint(len(pool), (), generator=generator))])
            more = bool(torch.randint(2, (), generator=generator))
            claims.append(replace(drawn, more=more, rival=rivals[claim.rival]))
        return ClassDescription(description.name, tuple(dict.fromkeys(claims)))


def description_scores(
    data: DescribedData,
    scale: ClaimScale,
    descriptions: Sequence[ClassDescription],
    samples: Int[Tensor, " n"],
) -> Float[Tensor, "n u"]:
    """Return the score of each sample for each description."""
    features = data.features(samples)
    described = [scale.describe(description) for description in descriptions]
    return torch.stack([one.score(data.store.layout, features) for one in described], dim=1)


def features_of_base(base: str, store: ClipStore) -> Float[Tensor, "n d"]:
    """Return the features of samples as a base encodes examples of actions.

    Args:
        base: Run of a pre-training, or ``base`` for that of the package.
        store: The samples.

    Raises:
        ConfigError: If the base learned a class of the same name.
    """
    source = read_source(base)
    names = [name.partition(": ")[2] or name for name in source.metadata.class_names]
    known = sorted(set(map(normalized_name, names)) & set(map(normalized_name, store.class_names)))
    if known:
        raise ConfigError(f"{base} has learned {', '.join(known)}; leave out these sources")
    given = ExampleFormat(
        InputFormat(store.layout, store.channels), min(store.max_persons, MOST_PERSONS)
    )
    model = StreamModel.from_checkpoint(source.checkpoint, device="cpu")
    model = base_in_format(model, source, given)
    sampler = model.sampler(model.preprocessor(store))
    return model.features(sampler, torch.arange(len(store)), model.default_batch_size, None)


@dataclass(frozen=True)
class ExampleSpace:
    """Features in which samples of unseen classes are compared with examples, by their cosine.

    Args:
        standardizer: Shift and scale of the features.
        transform: Linear map in which samples of one class vary alike in all directions, or None.
        center: Mean of the training samples in it.
    """

    standardizer: Standardizer
    transform: Float[Tensor, "f f"] | None
    center: Float[Tensor, " f"]

    @classmethod
    def fit(
        cls, features: Float[Tensor, "n f"], labels: Int[Tensor, " n"], whitened: bool
    ) -> ExampleSpace:
        """Return the space of training samples of the classes seen.

        Args:
            features: Features of the samples.
            labels: Class of each.
            whitened: Whether variances within the classes are made alike.
        """
        standardizer = Standardizer.of(features)
        units = standardizer(features).clamp(-OUTLIER, OUTLIER)
        means = torch.stack([units[labels == label].mean(dim=0) for label in labels.unique()])
        off = units - means[torch.searchsorted(labels.unique(), labels)]
        transform = None
        if whitened:
            within = (off.T @ off).double() / len(off)
            mean = within.diagonal().mean()
            within = (1 - WHITENING) * within + WHITENING * mean * torch.eye(len(within))
            values, vectors = torch.linalg.eigh(within)
            transform = (vectors / values.sqrt()).float()
        space = cls(standardizer, transform, torch.zeros(units.shape[1]))
        return replace(space, center=space(features).mean(dim=0))

    def __call__(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n f"]:
        """Return features in the space."""
        units = self.standardizer(features).clamp(-OUTLIER, OUTLIER)
        return (units if self.transform is None else units @ self.transform) - self.center

    def cosines(
        self, features: Float[Tensor, "n f"], examples: Float[Tensor, "u f"]
    ) -> Float[Tensor, "n u"]:
        """Return the cosine of each sample with each example."""
        return normalize(self(features), dim=1) @ normalize(self(examples), dim=1).T
