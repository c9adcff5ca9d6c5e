"""Actions added to a base, from few examples and without a training: docs/results/base.md.

What `actions add` and `predict` on a base do, the nearest mean of the base's features beside the
kernel ridge classifier of the examples, and that mean alone, against the nearest mean of the joints
themselves: centred, scaled and turned as for the base, 32 frames, by their cosine. `--held-out`
tests on subjects of the training set.

Example:
  python -m benchmarks.base_actions skeletons/utd_mhad --base runs/base --seeds 10
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import torch
import typer
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.base import FOLDS
from skeletonagent.cli.console import print_json
from skeletonagent.core.input_format import InputFormat
from skeletonagent.data.splits import choose_split, leave_subjects_out
from skeletonagent.data.training_draw import draw_training_clips
from skeletonagent.evaluation.predict import sample_features
from skeletonagent.evaluation.significance import mean_interval, paired_difference
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.experiments.fine_tuning import read_source
from skeletonagent.inference.added_actions import ExampleFormat
from skeletonagent.inference.base_actions import (
    base_in_format,
    mean_of_examples,
    recognizing_actions,
)
from skeletonagent.inference.base_examples import (
    MOST_PERSONS,
    WEIGHT,
    classifier_of_examples,
)
from skeletonagent.inference.stream_model import StreamModel

LEAST = math.log(1e-6)
"""Least log probability of the nearest mean that counts, as in a recognizer."""


def main(
    archive: Annotated[Path, typer.Argument(help="Skeleton archive.")],
    base: Annotated[str, typer.Option(help="Run of a pre-training, or base.")] = "runs/base",
    clips: Annotated[str, typer.Option(help="Numbers of examples with commas.")] = "1,2,5",
    seeds: Annotated[int, typer.Option(min=1, help="Draws of the examples.")] = 10,
    split: Annotated[str | None, typer.Option(help="Split of the archive.")] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Test on subjects of the training set.")
    ] = False,
) -> None:
    """Print a line of JSON for each number of examples."""
    data = open_dataset(archive)
    store = data.store
    source = read_source(base)
    model = StreamModel.from_checkpoint(source.checkpoint, device="cpu")
    persons = min(store.max_persons, MOST_PERSONS)
    given = ExampleFormat(InputFormat(store.layout, store.channels), persons)
    fitted = base_in_format(model, source, given)
    sampler = fitted.sampler(fitted.preprocessor(store))
    everything = torch.arange(len(store))
    learned = fitted.features(sampler, everything, fitted.default_batch_size, None)
    raw = torch.cat(
        [
            batch.clips.flatten(1)
            for part in everything.split(256)
            for batch in sampler.test_batches(part, 256, 1)
        ]
    )
    encoder = BaseEncoder.of_base(source, sampler.store)
    of_base = sample_features(encoder, sampler, everything)
    _, parts = choose_split(data, split)
    train, test = store.indices(parts.train), store.indices(parts.test)
    folds = list(leave_subjects_out(store, train, FOLDS, seed=0)) if held_out else []
    for count in map(int, clips.split(",")):
        top1: dict[str, list[float]] = {"joints": [], "means": [], "base": []}
        for seed in range(seeds):
            known, unseen = folds[seed % FOLDS] if folds else (train, test)
            examples = draw_training_clips(store, known, count, seed)
            labels = store.labels[examples]
            means = _added(fitted, learned[examples], labels, learned[unseen])
            classifier = classifier_of_examples(fitted, source, store.subset(examples))
            own = classifier.log_probabilities(sampler.store.subset(unseen), of_base[unseen])
            scored = {
                "joints": _nearest_mean(raw[examples], labels, raw[unseen]),
                "means": means,
                "base": means.log_softmax(dim=1).clamp(min=LEAST) + WEIGHT * own,
            }
            for name, scores in scored.items():
                right = scores.argmax(dim=1) == store.labels[unseen]
                top1[name].append(100 * float(right.float().mean()))
        gain = paired_difference(top1["base"], top1["joints"])
        print_json(
            {
                "archive": archive.name,
                "examples": count,
                **{kind: round(mean_interval(values).mean, 2) for kind, values in top1.items()},
                "gain": round(gain.mean, 2),
                "interval": [None if x is None else round(x, 2) for x in (gain.low, gain.high)],
            }
        )


def _nearest_mean(
    examples: Float[Tensor, "k d"], labels: Tensor, unseen: Float[Tensor, "n d"]
) -> Float[Tensor, "n y"]:
    """Return the cosine of each clip with the mean of each class's examples."""
    named = normalize(examples, dim=1)
    means = torch.stack([named[labels == label].mean(dim=0) for label in labels.unique()])
    return normalize(unseen, dim=1) @ normalize(means, dim=1).T


def _added(
    base: StreamModel, examples: Float[Tensor, "k d"], labels: Tensor, unseen: Float[Tensor, "n d"]
) -> Float[Tensor, "n y"]:
    """Return the logits of each clip for actions that were added to a base."""
    actions = [
        mean_of_examples(str(label), examples[labels == label])
        for label in labels.unique().tolist()
    ]
    with torch.no_grad():
        logits: Tensor = recognizing_actions(base, actions).recognizer.cls_head(unseen)
    return logits


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
