"""Scores of bases with few clips of an archive, all with the same draws, kept in a file.

They are those of :mod:`benchmarks.base_kernel`: of the kernel ridge classifier alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from benchmarks.base import FOLDS
from skeletonagent.core.files import write_text
from skeletonagent.data.loader import ClipLoader
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.splits import choose_split, leave_subjects_out
from skeletonagent.data.training_draw import draw_training_clips
from skeletonagent.evaluation.predict import sample_features
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.experiments.base_kernel import BaseKernel
from skeletonagent.experiments.build import build_loader
from skeletonagent.experiments.datasets import open_dataset, preprocess_dataset
from skeletonagent.experiments.fine_tuning import read_source
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.experiments.kernel_ridge_fit import solve_kernel_ridge, subject_groups
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import resolve_config
from skeletonagent.experiments.standardizer import Standardizer, gaussian, median_square_distance

WITHOUT = "none"
"""Name of the row that has no base."""

Score = tuple[float, float]
"""Accuracy in percent, and cross-entropy."""


@dataclass(frozen=True)
class Measurement:
    """Draws of few clips of an archive, and the scores of bases that are known already.

    Args:
        loader: Clips of the archive as its recipe takes them.
        folds: Samples to learn from and to test on.
        draws: Number of draws.
        file: File of the scores.
    """

    loader: ClipLoader
    folds: tuple[tuple[Tensor, Tensor], ...]
    draws: int
    file: Path
    _features_of: dict[Path, Tensor] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def open(
        cls, target: Path, preset: str, split: str | None, draws: int, test: bool, out: Path
    ) -> Measurement:
        """Return the measurement of an archive; its scores are in a file of these settings."""
        assignments = ["agents.chat=none", "kernel_ridge.base=none"]
        config = resolve_config(preset, PresetSize.SMALL, None, target, assignments)
        data = preprocess_dataset(open_dataset(target), Preprocessor.from_settings(config.data))
        loader = build_loader(config, data, torch.device("cpu"))
        name, parts = choose_split(data, split or config.data.split)
        train, unseen = data.store.indices(parts.train), data.store.indices(parts.test)
        folds = ((train, unseen),) if test else leave_subjects_out(data.store, train, FOLDS, 0)
        kind = "test" if test else "held_out"
        file = out / "scores" / f"{target.name}_{preset}_{name}_{kind}_draws{draws}.json"
        return cls(loader, tuple(folds), draws, file)

    def scores(self, bases: Mapping[str, Path], count: int | None) -> dict[str, list[Score]]:
        """Return the scores of each draw without a base and with each, those known from the file.

        Args:
            bases: Runs by the names of their rows.
            count: Clips of a class; all if None.
        """
        known = json.loads(self.file.read_text()) if self.file.exists() else {}
        keys = {name: f"{run.name} {count}" for name, run in bases.items()}
        keys = {WITHOUT: f"{WITHOUT} {count}", **keys}
        missing = {name: bases.get(name) for name, key in keys.items() if key not in known}
        if missing:
            rows = list(self._measured(missing, count))
            known |= {keys[name]: [row[name] for row in rows] for name in missing}
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.file, json.dumps(known))
        return {name: [(top1, loss) for top1, loss in known[key]] for name, key in keys.items()}

    def _measured(
        self, bases: Mapping[str, Path | None], count: int | None
    ) -> Iterator[dict[str, Score]]:
        """Yield the scores of each draw; a base that is None is none."""
        features = {
            name: None if run is None else self._features(run) for name, run in bases.items()
        }
        for draw in range(len(self.folds) if count is None else self.draws):
            known, unseen = self.folds[draw % len(self.folds)]
            chosen = draw_training_clips(self.loader.store, known, count, draw)
            fitted = DrawnSamples.of(self.loader, chosen, unseen)
            yield {name: fitted.score(raw) for name, raw in features.items()}

    def _features(self, run: Path) -> Float[Tensor, "n d"]:
        """Return the features of a base of all samples."""
        if run not in self._features_of:
            store, (train, _) = self.loader.store, self.folds[0]
            encoder = BaseEncoder.of_base(read_source(run), store.subset(train))
            everything = torch.arange(len(store))
            self._features_of[run] = sample_features(encoder, self.loader, everything)
        return self._features_of[run]


@dataclass(frozen=True)
class DrawnSamples:
    """Samples to learn from and to test on, and their kernels without a base.

    Args:
        loader: Clips of the archive.
        chosen: Positions of the samples to learn from.
        unseen: Positions of those to test on.
        kernel: Kernel of the former.
        between: Kernel of the latter with the former.
    """

    loader: ClipLoader
    chosen: Int[Tensor, " k"]
    unseen: Int[Tensor, " n"]
    kernel: Float[Tensor, "k k"]
    between: Float[Tensor, "n k"]

    @classmethod
    def of(
        cls, loader: ClipLoader, chosen: Int[Tensor, " k"], unseen: Int[Tensor, " n"]
    ) -> DrawnSamples:
        """Return the samples with the kernels of :class:`KernelRidge`."""
        store = loader.store
        fitted = KernelRidge.fit(store, chosen)
        (own, motion), (others, moved) = (
            fitted.features(store.subset(part)) for part in (chosen, unseen)
        )
        kernels = (
            (one @ own.T).double() / own.shape[1] + gaussian(moving, motion, fitted.reach)
            for one, moving in ((own, motion), (others, moved))
        )
        return cls(loader, chosen, unseen, *kernels)

    def score(self, raw: Float[Tensor, "s d"] | None) -> Score:
        """Return accuracy and cross-entropy with the features of a base of all samples, or none."""
        store, kernel, between = self.loader.store, self.kernel, self.between
        if raw is not None:
            standardize = Standardizer.of(raw[self.chosen])
            features = standardize(raw[self.chosen])
            base = BaseKernel(standardize, features, median_square_distance(features))
            kernel = kernel + base.of_training()
            between = between + base.between(raw[self.unseen])
        targets = 2 * one_hot(store.labels[self.chosen], store.num_classes).double() - 1
        solution = solve_kernel_ridge(kernel, targets, subject_groups(store.subset(self.chosen)))
        logs = solution.sharpness * (between @ solution.dual + targets.mean(dim=0))
        labels = store.labels[self.unseen]
        right = (logs.argmax(dim=1) == labels).double().mean()
        return 100 * float(right), float(cross_entropy(logs, labels))
