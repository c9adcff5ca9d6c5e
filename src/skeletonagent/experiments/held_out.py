"""Predictions of training clips by recognizers that were trained without them."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from skeletonagent.core.clips import SkeletonData, Split
from skeletonagent.core.errors import TrainingInterrupted
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.splits import leave_subjects_out
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import preprocess_dataset
from skeletonagent.experiments.run import no_display, run_experiment
from skeletonagent.training.run_directory import RunDirectory


def held_out_predictions(config: Config, data: SkeletonData, folds: int) -> ClassProbabilities:
    """Return the class probabilities of each clip when its fold is held out of the training.

    Args:
        config: Configuration to train with.
        data: Stored clips, all of which are training clips.
        folds: Number of folds, by subject where subjects are known.

    Raises:
        KeyboardInterrupt: If a signal interrupted a training, of which nothing is kept.
    """
    store = data.store
    samples = torch.arange(len(store), device=store.device)
    parts = []
    for trained, held_out in leave_subjects_out(store, samples, folds, seed=0):
        names = [[store.sample_ids[i] for i in part.tolist()] for part in (trained, held_out)]
        split = {"fold": Split(*map(tuple, names))}
        folded = replace(config, data=replace(config.data, split="fold", clips_per_class=None))
        prepared = preprocess_dataset(
            replace(data, splits=split, default_split="fold"),
            Preprocessor.from_settings(folded.data),
        )
        with tempfile.TemporaryDirectory() as folder:
            run = RunDirectory(Path(folder) / "run")
            try:
                run_experiment(folded, prepared, run.path, resume=False, watch=no_display)
            except TrainingInterrupted as stopped:
                raise KeyboardInterrupt from stopped
            parts.append(ClassProbabilities.load(run.predictions))
    return ClassProbabilities(
        tuple(sample for part in parts for sample in part.sample_ids),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.probs for part in parts]),
    )
