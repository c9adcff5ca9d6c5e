"""Every benchmark runs at a tiny size, through its options, and writes finite figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import typer
from benchmarks.generated import Persons
from benchmarks.stand_in import StandIn
from typer.testing import CliRunner

from benchmarks import (
    compact,
    epoch,
    held_out,
    inference,
    measuring,
    pipeline,
    report,
    scaling,
    throughput,
)
from skeletonagent.agents import prompts
from skeletonagent.agents.answers.content import check_answer
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.dialogue import Exchange, Step
from skeletonagent.core.layout import KINECT_25
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.archive import write_archive
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments.config import Config

SIZES = ("--device", "cpu", "--small", "--frames", "4", "--classes", "2")


@pytest.fixture(autouse=True)
def not_warmed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "WARM_UP", 1)
    monkeypatch.setattr(pipeline, "WARM_UP", 1)
    monkeypatch.setattr(measuring, "WARM_UP", 0)


def figures(
    main: Callable[..., None], folder: Path, *options: str, sizes: Sequence[str] = SIZES
) -> dict[str, Any]:
    """Return what a benchmark writes."""
    app = typer.Typer()
    app.command()(main)
    path = folder / "figures.json"
    result = CliRunner().invoke(
        app, [*sizes, *options, "--json", str(path)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(path.read_text(), parse_constant=pytest.fail)
    return found


def numbers(value: object) -> Iterator[float]:
    """Yield every number in plain values."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float):
        yield float(value)


def test_throughput(tmp_path: Path) -> None:
    found = figures(
        throughput.main, tmp_path, "--clips-in-batch", "3", "--steps", "2",
        "--literal-steps", "1", "--variants", "eager", "--persons", "full",
    )  # fmt: skip
    assert [row["name"] for row in found["variants"]] == ["eager"]
    assert set(found["parts_ms"]) == {
        "sampling", "augmenting", "forward", "losses", "backward", "optimizer", "counting"
    }  # fmt: skip
    assert found["agreement"]["32"]["relative"] < 1e-4
    for row in found["variants"]:
        assert row["step_ms"]["lower"] <= row["step_ms"]["median"] <= row["step_ms"]["upper"]
        assert min(numbers({**row, "name": None, "waits_in_two_steps": 1})) > 0
        literal = found["literal"]["step_ms"]["median"]
        assert row["times_as_fast_as_literal"] == pytest.approx(literal / row["step_ms"]["median"])
    assert found["work"]["bytes"] > found["work"]["flops"] / 1e4
    assert found["literal"]["forward_flops_per_clip"] > found["work"]["forward_flops_per_clip"]


def test_pipeline(tmp_path: Path) -> None:
    found = figures(
        pipeline.main, tmp_path, "--clips-in-batch", "2", "--steps", "2", "--repeats", "1"
    )
    names = [row["batch"] for row in found["batches"]]
    assert len(names) == len(set(names)) == 6 + 2 * len(pipeline.CHANGES)
    assert all(row["clips_per_second"] > 0 for row in found["batches"])
    assert found["loading"]["sequences_per_second"] > 0
    row = found["batches"][0]
    assert row["share_of_step"] == pytest.approx(row["ms"] / found["step_ms"])


def test_inference(tmp_path: Path) -> None:
    found = figures(inference.main, tmp_path, "--batch", "3", "--repeats", "1")
    assert [row["bodies"] for row in found["rows"]] == ["full"] * 3 + ["ntu"] * 3
    full = found["rows"][:3]
    assert [row["scores by"] for row in full] == ["fused", "recognizer", "literal"]
    assert all(row["apart"] < 1e-2 for row in full)
    assert max(row["gflops_per_clip"] for row in full[:2]) < full[2]["gflops_per_clip"]
    assert all(row["ms_per_clip"] > 0 for row in found["rows"])


def test_inference_in_all_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exporting, which takes long and is tested elsewhere, is replaced by fused recognizers."""
    monkeypatch.setattr(inference, "Persons", [Persons.FULL])
    monkeypatch.setattr(inference, "export_program", lambda recognizer, *_: recognizer)
    monkeypatch.setattr(inference, "onnx_bytes", inference.fuse_for_inference)

    def session_of(fused: Callable[..., torch.Tensor], threads: int) -> SimpleNamespace:
        assert threads == 1
        return SimpleNamespace(run=lambda *arrays: (fused(*map(torch.from_numpy, arrays)).numpy(),))

    monkeypatch.setattr(inference, "OnnxSession", SimpleNamespace(of=session_of))
    found = figures(
        inference.main, tmp_path, "--batch", "2,3", "--repeats", "1", "--all-forms",
        "--backbones", "stgcn++",
    )  # fmt: skip
    rows = found["rows"]
    names = ["exported", "fused, bf16", "fused", "recognizer"]
    assert [(row["clips"], row["scores by"]) for row in rows] == [
        (clips, name) for clips in (2, 3) for name in names
    ]
    assert rows[0]["apart"] < 1e-3 and rows[3]["times_as_fast"] == 1


def test_compact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "SEQUENCES", 75)
    found = figures(compact.main, tmp_path, "--steps", "1", "--repeats", "1", sizes=())
    assert [row["bodies"] for row in found["rows"]] == [1, 2]
    assert all(min(numbers(row)) > 0 for row in found["rows"])


def test_epoch(tmp_path: Path) -> None:
    found = figures(
        epoch.main, tmp_path, "--clips-in-batch", "4", "--sequences", "12", "--epochs", "2",
        "--latency", "0", "--wait", "--set", "clips.test_clips=1",
    )  # fmt: skip
    assert found["rounds"] == 1
    assert found["questions"] >= 2 * 5
    assert len(found["epoch_seconds"]) == 2
    for told in found["epoch_seconds"]:
        assert {"training steps", "checkpoint", "all else"} <= set(told)
    whole = sum(numbers(found["once_seconds"])) + sum(
        value
        for told in found["epoch_seconds"]
        for name, value in told.items()
        if name != epoch.BESIDE
    )
    assert whole <= found["whole_seconds"] + 1e-3
    terms = dict(found["extrapolation"])
    assert terms.pop("sum") == pytest.approx(sum(terms.values()))
    steps = [told["training steps"] for told in found["epoch_seconds"]]
    assert terms["training steps"] == pytest.approx(steps[0] + 149 * steps[1])


def test_scaling(tmp_path: Path) -> None:
    options = ("--share", "0.05", "--doublings", "1", "--repeats", "1")
    found = figures(scaling.main, tmp_path, *options, sizes=())
    sizes = [row["size"] for row in found["rows"]]
    assert set(sizes) == {"clips", "persons", "frames", "joints", "classes", "rounds"}
    for row in found["rows"]:
        assert row["sizes"][1] == 2 * row["sizes"][0] and min(row["cpu_seconds"]) > 0


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_the_exponent_is_that_of_the_power_law(power: float) -> None:
    sizes = [3, 6, 12, 24]
    seconds = [0.2 * size**power for size in sizes]
    assert scaling.exponent(sizes, seconds) == pytest.approx(power, abs=1e-3)


def test_held_out(tmp_path: Path) -> None:
    data = synthetic_dataset(clips_per_class=3, subjects=3)
    app = typer.Typer()
    app.command()(held_out.main)
    settings = (
        "clips.frames=4", "clips.test_clips=1", "model.width=4", "training.steps=2", "device=cpu",
    )  # fmt: skip
    options = [word for setting in settings for word in ("--set", setting)]
    result = CliRunner().invoke(
        app,
        ["default", str(write_archive(data, tmp_path)), "--folds", "2", *options],
        catch_exceptions=False,
    )
    found = json.loads(result.stdout, parse_constant=pytest.fail)
    assert (found["preset"], tuple(found["set"])) == ("default", settings)
    assert found["clips"] == len(data.splits["xsub"].train)
    assert 0 <= found["top1"] <= 1 < found["loss"] < 14


def test_held_out_by_a_part_of_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = synthetic_dataset(clips_per_class=3, subjects=3)
    groups = {}

    def predict(config: Config, part: SkeletonData, folds: int) -> ClassProbabilities:
        groups.update(zip(part.store.sample_ids, part.store.subjects or (), strict=True))
        probs = np.full((len(part.store), part.store.num_classes), 1 / part.store.num_classes)
        return ClassProbabilities(part.store.sample_ids, part.store.labels.numpy(), probs)

    monkeypatch.setattr(held_out, "held_out_predictions", predict)
    app = typer.Typer()
    app.command()(held_out.main)
    words = ["default", str(write_archive(data, tmp_path)), "--by", "^[a-m]"]
    found = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
    assert found["by"] == "^[a-m]" and set(groups) == set(data.splits["xsub"].train)
    initials = {name: name[0] if name[0] <= "m" else "" for name in groups}
    pairs = set(zip(groups.values(), initials.values(), strict=True))
    assert len(pairs) == len(set(groups.values())) == len(set(initials.values())) > 2


def test_report(tmp_path: Path) -> None:
    if not any(map(shutil.which, report.BROWSERS)):
        pytest.skip(f"needs a browser: none of {', '.join(report.BROWSERS)} is installed")
    found = figures(
        report.main, tmp_path, "--classes", "3", "--epochs", "6", "--repeats", "1",
        "--out", str(tmp_path / "report.html"), sizes=(),
    )  # fmt: skip
    assert (found["classes"], found["epochs"], found["rounds"]) == (3, 6, 2)
    assert found["questions"] >= 3 * 5
    assert found["megabytes"] == (tmp_path / "report.html").stat().st_size / 1e6
    assert found["seconds_to_open"]["median"] > 0


@pytest.mark.parametrize("words", [1, report.WORDS])
def test_a_stand_in_answers_every_step_in_its_form(words: int) -> None:
    answer, told = StandIn(words=words), list[Exchange]()
    for step in Step:
        asked = prompts.question(step, "wave", KINECT_25, ("kick", "clap"))
        exchange = Exchange(asked, answer(asked, told))
        check_answer(exchange, KINECT_25, before=told)
        assert StandIn(words=words)(asked, ()) == exchange.answer
        told.append(exchange)
    assert answer.number == len(Step)


def test_terms_of_rounds_count_as_often_as_there_are_rounds() -> None:
    epochs = [
        {"training steps": 3.0},
        {"training steps": 2.0, "waiting for a round": 1.0, epoch.BESIDE: 9.0},
        {"training steps": 4.0, "waiting for a round": 2.0},
    ]
    found = epoch.extrapolated(epochs, {"test": 5.0}, whole=20.0, rounds=2)
    assert found == {
        "training steps": 3 + 149 * 3,
        "waiting for a round": 29 * 1.5,
        "test": 5,
        "start and end, all else": 3,
        "sum": 3 + 149 * 3 + 29 * 1.5 + 5 + 3,
    }
