"""From a configuration to objects: what each part is given, and what it is kept from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from skeletonagent import build, build_agents
from skeletonagent.config import Config, DataSettings, with_overrides
from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.data.archive import write_archive
from skeletonagent.data.normalising import normalise
from skeletonagent.data.synthetic import synthetic
from skeletonagent.training.checkpoint import Checkpoint

CLASSES = 4
CONFIG = with_overrides(
    Config(),
    [
        "clips.frames=8", "clips.test_clips=2", "model.backbone=stgcn++", "model.width=8",
        "training.batch_size=8", "training.hold_out=0.25", "device=cpu", "seed=3",
    ],
)  # fmt: skip


def unseen(done: int, of: int) -> None: ...


def few(classes: int = CLASSES) -> SkeletonData:
    """Return some classes of the generated data: four subjects, one of them tested."""
    data = synthetic(clips_per_class=4, subjects=4)
    store = data.store
    kept = [store.sequence(n) for n in range(len(store)) if store.labels[n] < classes]
    ids = {sequence.sample_id for sequence in kept}
    split = data.splits["xsub"]
    parts = [tuple(s for s in part if s in ids) for part in (split.train, split.test)]
    return replace(
        data,
        name="few",
        store=ClipStore.from_sequences(kept, store.layout, store.class_names[:classes]),
        splits={"xsub": Split(*parts)},
    )


@pytest.fixture(scope="module")
def data() -> SkeletonData:
    return replace(few(), store=normalise(few().store))


@pytest.fixture(scope="module")
def job(data: SkeletonData) -> build.Job:
    return build.assemble(CONFIG, data)


def test_data_are_read_centred(tmp_path: Path) -> None:
    path = write_archive(few(), tmp_path)
    opened = build.open_data(DataSettings(archive=str(path)))
    assert torch.equal(opened.store.frames, normalise(few().store).frames)
    first = opened.store.starts
    assert not opened.store.frames[first, opened.store.layout.center].any()
    assert torch.equal(build.read_data(str(path)).store.frames, few().store.frames)


def test_data_without_a_file_are_generated(
    data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "synthetic", lambda: data)
    assert build.read_data("synthetic") is data


def test_joints_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    broken = few()
    broken.store.frames[int(broken.store.starts[5]) + 2, 1, 0] = float("nan")
    path = write_archive(broken, tmp_path)
    with pytest.raises(DataError) as caught:
        build.open_data(DataSettings(archive=str(path)))
    assert caught.value.sample == broken.store.sample_ids[5]
    assert build.read_data(str(path)).name == "few"


def subjects(data: SkeletonData, samples: torch.Tensor) -> set[int]:
    assert data.store.groups is not None
    return {data.store.groups[n] for n in samples.tolist()}


def test_nobody_is_in_two_parts(job: build.Job, data: SkeletonData) -> None:
    parts = [subjects(data, p) for p in (job.training.train, job.training.validation, job.test)]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 4
    both = torch.cat([job.training.train, job.training.validation])
    assert {data.store.sample_ids[n] for n in both} == set(data.splits["xsub"].train)
    assert [data.store.sample_ids[n] for n in job.test] == list(data.splits["xsub"].test)
    assert job.tested == {"xsub": set(data.splits["xsub"].test)}


def test_the_agents_see_what_is_learned_from_alone(
    data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    measure = build_agents.measure
    monkeypatch.setattr(
        build_agents, "measure", lambda store, part: (seen.append(part), measure(store, part))[1]
    )
    job = build.assemble(CONFIG, data)
    (part,) = seen
    assert torch.equal(part, job.training.train)


def test_what_is_not_learned_from_changes_no_guidance(data: SkeletonData) -> None:
    job = build.assemble(CONFIG, data)
    frames = data.store.frames.clone()
    for sample in [*job.training.validation.tolist(), *job.test.tolist()]:
        rows = slice(int(data.store.starts[sample]), None)
        frames[rows][: int(data.store.lengths[sample] * data.store.persons[sample])] *= -3
    other = build.assemble(CONFIG, replace(data, store=replace(data.store, frames=frames)))
    counts = Confusions(torch.ones(CLASSES, CLASSES, dtype=torch.long))
    assert job.agents.start(unseen) == other.agents.start(unseen)
    assert job.agents.refresh(counts, job.agents.start(unseen)) == other.agents.refresh(
        counts, other.agents.start(unseen)
    )


def test_rivals_are_at_most_as_many_as_said(data: SkeletonData) -> None:
    job = build.assemble(with_overrides(CONFIG, ["agents.rivals=2"]), data)
    counts = Confusions(torch.ones(CLASSES, CLASSES, dtype=torch.long))
    assert {
        len(c.rivals) for c in job.agents.refresh(counts, job.agents.start(unseen)).classes
    } == {2}


def test_without_agents_only_the_class_counts(data: SkeletonData) -> None:
    job = build.assemble(with_overrides(CONFIG, ["agents.chat=none"]), data)
    assert (
        job.learner.judged.objective.settings.alpha,
        job.learner.judged.objective.settings.beta,
    ) == (0, 0)
    start = job.agents.start(unseen)
    assert start.sentences == data.store.class_names
    counts = Confusions(torch.ones(CLASSES, CLASSES, dtype=torch.long))
    assert job.agents.refresh(counts, start) is start
    assert build.assemble(CONFIG, data).learner.judged.objective.settings == CONFIG.objective


def test_the_seed_makes_the_weights(data: SkeletonData) -> None:
    jobs = []
    for noise, seed in enumerate((3, 3, 4)):
        torch.manual_seed(noise)
        jobs.append(build.assemble(replace(CONFIG, seed=seed), data))
    first, again, other = (job.learner.recognizer.state_dict() for job in jobs)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_splits_that_share_the_training_are_tested_together(data: SkeletonData) -> None:
    split = data.splits["xsub"]
    clean = replace(data, splits={"clean": Split(split.train, split.test[1:]), "xsub": split})
    job = build.assemble(with_overrides(CONFIG, ["data.split=clean"]), clean)
    assert job.config.data.split == "clean"
    assert job.tested == {"clean": set(split.test[1:]), "xsub": set(split.test)}
    assert [clean.store.sample_ids[n] for n in job.test] == list(split.test)


def test_the_split_used_is_told(job: build.Job) -> None:
    assert CONFIG.data.split is None
    assert job.config.data.split == "xsub"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("data.split=nowhere", r"few has no split 'nowhere'; it has xsub"),
        ("model.backbone=resnet", r"no backbone 'resnet'; there are .*stgcn\+\+"),
        ("model.width=1", r"model: 1 channels are too few"),
        ("agents.text_encoder=parrot", r"no text encoder 'parrot'; choose one of: wordllama"),
        ("device=abacus", r"'abacus'"),
    ],
)
def test_what_does_not_fit_is_told(data: SkeletonData, assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build.assemble(with_overrides(CONFIG, [assignment]), data)


def saved(job: build.Job) -> Checkpoint:
    return Checkpoint(1, job.learner.tensors(), build.facts_of(job))


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_saved_recognizer_comes_back(data: SkeletonData, average: float) -> None:
    config = replace(CONFIG, training=replace(CONFIG.training, average=average))
    job = build.assemble(config, data)
    with torch.no_grad():
        for weight in job.learner.averaged.parameters():
            weight += 1  # so that the average is not the weights themselves
    again = build.recognizer_of(saved(job), config, data)
    expected = job.learner.evaluated.state_dict()
    assert again.state_dict().keys() == expected.keys()
    assert all(torch.equal(again.state_dict()[name], expected[name]) for name in expected)


def test_other_classes_are_refused(job: build.Job) -> None:
    with pytest.raises(CheckpointError, match=r"4 classes and 25 joints.*few.*--data"):
        build.recognizer_of(saved(job), CONFIG, few(classes=3))


def test_another_recognizer_is_refused(job: build.Job, data: SkeletonData) -> None:
    with pytest.raises(CheckpointError):
        build.recognizer_of(saved(job), with_overrides(CONFIG, ["model.width=16"]), data)
