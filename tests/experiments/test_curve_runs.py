"""A learning curve in a folder: its runs, that none is repeated, and what it measures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.small_run import CLASSES, swinging

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import COCO_17
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.training_draw import draw_training_clips
from skeletonagent.evaluation.nearest_mean import nearest_mean_accuracies
from skeletonagent.experiments import curve_runs
from skeletonagent.experiments.build import build_experiment, build_loader
from skeletonagent.experiments.config import Config, read_config, with_overrides, write_config
from skeletonagent.experiments.curve_plan import CurvePlan, curve_devices, parse_clips, plan_curve
from skeletonagent.experiments.curve_runs import (
    BESIDE_CURVE,
    NEAREST_MEAN,
    learning_curve,
    measure_curve,
)
from skeletonagent.experiments.datasets import preprocess_dataset
from skeletonagent.experiments.learning_curve import RECOGNIZER
from skeletonagent.training.run_directory import RunDirectory

CONFIG = with_overrides(
    Config(),
    [
        "clips.frames=8", "clips.test_clips=1", "model.backbone=tiny-gcn", "model.width=8",
        "training.epochs=1", "training.batch_size=8", "agents.chat=none", "device=cpu",
        "training.validation_share=0",
    ],
)  # fmt: skip

TRAIN = {"wave": 6, "jump": 4, "squat": 3}
"""Training clips of each class."""


@pytest.fixture(scope="module")
def raw() -> SkeletonData:
    """Three classes of unequal size, three subjects, and two test clips of each class."""
    sequences, train, test = [], [], []
    for label, name in enumerate(CLASSES):
        for n in range(TRAIN[name] + 2):
            sample = f"{name}{n}"
            (train if n < TRAIN[name] else test).append(sample)
            joints = swinging(label, seed=10 * label + n)
            sequences.append(SkeletonSequence(joints, label, sample, subject=n % 3))
    store = ClipStore.from_sequences(sequences, COCO_17, CLASSES)
    split = Split(tuple(train), tuple(test))
    return SkeletonData(
        "few", "Few", store, {"main": split, "untested": Split(split.test, ())}, "main"
    )


@pytest.fixture(scope="module")
def data(raw: SkeletonData) -> SkeletonData:
    return preprocess_dataset(raw, Preprocessor.from_settings(CONFIG.data))


def finish(plan: CurvePlan, top1: Callable[[str, int], float]) -> None:
    """Leave finished runs behind, with an accuracy by size and seed."""
    for key, config in plan.runs.items():
        run = RunDirectory(plan.directory(key))
        write_config(replace(config, device="cuda:1"), run.config)
        run.summary.write_text(json.dumps({"top1": top1(*key)}))


def test_numbers_of_clips() -> None:
    assert parse_clips(["5", " 1 ", "all", 5]) == [1, 5, None]
    assert parse_clips([20, 3]) == [3, 20]
    for wrong in ("0", "-1", "many", "1.5", ""):
        with pytest.raises(ConfigError, match=r"above 0 and 'all', such as 1,5,20,all; got"):
            parse_clips(["1", wrong])
    with pytest.raises(ConfigError, match="got none"):
        parse_clips([])


def test_runs_of_a_curve(data: SkeletonData, tmp_path: Path) -> None:
    config = replace(CONFIG, seed=4, data=replace(CONFIG.data, draw_seed=9))
    plan = plan_curve(config, data, [1, 4, 6, 50, None], 2, tmp_path)
    assert plan.sizes == {
        "1": 1.0,
        "4": pytest.approx((4 + 4 + 3) / 3),
        "all": pytest.approx(13 / 3),
    }
    assert list(plan.runs) == [(size, seed) for seed in (4, 5) for size in ("1", "4", "all")]
    drawn = {key: (c.data.clips_per_class, c.data.draw_seed) for key, c in plan.runs.items()}
    assert drawn["4", 5] == (4, 10) and drawn["all", 4] == drawn["all", 5] == (None, 9)
    assert {(c.seed, c.data.split) for c in plan.runs.values()} == {(4, "main"), (5, "main")}
    assert plan.directory(("4", 5)) == tmp_path / "clips4" / "seed5"
    assert plan.directory(("all", 4)) == tmp_path / "all" / "seed4"


def test_what_cannot_be_planned(data: SkeletonData, tmp_path: Path) -> None:
    drawn = replace(CONFIG, data=replace(CONFIG.data, clips_per_class=3))
    with pytest.raises(ConfigError, match=r"sets data\.clips_per_class itself"):
        plan_curve(drawn, data, [1], 1, tmp_path)
    untested = replace(CONFIG, data=replace(CONFIG.data, split="untested"))
    with pytest.raises(DataError, match="no training or no test set in the split 'untested'"):
        plan_curve(untested, data, [1], 1, tmp_path)


def test_only_unfinished_runs_are_left(data: SkeletonData, tmp_path: Path) -> None:
    few = plan_curve(CONFIG, data, [1, None], 1, tmp_path)
    finish(few, lambda size, seed: 0.5)
    assert few.unfinished() == {}
    more = plan_curve(CONFIG, data, [1, 2, None], 2, tmp_path)
    assert list(more.unfinished()) == [
        tmp_path / "clips2" / "seed0",
        *(tmp_path / size / "seed1" for size in ("clips1", "clips2", "all")),
    ]
    other = plan_curve(replace(CONFIG, precision="bf16"), data, [1], 1, tmp_path)
    with pytest.raises(ConfigError, match="was run with another configuration"):
        other.unfinished()
    with pytest.raises(DataError, match="holds no finished run"):
        measure_curve(more, data)


def test_a_run_trains_on_its_draw_and_is_tested_on_the_whole_test_set(
    data: SkeletonData, tmp_path: Path
) -> None:
    plan = plan_curve(CONFIG, data, [2, None], 1, tmp_path)
    for (size, _), config in plan.runs.items():
        experiment = build_experiment(config, data)
        trained = experiment.train_data.train
        counts = Counter(data.store.labels[trained].tolist())
        assert sorted(counts.values()) == ([2, 2, 2] if size == "2" else [3, 4, 6])
        assert len(experiment.test_samples) == 6
        whole = data.store.indices(data.splits["main"].train)
        wanted = draw_training_clips(data.store, whole, config.data.clips_per_class, 0)
        assert trained.tolist() == wanted.tolist()


def test_all_methods_see_the_same_draws(
    data: SkeletonData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[int], int]] = []

    class Result:
        class predictions:
            @staticmethod
            def topk_accuracy(k: int) -> float:
                return len(seen) / 100

    def fitted(method: str, store: Any, train: Any, test: Any, seed: int) -> Any:
        assert method == BESIDE_CURVE
        seen.append((train.tolist(), seed))
        return Result

    monkeypatch.setattr(curve_runs, "predict_baseline", fitted)
    monkeypatch.setattr(curve_runs, "require_sklearn", lambda: None)
    plan = plan_curve(CONFIG, data, [1, 3, None], 2, tmp_path)
    finish(plan, lambda size, seed: {"1": 0.3, "3": 0.5, "all": 0.6}[size] + seed / 10)
    curve = measure_curve(plan, data)
    split = data.splits["main"]
    train, test = data.store.indices(split.train), data.store.indices(split.test)
    draws = [
        draw_training_clips(data.store, train, c.data.clips_per_class, c.data.draw_seed)
        for c in plan.runs.values()
    ]
    assert seen == [(d.tolist(), key[1]) for d, key in zip(draws, plan.runs, strict=True)]
    loader = build_loader(CONFIG, data, torch.device("cpu"))
    nearest = nearest_mean_accuracies(loader, draws, test)
    found = {name: [p.top1 for p in curve.method(name)] for name in curve.methods}
    assert found == {
        RECOGNIZER: [(0.3, 0.4), (0.5, 0.6), (0.6, 0.7)],
        NEAREST_MEAN: [(nearest[n], nearest[n + 3]) for n in range(3)],
        BESIDE_CURVE: [(0.01, 0.04), (0.02, 0.05), (0.03, 0.06)],
    }
    assert (curve.classes, curve.test_samples, curve.split) == (3, 6, "main")
    assert measure_curve(plan, data).points == curve.points and len(seen) == 6
    assert measure_curve(plan, data, baseline=False).methods == [RECOGNIZER, NEAREST_MEAN]


def test_a_curve_of_data_in_memory(raw: SkeletonData, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "data": raw, "out": tmp_path, "clips": (1, "all"), "draws": 1, "baseline": False,
    }  # fmt: skip
    curve = learning_curve(CONFIG, **options)
    assert [p.size for p in curve.method(RECOGNIZER)] == ["1", "all"]
    saved = json.loads((tmp_path / "curve.json").read_text())
    assert saved == json.loads(json.dumps(curve.to_json()))
    config = read_config(tmp_path / "clips1" / "seed0" / "config.yaml")
    assert (config.data.clips_per_class, config.data.archive) == (1, "few")
    summary = RunDirectory(tmp_path / "all" / "seed0").read_summary()
    assert summary and summary["top1"] == curve.method(RECOGNIZER)[1].top1[0]
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("summary.json")}
    assert learning_curve(CONFIG, **options).points == curve.points
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("summary.json")}


def test_devices_of_a_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert curve_devices(CONFIG, 18) == ["cpu"] * 4
    assert curve_devices(CONFIG, 3) == ["cpu"] * 3
