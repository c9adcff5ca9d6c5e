"""Training clips of a run that an action is compared with when it is added."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.agents.evidence.claim_scores import ClaimScale, ClassDescription
from skeletonagent.data.loader import ClipLoader
from skeletonagent.data.splits import choose_split
from skeletonagent.data.training_draw import draw_training_clips
from skeletonagent.experiments.datasets import prepare_named_dataset
from skeletonagent.experiments.kernel_ridge_in_runs import whole_samples
from skeletonagent.inference.added_actions import (
    TAKEN_SHARE,
    AddedAction,
    TrainingFeatures,
    class_logits,
)
from skeletonagent.inference.class_descriptions import describe_by_notes
from skeletonagent.inference.described_actions import (
    DESCRIBED_SHARE,
    ActionDescription,
    claim_in_words,
    motion_of_samples,
)
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.llm.class_notes import bundled_notes

MOST_COMPARED_CLIPS = 2000
"""Training clips that an action is compared with at most."""

_CLEARLY = 1e-3


@dataclass(frozen=True)
class ComparedClips:
    """Training clips of a run.

    Args:
        model: Recognizer of the run.
        loader: Clips as it takes them.
        chosen: Positions of the training clips in the loader's store.
    """

    model: StreamModel
    loader: ClipLoader
    chosen: Int[Tensor, " n"]

    @classmethod
    def of_run(cls, model: StreamModel, archive: str | Path | None) -> ComparedClips:
        """Return the training clips of a run, at most :data:`MOST_COMPARED_CLIPS` of them.

        Args:
            model: Recognizer of the run.
            archive: Archive of the training, if it is not where it was.

        Raises:
            DataError: If the archive is gone.
        """
        settings = model.config.data
        purpose = "the clips of the training are needed to compare the action with"
        data = prepare_named_dataset(settings, archive, purpose)
        _, split = choose_split(data, settings.split)
        store = data.store
        train = draw_training_clips(
            store, store.indices(split.train), settings.clips_per_class, settings.draw_seed
        )
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
        chosen = train[order[:MOST_COMPARED_CLIPS].sort().values]
        return cls(model, model.loader(data), chosen)

    @cached_property
    def features(self) -> TrainingFeatures:
        """Features of the clips, which examples are compared with."""
        model = self.model
        features = model.features(self.loader, self.chosen, model.default_batch_size, None)
        logits = class_logits(model.recognizer.cls_head, features)
        return TrainingFeatures(features, self._labels, logits)

    def described(self, action: AddedAction, description: ClassDescription) -> AddedAction:
        """Return an action with a description.

        Args:
            action: The action, as its examples show it if there are some.
            description: What is claimed of it, against classes of the run too.

        Raises:
            ConfigError: If no claim can be measured on the run's skeleton.
        """
        motion = motion_of_samples(whole_samples(self.loader, self.chosen))
        layout, names = self.loader.store.layout, self.model.metadata.class_names
        known = [
            replace(describe_by_notes(notes, ()), name=name)
            for name, notes in bundled_notes(names).items()
        ]
        scale = ClaimScale.fit(layout, motion, self._labels, names, known)
        described = scale.describe(replace(description, name=action.name))
        words = tuple(map(claim_in_words, description.claims))
        draft = ActionDescription(words, described)
        scores = described.score(layout, motion)
        if action.examples:
            odds = draft.odds_beside(scores, self._odds_of_examples(action))
            threshold = max(0.0, _threshold(odds, TAKEN_SHARE))
        else:
            odds = draft.odds_alone(scores, self._best_probabilities)
            threshold = _threshold(odds, DESCRIBED_SHARE)
        return replace(action, description=replace(draft, threshold=threshold))

    @property
    def _labels(self) -> Int[Tensor, " n"]:
        return self.loader.store.labels[self.chosen].cpu()

    @property
    def _best_probabilities(self) -> Float[Tensor, " n"]:
        """Return the probability of the best class of each clip."""
        found = self.model.predict_loader(self.loader, self.chosen)
        return torch.from_numpy(found.probs.max(axis=1)).float()

    def _odds_of_examples(self, action: AddedAction) -> Float[Tensor, " n"]:
        """Return the logit of an action less that of the best class, for each clip."""
        training = self.features
        logits = training.features @ torch.tensor(action.weight) + action.bias
        return logits - training.logits.amax(dim=1)


def _threshold(odds: Float[Tensor, " n"], share: float) -> float:
    """Return the odds that at most a share of training clips exceed, clearly."""
    return float(odds.quantile(1 - share, interpolation="higher")) + _CLEARLY
