"""Bases: the sources that they are trained on, and trainings that begin with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.small_run import samples, small_archive

from skeletonagent.api import Run, train
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.data.common_body import COMMON_BODY
from skeletonagent.experiments.base_sources import PERFORMANCES, base_dataset
from skeletonagent.experiments.build import load_recognizer
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.curve_config import curve_config
from skeletonagent.experiments.datasets import write_dataset
from skeletonagent.experiments.fine_tuning import InitialWeights, read_source
from skeletonagent.experiments.from_base import LEARNING_RATE, base_settings
from skeletonagent.experiments.pretraining import pretrain
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import plan_training
from skeletonagent.experiments.training_request import TrainingRequest

QUICK = {
    "clips.frames": 8, "model.readout_width": 4, "model.width": 4, "training.steps": 4,
    "training.batch_size": 8, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("archives")
    deep = small_archive(folder / "deep", samples(channels=3))
    return {"flat": small_archive(folder / "flat"), "deep": deep}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, archives: dict[str, Path]) -> Path:
    out = tmp_path_factory.mktemp("bases") / "base"
    pretrain(
        archives["deep"], out=out, generated=3, overrides=QUICK, export=out.parent / "exported"
    )
    return out


def test_classes_are_named_after_their_source(archives: dict[str, Path]) -> None:
    remarks: list[str] = []
    data = base_dataset([archives["flat"], archives["deep"]], 2, 0, on_remark=remarks.append)
    assert data.store.class_names == (
        "flat: wave", "flat: jump", "flat: squat", "deep: wave", "deep: jump", "deep: squat",
        "generated: motion 0", "generated: motion 1",
    )  # fmt: skip
    assert len(data.store) == 24 + 2 * PERFORMANCES
    assert [(s.name, s.clips, s.classes) for s in data.sources] == [
        ("flat", 12, 3), ("deep", 12, 3), ("generated", 2 * PERFORMANCES, 2),
    ]  # fmt: skip
    assert data.store.max_persons == 2
    pair = next(n for n, m in enumerate(data.store.persons.tolist()) if m > 1)
    second = data.store.sequence(pair).joints[1]
    center = second[0, COMMON_BODY.joints.index("middle of shoulders")]
    np.testing.assert_allclose(center, 0, atol=1e-6)  # the second body too begins at the origin
    assert "flat: 12 clips of 3 classes" in remarks
    assert "flat: joints left out: left eye, right eye, left ear, right ear" in remarks
    labels = data.store.labels.bincount().tolist()
    assert labels == [4] * 6 + [PERFORMANCES] * 2


def test_a_tenth_is_held_out(archives: dict[str, Path]) -> None:
    split = base_dataset([archives["deep"]], 2, 0).splits["every-tenth"]
    assert len(split.test) == 2 and not set(split.test) & set(split.train)


def test_joints_of_pictures_stand_upright_without_depth(archives: dict[str, Path]) -> None:
    data = base_dataset([archives["flat"]], 0, 0)
    assert not data.store.frames[..., 2].any()


def test_sources_that_cannot_be_used_are_refused(tmp_path: Path, archives: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="a base needs a source"):
        base_dataset([], 0, 0)
    with pytest.raises(ConfigError, match="two sources are named alike"):
        base_dataset([archives["flat"], archives["flat"]], 0, 0)
    with pytest.raises(ConfigError, match="two sources are named alike"):
        base_dataset([small_archive(tmp_path / "generated")], 1, 0)
    numbered = SkeletonLayout("numbered", tuple(f"joint{n}" for n in range(17)), COCO_17.bones)
    path = write_dataset(
        samples(), layout=numbered, class_names=("a", "b", "c"), path=tmp_path / "numbered",
        splits={"half": (["clip0"], ["clip1"])},
    )  # fmt: skip
    with pytest.raises(ConfigError, match="names 0 joints of the common body"):
        base_dataset([path], 0, 0)


def test_a_training_begins_with_a_base(
    base: Path, archives: dict[str, Path], tmp_path: Path
) -> None:
    run = train(
        init_from=base, data=archives["flat"], out=tmp_path / "run",
        overrides={"training.steps": 3, "training.batch_size": 4, "agents.chat": "none"},
    )  # fmt: skip
    _require_begun(run, base)
    assert run.config.data.dims == 2  # y points up, as in the base
    assert (tmp_path / "run" / "choices.json").exists()
    assert run.config.clips.frames == 8 and run.config.model.readout_width == 4
    again = train(init_from=base, out=tmp_path / "run", data=archives["flat"], resume=True)
    assert again.summary == run.summary


def _require_begun(run: Run, base: Path) -> None:
    assert run.summary is not None
    record = run.summary["initial_weights"]
    assert record["source"] == str(base)
    assert [s["name"] for s in record["pretrained_on"]] == ["deep", "generated"]
    assert record["fresh_joints"] == ["left eye", "right eye", "left ear", "right ear", "thorax"]
    assert run.config.training.learning_rate == LEARNING_RATE
    assert any(name.startswith("readout.layers") for name in record["weights"]["whole"])
    assert "backbone.blocks.0.position" in record["weights"]["in_part"]


def test_the_command_plans_the_same_and_resumes(
    base: Path, archives: dict[str, Path], tmp_path: Path
) -> None:
    request = TrainingRequest(
        archive=archives["flat"], init_from=base, assignments=("training.steps=3",)
    )
    ((out, config),) = plan_training(request, tmp_path / "run", resume=False).items()
    assert out == tmp_path / "run" and config.training.steps == 3
    assert config.training.init_from == str(base) and config.data.dims == 2
    assert config.training.learning_rate == LEARNING_RATE
    assert config.augment.crop == 0.5  # that of joints of pictures
    named = TrainingRequest(config="tiny-nothing", archive=archives["flat"], init_from=base)
    with pytest.raises(ConfigError, match="tiny-nothing"):
        plan_training(named, tmp_path / "other", resume=False)


def test_a_base_has_no_clips_of_its_own(base: Path, archives: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="is a base for other clips"):
        base_settings(base, None)
    assert base_settings(None, archives["flat"]) == {}
    assert "data.dims" not in base_settings(base, archives["deep"])
    assert [source.name for source in read_source(base).metadata.sources] == ["deep", "generated"]


def test_an_exported_base_is_the_same_in_half_precision(base: Path) -> None:
    whole, exported = read_source(base), read_source(base.parent / "exported")
    averaged = whole.checkpoint.tensors_under("ema")
    halves = exported.checkpoint.tensors_under("recognizer")
    assert averaged.keys() - halves.keys() == {"cls_head.fc.weight", "cls_head.fc.bias"}
    assert {t.dtype for t in halves.values() if t.ndim > 1} == {torch.float16}
    for name, tensor in halves.items():
        torch.testing.assert_close(tensor.to(averaged[name]), averaged[name], atol=1e-3, rtol=1e-3)
    assert [s.archive for s in exported.metadata.sources] == ["deep.npz", None]
    assert (
        str(base.parent)
        not in (base.parent / "exported").rglob("state.json").__next__().read_text()
    )
    size = sum(file.stat().st_size for file in (base.parent / "exported").rglob("*.*"))
    assert size < sum(file.stat().st_size for file in base.rglob("checkpoints/*/*")) / 3
    heads = [load_recognizer(one.checkpoint).cls_head.fc for one in (whole, exported)]
    assert heads[0].weight.any() and not heads[1].weight.any() and not heads[1].bias.any()
    assert heads[0].weight.shape == heads[1].weight.shape


def test_a_curve_begins_with_a_base_or_a_run(
    base: Path, archives: dict[str, Path], tmp_path: Path
) -> None:
    def config(init_from: Path | None, **options: Any) -> Config:
        given = ["agents.chat=none"]
        return curve_config(
            "default", PresetSize.SMALL, archives["flat"], given, init_from=init_from, **options
        )

    from_base, fresh = config(base), config(None)
    assert from_base.training.init_from == str(base) and fresh.training.init_from is None
    assert from_base.augment == fresh.augment
    assert from_base.clips.frames == 8
    train(
        "default", data=archives["flat"], out=tmp_path / "run", size="tiny",
        overrides={"training.steps": 2, "clips.frames": 12, "agents.chat": "none"},
    )  # fmt: skip
    from_run = config(tmp_path / "run")
    assert from_run.clips.frames == 12 and from_run.training.init_from == str(tmp_path / "run")


def test_a_base_is_proposed_where_clips_are_few(base: Path, archives: dict[str, Path]) -> None:
    def remarks(*given: str, init_from: Path | None = None) -> str:
        lines: list[str] = []
        curve_config(
            "default", PresetSize.SMALL, archives["flat"], given,
            init_from=init_from, on_remark=lines.append,
        )  # fmt: skip
        return " ".join(lines)

    assert "fresh weights, with 2 clips a class: those of a base may be better" in remarks()
    assert "fresh weights, with 1 clips" in remarks("data.clips_per_class=1")
    assert "fresh weights" not in remarks(init_from=base)


def test_a_base_that_has_seen_the_test_clips_says_so(
    base: Path, archives: dict[str, Path], tmp_path: Path
) -> None:
    """However the archive is named."""
    quick = {"training.steps": 1, "agents.chat": "none", "clips.test_clips": 1}
    for number, data in enumerate([archives["deep"], archives["deep"].with_suffix("")]):
        run = train(init_from=base, data=data, out=tmp_path / f"{number}", overrides=quick)
        assert run.summary["initial_weights"]["has_seen_archive"]
    other = train(init_from=base, data=archives["flat"], out=tmp_path / "other", overrides=quick)
    assert not other.summary["initial_weights"]["has_seen_archive"]
    record = InitialWeights.from_json(run.summary["initial_weights"])
    assert "the test clips are among these" in record.summary()
