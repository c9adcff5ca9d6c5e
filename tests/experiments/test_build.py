"""From a configuration to objects: what each part is given, and what it is kept from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.data.archive import write_archive
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import DataSettings
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import build, build_agents, datasets
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.training.checkpoint import Checkpoint

CLASSES = 4
CONFIG = with_overrides(
    Config(),
    [
        "clips.frames=8", "clips.test_clips=2", "model.backbone=stgcn++", "model.width=8",
        "training.batch_size=8", "training.validation_share=0.25", "device=cpu", "seed=3",
    ],
)  # fmt: skip


def unseen(done: int, of: int) -> None: ...


def few(classes: int = CLASSES) -> SkeletonData:
    """Return some classes of the generated data: four subjects, one of them tested."""
    data = synthetic_dataset(clips_per_class=4, subjects=4)
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
    return replace(few(), store=Preprocessor()(few().store))


@pytest.fixture(scope="module")
def job(data: SkeletonData) -> build.Experiment:
    return build.build_experiment(CONFIG, data)


def test_data_are_read_centred(tmp_path: Path) -> None:
    path = write_archive(few(), tmp_path)
    opened = datasets.prepare_dataset(DataSettings(archive=str(path)))
    assert torch.equal(opened.store.frames, Preprocessor()(few().store).frames)
    first = opened.store.starts
    assert not opened.store.frames[first, opened.store.layout.center].any()
    assert torch.equal(datasets.open_dataset(str(path)).store.frames, few().store.frames)


def test_data_without_a_file_are_generated(
    data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "synthetic_dataset", lambda: data)
    assert datasets.open_dataset("synthetic") is data


def test_joints_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    broken = few()
    broken.store.frames[int(broken.store.starts[5]) + 2, 1, 0] = float("nan")
    path = write_archive(broken, tmp_path)
    with pytest.raises(DataError) as caught:
        datasets.prepare_dataset(DataSettings(archive=str(path)))
    assert caught.value.sample == broken.store.sample_ids[5]
    assert datasets.open_dataset(str(path)).name == "few"


def subjects(data: SkeletonData, samples: torch.Tensor) -> set[int]:
    assert data.store.subjects is not None
    return {data.store.subjects[n] for n in samples.tolist()}


def test_training_validation_and_test_set_are_disjoint(
    job: build.Experiment, data: SkeletonData
) -> None:
    parts = [
        subjects(data, p)
        for p in (job.train_data.train, job.train_data.validation, job.test_samples)
    ]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 4
    both = torch.cat([job.train_data.train, job.train_data.validation])
    assert {data.store.sample_ids[n] for n in both} == set(data.splits["xsub"].train)
    assert [data.store.sample_ids[n] for n in job.test_samples] == list(data.splits["xsub"].test)
    assert job.evaluation_parts == {"xsub": set(data.splits["xsub"].test)}


def test_the_agents_see_the_training_set_alone(
    data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    measure = build_agents.measure_labelled_clips
    monkeypatch.setattr(
        build_agents,
        "measure_labelled_clips",
        lambda store, part: (seen.append(part), measure(store, part))[1],
    )
    job = build.build_experiment(CONFIG, data)
    (part,) = seen
    assert torch.equal(part, job.train_data.train)


def test_validation_and_test_samples_do_not_change_guidance(data: SkeletonData) -> None:
    job = build.build_experiment(CONFIG, data)
    frames = data.store.frames.clone()
    for sample in [*job.train_data.validation.tolist(), *job.test_samples.tolist()]:
        rows = slice(int(data.store.starts[sample]), None)
        frames[rows][: int(data.store.lengths[sample] * data.store.persons[sample])] *= -3
    other = build.build_experiment(CONFIG, replace(data, store=replace(data.store, frames=frames)))
    counts = Confusions(torch.ones(CLASSES, CLASSES, dtype=torch.long))
    assert job.agents.start(unseen) == other.agents.start(unseen)
    assert job.agents.refresh(counts, job.agents.start(unseen)) == other.agents.refresh(
        counts, other.agents.start(unseen)
    )


def test_rivals_are_at_most_max_rivals(data: SkeletonData) -> None:
    job = build.build_experiment(with_overrides(CONFIG, ["agents.max_rivals=2"]), data)
    counts = Confusions(torch.ones(CLASSES, CLASSES, dtype=torch.long))
    assert {
        len(c.rivals) for c in job.agents.refresh(counts, job.agents.start(unseen)).classes
    } == {2}


def test_without_agents_the_class_loss_alone_is_trained(data: SkeletonData) -> None:
    job = build.build_experiment(with_overrides(CONFIG, ["agents.chat=none"]), data)
    loss = job.state.model_with_loss.loss
    assert (loss.alpha, loss.beta) == (job.config.loss.alpha, job.config.loss.beta) == (0, 0)
    start = job.agents.start(unseen)
    assert start.sentences == data.store.class_names
    counts = Confusions(torch.ones(CLASSES, CLASSES, dtype=torch.long))
    assert job.agents.refresh(counts, start) is start
    guided = build.build_experiment(CONFIG, data)
    loss = guided.state.model_with_loss.loss
    assert guided.config.loss == CONFIG.loss
    assert (loss.alpha, loss.beta) == (CONFIG.loss.alpha, CONFIG.loss.beta)


def test_a_complete_configuration_stays_as_it_is(data: SkeletonData) -> None:
    for chat in ("none", "analyst"):
        config = with_overrides(CONFIG, [f"agents.chat={chat}"])
        complete = build.complete_config(config, data)
        assert build.complete_config(complete, data) == complete
        assert complete.data.split == data.default_split
        assert replace(complete, data=config.data, loss=config.loss) == config


def test_the_seed_makes_the_weights(data: SkeletonData) -> None:
    jobs = []
    for noise, seed in enumerate((3, 3, 4)):
        torch.manual_seed(noise)
        jobs.append(build.build_experiment(replace(CONFIG, seed=seed), data))
    first, again, other = (job.state.recognizer.state_dict() for job in jobs)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_splits_that_share_the_training_are_tested_together(data: SkeletonData) -> None:
    split = data.splits["xsub"]
    clean = replace(data, splits={"clean": Split(split.train, split.test[1:]), "xsub": split})
    job = build.build_experiment(with_overrides(CONFIG, ["data.split=clean"]), clean)
    assert job.config.data.split == "clean"
    assert job.evaluation_parts == {"clean": set(split.test[1:]), "xsub": set(split.test)}
    assert [clean.store.sample_ids[n] for n in job.test_samples] == list(split.test)


def test_the_configuration_names_the_split(job: build.Experiment) -> None:
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
def test_a_configuration_that_does_not_fit_is_refused(
    data: SkeletonData, assignment: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build.build_experiment(with_overrides(CONFIG, [assignment]), data)


def saved(job: build.Experiment) -> Checkpoint:
    return Checkpoint(1, job.state.tensors(), job.metadata.to_json())


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_saved_recognizer_is_loaded(data: SkeletonData, ema_decay: float) -> None:
    config = replace(CONFIG, training=replace(CONFIG.training, ema_decay=ema_decay))
    job = build.build_experiment(config, data)
    with torch.no_grad():
        for weight in job.state.eval_model.parameters():
            weight += 1  # so that the ema_decay is not the weights themselves
    again = build.load_recognizer(saved(job))
    expected = job.state.eval_model.state_dict()
    assert again.state_dict().keys() == expected.keys()
    assert all(torch.equal(again.state_dict()[name], expected[name]) for name in expected)


def test_other_classes_are_refused(job: build.Experiment) -> None:
    with pytest.raises(CheckpointError, match=r"4 classes and 25 joints.*few.*--data"):
        job.metadata.require_same_task(few(classes=3))


def test_other_channels_are_refused(job: build.Experiment, data: SkeletonData) -> None:
    flat = replace(data, store=replace(data.store, frames=data.store.frames[..., :2]))
    with pytest.raises(CheckpointError, match=r"3 channels and few has 2"):
        job.metadata.require_same_task(flat)


def test_another_recognizer_is_refused(job: build.Experiment) -> None:
    wider = replace(job.metadata, config=with_overrides(CONFIG, ["model.width=16"]))
    with pytest.raises(CheckpointError, match=r"another one than asked for"):
        build.load_recognizer(saved(job), wider)


def test_metadata_are_read_again(job: build.Experiment) -> None:
    assert RecognizerMetadata.from_json(job.metadata.to_json()) == job.metadata
    with pytest.raises(CheckpointError, match="persons"):
        RecognizerMetadata.from_json(
            {key: value for key, value in job.metadata.to_json().items() if key != "persons"}
        )


def test_absent_joints_are_filled_in_and_their_poses_kept(data: SkeletonData) -> None:
    store = data.store
    frames, present = store.frames.clone(), store.present.clone()
    rows = slice(0, int(store.lengths[0]))
    frames[rows, 5], present[rows, 5] = 0, False
    lacking = replace(data, store=replace(store, frames=frames, present=present))
    config = with_overrides(CONFIG, ["data.imputation=pose"])
    job = build.build_experiment(config, lacking)
    assert job.data.store.frames[rows, 5].any() and bool(job.data.store.present[rows, 5].all())
    kept = RecognizerMetadata.from_json(json.loads(json.dumps(job.metadata.to_json()))).poses
    assert kept is not None and job.metadata.poses is not None
    assert (kept.axes == job.metadata.poses.axes).all()
    assert build.build_experiment(CONFIG, lacking).metadata.poses is None
