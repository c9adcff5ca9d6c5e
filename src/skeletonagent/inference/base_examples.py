"""Examples of the actions that a base knows, and the classifier that is fitted to them.

The nearest mean of a base's features makes little of what examples show. The kernel ridge
classifier of whole samples, which has these features as one of its kernels, makes more of it, and
is fitted in the time of a prediction. The examples are kept beside the weights, since each further
action needs those of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.errors import DataError
from skeletonagent.data.archive import read_archive
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.experiments.base_kernel import BaseKernel
from skeletonagent.experiments.datasets import write_dataset
from skeletonagent.experiments.fine_tuning import SourceRun
from skeletonagent.experiments.kernel_ridge import MOST_KERNEL_SAMPLES, KernelRidge
from skeletonagent.experiments.training_clips import TrainingClips
from skeletonagent.inference.predictor import Predictor
from skeletonagent.inference.samples import holds_samples, read_samples
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.training.run_directory import RunDirectory

WEIGHT = 3.0
"""Weight of the classifier's log probabilities where those of the nearest mean have 1.

With 1, clips of held-out training subjects of NW-UCLA were recognized three to four points worse,
where means say little; without the means, those of UTD-MHAD with one example two points worse.
"""

MOST_PERSONS = 2
"""Most bodies of an example that are taken."""


def read_examples(predictor: Predictor, file: Path) -> list[SkeletonSequence]:
    """Return the clips of a file of examples with all their bodies.

    Args:
        predictor: Base that takes clips of the examples' layout.
        file: Archive, array or recordings.

    Raises:
        DataError: If it cannot be read, or holds none.
    """
    source = file if holds_samples(file) else predictor.segmenter.arrays(file)
    given = predictor.input_format
    samples = read_samples(source, given, None)
    if not samples:
        raise DataError("holds no example", path=file)
    return samples


def room_for_bodies(samples: Sequence[SkeletonSequence], coordinates: int) -> int:
    """Return the number of bodies that examples need room for.

    Args:
        samples: Examples with all their bodies.
        coordinates: Channels that are coordinates.
    """
    seen = [int(one.joints[..., :coordinates].any(axis=(1, 2, 3)).sum()) for one in samples]
    return min(MOST_PERSONS, max(1, *seen))


def keep_examples(
    run: RunDirectory,
    model: StreamModel,
    source: SourceRun,
    names: Sequence[str],
    kept: Sequence[tuple[str, SkeletonSequence]],
) -> None:
    """Write the examples of all actions of a base, and the classifier that is fitted to them.

    Where those of an action are missing, as in a folder of an earlier version, there is no
    classifier.

    Args:
        run: Folder of the base.
        model: The base in the layout of the examples.
        source: Its checkpoint.
        names: Names of the actions that it knows from now on.
        kept: Their examples, each with the name of its action.
    """
    run.kernel_ridge.unlink(missing_ok=True)
    archive = _archive(run)
    if not kept:
        for file in (archive, archive.with_suffix(".json")):
            file.unlink(missing_ok=True)
        return
    sequences = [
        replace(sample, label=names.index(name), sample_id=f"example{number}")
        for number, (name, sample) in enumerate(kept)
    ]
    ids = [sample.sample_id for sample in sequences]
    given = model.metadata.input_format
    write_dataset(
        sequences, layout=given.layout, class_names=names, splits={"examples": (ids, ids)},
        path=archive, title="Examples of actions",
    )  # fmt: skip
    store = ClipStore.from_sequences(sequences, given.layout, tuple(names))
    if len(store.labels.unique()) == len(names) > 1 and len(store) <= MOST_KERNEL_SAMPLES:
        classifier_of_examples(model, source, store).save(run.kernel_ridge)


def classifier_of_examples(model: StreamModel, source: SourceRun, store: ClipStore) -> KernelRidge:
    """Return the classifier of examples.

    Args:
        model: The base in their layout.
        source: Its checkpoint.
        store: The examples as stored, of at least two classes.
    """
    sampler = model.sampler(model.preprocessor(store))
    clips, samples = sampler.store, torch.arange(len(store))
    encoder = BaseEncoder.of_base(source, clips)
    base = BaseKernel.fit(encoder, sampler, samples, model.default_batch_size)
    return KernelRidge.fit(clips, samples, base=base)


def beside_classifier(model: StreamModel, run: RunDirectory) -> StreamModel:
    """Return a base that tells actions apart with the classifier of its folder, if that has one.

    Args:
        model: Base that tells the actions apart by their means.
        run: Folder of the base.

    Raises:
        DataError: If the file is damaged, or of other actions.
    """
    if not run.kernel_ridge.exists():
        return model
    classifier, count = KernelRidge.load(run.kernel_ridge), len(model.metadata.class_names)
    if len(classifier.intercept) != count:
        raise DataError(
            f"is of {len(classifier.intercept)} actions, and {run.actions} has {count}; remove it "
            "to go by means alone",
            path=run.kernel_ridge,
        )
    config = model.config
    weighted = replace(config, kernel_ridge=replace(config.kernel_ridge, weight=WEIGHT))
    return replace(
        model, kernel_ridge=classifier, metadata=replace(model.metadata, config=weighted)
    )


def clips_of_examples(run: RunDirectory) -> TrainingClips | None:
    """Return lengths and persons of the examples of a base; None where there are none.

    Raises:
        DataError: If they cannot be read.
    """
    archive = _archive(run)
    return TrainingClips.of(read_archive(archive).store, ()) if archive.exists() else None


def stored_examples(run: RunDirectory, names: Sequence[str]) -> list[tuple[str, SkeletonSequence]]:
    """Return the examples that the folder of a base keeps of these actions, with their names.

    Raises:
        DataError: If they cannot be read.
    """
    archive = _archive(run)
    if not archive.exists():
        return []
    store = read_archive(archive).store
    samples = [store.sequence(number) for number in range(len(store))]
    named = [(store.class_names[sample.label], sample) for sample in samples]
    return [(name, sample) for name, sample in named if name in names]


def _archive(run: RunDirectory) -> Path:
    """Return the archive of a base's examples."""
    return run.path / "examples.npz"
