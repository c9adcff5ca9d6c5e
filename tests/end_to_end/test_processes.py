"""The program as a user starts it, in a process of its own; and a power cut."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skeletonagent.experiments.demo import MARKER

pytestmark = pytest.mark.slow

EPOCHS = 6


@pytest.fixture(scope="module")
def training(archive: Path, quick: Any) -> list[str]:
    """Arguments of a training of some seconds, but for the place it writes to."""
    longer = [f"training.epochs={EPOCHS}", "training.guidance_period=2", "clips.frames=24",
              "training.ema_decay=0.9", "training.validation_until=0.5"]  # fmt: skip
    return ["train", "synthetic", "--data", str(archive), *quick(*longer)]


@pytest.fixture(scope="module")
def whole(training: list[str], finished: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that was left alone."""
    path = tmp_path_factory.mktemp("whole") / "run"
    result = finished(*training, "--out", path, "--json")
    assert result.status == 0, result.err
    (path.parent / "out").write_text(result.out)
    return path


def test_json_goes_to_standard_output_alone(whole: Path) -> None:
    printed = (whole.parent / "out").read_text()
    assert printed.count("\n") == 1
    assert json.loads(printed) == json.loads((whole / "summary.json").read_text())


def test_a_run_leaves_its_files(whole: Path) -> None:
    for name in ("config.yaml", "guidance.json", "confusions.npz", "summary.json", "checkpoints"):
        assert (whole / name).exists(), name
    assert len(list((whole / "dialogues").glob("*.jsonl"))) == 4
    assert len((whole / "metrics.jsonl").read_text().splitlines()) == EPOCHS
    with np.load(whole / "predictions.npz") as predictions:
        assert set(predictions.files) == {"sample_ids", "labels", "probs"}
        assert predictions["probs"].shape == (4, 4)
    assert not list(whole.rglob(".*"))


def test_evaluate_agrees_with_the_run(whole: Path, finished: Any) -> None:
    result = finished("evaluate", whole, "--json")
    assert result.status == 0, result.err
    assert result.json["top1"] == json.loads((whole / "summary.json").read_text())["top1"]


def wait_for_epochs(begun: subprocess.Popen[str], metrics: Path, number: int) -> None:
    while not metrics.exists() or len(metrics.read_text().splitlines()) < number:
        assert begun.poll() is None, begun.communicate()[1]
        time.sleep(0.005)


def outcome(run: Path) -> dict[str, Any]:
    """Return all that may not differ between two runs."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    state = json.loads((run / "checkpoints" / f"epoch_{EPOCHS:04d}" / "state.json").read_text())
    with np.load(run / "predictions.npz") as scores:
        arrays = {name: scores[name].tolist() for name in scores.files}
    return {
        "metrics": [{k: v for k, v in line.items() if "second" not in k} for line in lines],
        "state": state,
        "tensors": (
            run / "checkpoints" / f"epoch_{EPOCHS:04d}" / "tensors.safetensors"
        ).read_bytes(),
        "guidance": (run / "guidance.json").read_bytes(),
        "dialogues": {p.name: p.read_bytes() for p in (run / "dialogues").iterdir()},
        "scores": arrays,
    }


def test_a_killed_run_goes_on_as_if_nothing_had_been(
    whole: Path,
    training: list[str],
    process: Callable[..., subprocess.Popen[str]],
    finished: Any,
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    begun = process(*training, "--out", run)
    wait_for_epochs(begun, run / "metrics.jsonl", 3)
    begun.send_signal(signal.SIGKILL)
    begun.communicate()
    assert begun.returncode == -signal.SIGKILL
    assert not (run / "summary.json").exists()
    newest = sorted((run / "checkpoints").glob("epoch_*"))[-1]
    done = json.loads((newest / "state.json").read_text())["epoch"]
    resumed = finished(*training, "--out", run, "--resume")
    assert resumed.status == 0, resumed.err
    assert f"resuming after epoch {done}" in resumed.err
    expected, got = outcome(whole), outcome(run)
    for key, value in expected.items():
        assert got[key] == value, key


def test_the_demo_compares_with_and_without_agents(finished: Any, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    (out / "guided" / "seed0").mkdir(parents=True)
    (out / "guided" / "seed0" / "config.yaml").write_text("data: {archive: synthetic}")
    (out / MARKER).write_text(json.dumps({"runs": ["guided/seed0"]}))
    result = finished("demo", "--epochs", "1", "--seeds", "2", "--out", out, "--json")
    assert result.status == 0, result.err
    summary = json.loads((out / "summary.json").read_text())
    assert result.json == summary
    for part in ("baseline", "guided"):
        runs = [json.loads((out / part / f"seed{n}/summary.json").read_text()) for n in (0, 1)]
        assert summary["top1"][part] == [run["top1"] for run in runs]
        assert summary[part]["mean"] == pytest.approx(sum(summary["top1"][part]) / 2)
    means = summary["guided"]["mean"] - summary["baseline"]["mean"]
    difference = summary["difference"]
    assert difference["mean"] == pytest.approx(means) and difference["n"] == 2
    assert difference["low"] <= difference["mean"] <= difference["high"]
    assert 0 <= summary["joints"]["precision"] <= 1
    assert 0 <= summary["joints"]["recall"] <= 1
    assert summary["seconds"] > 0
    assert summary["exchanges"]
    assert (out / "confusions.svg").read_text().startswith("<svg ")
    assert "guided, seed1: " in result.err and "4 of 4 finished" in result.err
    told = finished("report", out / "guided", out / "baseline", "--clips", "1", "--json")
    assert told.status == 0, told.err
    assert len(told.json["runs"]) == 4 and Path(told.json["report"]) == out / "guided/report.html"


def test_the_installed_script_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("skeletonagent")
    if not script.exists():
        pytest.skip(f"not installed at {script}")
    typed = [script, "train", "synthetic", "--data", tmp_path / "no.npz", "--out", tmp_path / "run"]
    done = subprocess.run(typed, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    missing = f"error: {tmp_path / 'no.json'}: no such file"
    assert done.stderr.startswith(missing)
    assert done.stderr.count("\n") == 1
