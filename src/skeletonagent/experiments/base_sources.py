"""Data set of a base: archives of any layout and generated motions, all as one common body."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from skeletonagent.core.clips import ClipStore, JoinedSource, SkeletonData, Split
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.outside_text import printable_line
from skeletonagent.data.common_body import (
    FEWEST_COMMON_JOINTS,
    as_common_body,
    common_joints,
    join_stores,
)
from skeletonagent.data.orientation_statistics import describe_orientation
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import Gaps, Orientation, Scale
from skeletonagent.data.synthetic.motion_clips import motion_stores
from skeletonagent.data.synthetic.random_motions import MotionPrograms
from skeletonagent.experiments.auto_recipe import choose_by_statistics
from skeletonagent.experiments.datasets import absolute_archive, open_dataset
from skeletonagent.experiments.unlabelled_sources import unlabelled_stores
from skeletonagent.models.bodies_alone import bodies_alone

GENERATED = "generated"
"""Name of the generated motions among the sources."""

PERFORMANCES = 12
"""Performances of each generated motion."""

SPLIT = "every-tenth"
"""Name of the only split: of each class every tenth clip is held out of the training."""


@dataclass(frozen=True)
class _Source:
    """Samples of a source as the common body, what is recorded of it, and joints left out."""

    store: ClipStore
    record: JoinedSource
    left_out: tuple[str, ...] = ()


def base_dataset(
    archives: Sequence[Path],
    generated: int,
    seed: int,
    unlabelled: Sequence[Path] = (),
    on_remark: Callable[[str], None] = lambda _: None,
) -> SkeletonData:
    """Return the data set that a base is trained on, preprocessed and in memory.

    Each archive is preprocessed as its own clips ask for, see
    :mod:`~skeletonagent.experiments.auto_recipe`; of joints in pictures y points up. Its classes
    are named after it, such as ``utd_mhad: wave``. All samples of an archive are taken, whatever
    its splits.

    Args:
        archives: Skeleton archives.
        generated: Number of generated motions, each of which is a class.
        seed: Seed of the generated motions.
        unlabelled: Archives or recordings of whose clips each is a class of its own.
        on_remark: Function that is called with a line for each source.

    Raises:
        ConfigError: If there is no source, two have one name, or one shares hardly a joint.
        DataError: If a source cannot be used.
    """
    groups = [[_archive_source(path)] for path in archives]
    groups += [_unlabelled_sources(path) for path in unlabelled]
    groups += [list(_generated_sources(generated, seed))] if generated else []
    names = [group[0].record.name for group in groups]
    sources = [source for group in groups for source in group]
    if not sources:
        raise ConfigError(
            "a base needs a source: name archives, unlabelled recordings, or a number of "
            "generated motions"
        )
    if len(set(names)) < len(names):
        raise ConfigError(f"two sources are named alike ({', '.join(names)}); rename one archive")
    class_names: list[str] = []
    offsets = []
    for source in sources:
        named = [f"{source.record.name}: {name}" for name in source.store.class_names]
        if not class_names or class_names[-len(named) :] != named:  # one motion, several layouts
            class_names += named
        offsets.append(len(class_names) - len(named))
    store = join_stores([source.store for source in sources], class_names, offsets)
    records = _records(sources)
    for record in records:
        on_remark(f"{record.name}: {record.clips} clips of {record.classes} classes")
    for source in sources:
        if source.left_out and source.record.archive:
            on_remark(f"{source.record.name}: joints left out: {', '.join(source.left_out)}")
    return SkeletonData(
        name="base",
        title="Sources of a base",
        store=store,
        splits={SPLIT: _every_tenth(store)},
        default_split=SPLIT,
        input_format=store.input_format,
        sources=records,
    )


def _records(sources: Sequence[_Source]) -> tuple[JoinedSource, ...]:
    """Return what is recorded of each source; generated motions are one."""
    records: dict[str, JoinedSource] = {}
    for source in sources:
        record = source.record
        clips = record.clips + (records[record.name].clips if record.name in records else 0)
        records[record.name] = replace(record, clips=clips)
    return tuple(records.values())


def _archive_source(archive: Path) -> _Source:
    """Return the samples of an archive as the common body, centred, scaled and turned."""
    data = open_dataset(archive)
    place = absolute_archive(str(archive))
    record = JoinedSource(data.name, len(data.store), data.store.num_classes, archive=place)
    return _prepared(data.store, record)


def _unlabelled_sources(path: Path) -> list[_Source]:
    """Return unlabelled clips as the common body, as :func:`_archive_source` does."""
    place = absolute_archive(str(path))
    stores = unlabelled_stores(path)
    name = printable_line(path.stem)
    records = (JoinedSource(name, len(s), s.num_classes, archive=place) for s in stores)
    return [_prepared(store, record) for store, record in zip(stores, records, strict=True)]


def _prepared(store: ClipStore, record: JoinedSource) -> _Source:
    """Return samples as the common body, preprocessed as they ask for, each body by itself."""
    joints, left_out = common_joints(store.layout)
    shared = sum(joint is not None for joint in joints)
    if shared < FEWEST_COMMON_JOINTS:
        raise ConfigError(
            f"{record.name} names {shared} joints of the common body, and a base needs "
            f"{FEWEST_COMMON_JOINTS} of them: it has {', '.join(store.layout.joints[:4])}, ...; "
            "name joints such as 'left wrist'"
        )
    statistics = describe_orientation(store, torch.arange(len(store)))
    choices = choose_by_statistics(statistics, store.class_names, bool(store.layout.pairs))
    prepare = Preprocessor(
        scale=Scale.BODY,
        origin=choices.origin,
        orientation=choices.recipe.orientation,
        gaps=Gaps.INTERPOLATE,
        dims=2 if store.coordinates == 2 else "auto",
    )
    named = replace(
        as_common_body(samples_of_bodies_alone(prepare(store))),
        sample_ids=tuple(f"{record.name}/{name}" for name in store.sample_ids),
    )
    return _Source(named, record, left_out)


def samples_of_bodies_alone(store: ClipStore) -> ClipStore:
    """Return samples whose bodies are as :func:`bodies_alone` returns them, if they have several.

    Args:
        store: Preprocessed samples.
    """
    if store.max_persons == 1:
        return store
    frames, channels = store.frames.clone(), store.coordinates
    sizes = zip(store.starts.tolist(), store.lengths.tolist(), store.persons.tolist(), strict=True)
    for start, length, persons in sizes:
        if persons > 1:
            own = frames[start : start + persons * length, :, :channels]
            alone = bodies_alone(own.unflatten(0, (persons, length))[None], store.layout.center)
            own.copy_(alone.flatten(0, 2))
    return replace(store, frames=frames)


def _generated_sources(count: int, seed: int) -> Iterator[_Source]:
    """Yield generated motions as the common body, as seen in each layout."""
    generator = torch.Generator().manual_seed(seed)
    programs = MotionPrograms.draw(count, generator)
    prepare = Preprocessor(scale=Scale.BODY, orientation=Orientation.BODY, gaps=Gaps.INTERPOLATE)
    for store in motion_stores(programs, PERFORMANCES, generator):
        record = JoinedSource(GENERATED, len(store), count, seed=seed)
        yield _Source(as_common_body(prepare(store)), record)


def _every_tenth(store: ClipStore) -> Split:
    """Return a split that holds out every tenth clip of each class."""
    seen = [0] * store.num_classes
    train: list[str] = []
    test: list[str] = []
    for name, label in zip(store.sample_ids, store.labels.tolist(), strict=True):
        seen[label] += 1
        (train if seen[label] % 10 else test).append(name)
    return Split(tuple(train), tuple(test) or tuple(train[:1]))
