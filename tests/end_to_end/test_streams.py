"""Several streams of one data set: trained in one command, in workers too, and fused."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream

pytestmark = pytest.mark.slow

STREAMS = [stream.value for stream in Stream]
WEIGHTS = dict(zip(STREAMS, (2, 2, 2, 1, 1, 1), strict=True))


@pytest.fixture(scope="module")
def training(archive: Path, quick: Callable[..., list[str]]) -> Callable[..., list[str | Path]]:
    """Arguments of a quick training of some streams, a part held out to the end."""
    few = quick("training.validation_until=1")
    device = few.index("device=cpu") - 1
    few = [*few[:device], *few[device + 2 :]]  # left to the program, as most users do

    def arguments(streams: str, out: Path, *options: str) -> list[str | Path]:
        named = ["--data", archive, "--out", out, "--stream", streams]
        return ["train", *named, *few, *options, "--json"]

    return arguments


@pytest.fixture(scope="module")
def six(training: Any, finished: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of all six streams, trained one after the other."""
    out = tmp_path_factory.mktemp("six") / "runs"
    done = finished(*training("all", out))
    assert done.status == 0, done.err
    (out / "printed").write_text(done.out)
    return out


def learned(run: Path) -> dict[str, Any]:
    """Return the results of a run, without times, paths and the device's name."""
    summary = json.loads((run / "summary.json").read_text())
    newest = sorted((run / "checkpoints").iterdir())[-1]
    arrays = {}
    for name in ("predictions", "validation_predictions"):
        with np.load(run / f"{name}.npz") as file:
            arrays |= {f"{name} {key}": file[key].tolist() for key in file.files}
    return arrays | {
        "test": summary["test"],
        "stream": summary["stream"],
        "weights": (newest / "tensors.safetensors").read_bytes(),
        "guidance": (run / "guidance.json").read_bytes(),
    }


def assert_same(one: Path, other: Path) -> None:
    """Check that two runs have the same results, without printing megabytes if not."""
    expected, got = learned(one), learned(other)
    assert [key for key in expected if expected[key] != got[key]] == []


def files(run: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and content of all that training writes."""
    paths = [run / "metrics.jsonl", *(run / "checkpoints").rglob("*.*")]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def test_all_streams_are_trained_and_fused(six: Path) -> None:
    printed = json.loads((six / "printed").read_text())
    assert json.loads((six / "summary.json").read_text()) == printed
    assert sorted(path.name for path in six.iterdir() if path.is_dir()) == sorted(STREAMS)
    assert [run["stream"] for run in printed["runs"]] == STREAMS
    assert printed["runs"] == [
        json.loads((six / stream / "summary.json").read_text()) for stream in STREAMS
    ]
    assert "top1" not in printed  # a mean over streams would look like their fusion
    (fused,) = printed["ensembles"]
    assert [run["stream"] for run in fused["runs"]] == STREAMS
    assert [fusion["name"] for fusion in fused["fusions"]] == [
        "2 streams", "4 streams", "6 streams",
    ]  # fmt: skip
    single = {
        stream: ClassProbabilities.load(six / stream / "predictions.npz") for stream in STREAMS
    }
    for fusion in fused["fusions"]:
        names = [Path(run).name for run in fusion["runs"]]
        assert fusion["weights"] == [WEIGHTS[name] for name in names]
        total = sum(WEIGHTS[name] * single[name].probs.astype(float) for name in names)
        right = (total.argmax(axis=1) == single["joint"].labels).mean()
        assert fusion["test"]["first"]["top1"] == pytest.approx(right)


def test_streams_differ_in_what_they_see_alone(six: Path) -> None:
    configs = [(six / stream / "config.yaml").read_text() for stream in STREAMS]
    for stream, config in zip(STREAMS, configs, strict=True):
        assert config.replace(f"stream: {stream}\n", "stream: joint\n") == configs[0]
    scores = [ClassProbabilities.load(six / stream / "predictions.npz").probs for stream in STREAMS]
    assert len({each.tobytes() for each in scores}) == len(STREAMS)


def test_some_streams_are_those_of_all(
    six: Path, training: Any, command: Any, tmp_path: Path
) -> None:
    done = command(*training("j,b", tmp_path / "two"))
    assert done.status == 0, done.err
    for stream in ("joint", "bone"):
        assert_same(six / stream, tmp_path / "two" / stream)
    assert [fusion["name"] for fusion in done.json["ensembles"][0]["fusions"]] == ["2 streams"]
    again = training("j,b", tmp_path / "two", "--resume")
    shown = command(*(argument for argument in again if argument != "--json"))
    assert "2 streams" in shown.out and "first, 4 samples" in shown.out


def test_workers_train_the_same(six: Path, training: Any, command: Any, tmp_path: Path) -> None:
    out = tmp_path / "several"
    done = command(*training("j,km", out, "--devices", "cpu,cpu"))
    assert done.status == 0, done.err
    for stream in ("joint", "kbone_motion"):
        assert_same(six / stream, out / stream)
        assert f"{out / stream}: started on cpu" in done.err
        assert f"{out / stream}: finished" in done.err
        assert "epoch 2: loss" in (out / f"{stream}.log").read_text()
    assert [run["stream"] for run in done.json["runs"]] == ["joint", "kbone_motion"]
    assert json.loads((out / "summary.json").read_text()) == done.json
    (fusion,) = done.json["ensembles"][0]["fusions"]
    assert (fusion["name"], fusion["weights"]) == ("all runs", [2, 1])


def test_a_run_that_fails_is_reported_and_the_other_device_goes_on(
    six: Path, training: Any, command: Any, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    failed = command(*training("j,b", out, "--devices", "cpu,abacus"))
    assert (failed.status, failed.out) == (1, "")
    assert "Traceback" not in failed.err
    (log,) = [path for path in out.glob("*.log") if str(path) in failed.err.splitlines()[-1]]
    assert "1 of 2 runs failed" in failed.err and "'abacus'" in log.read_text()
    (left,) = [stream for stream in ("joint", "bone") if (out / stream / "summary.json").exists()]
    assert left != log.stem
    before = files(out / left)
    assert command(*training("j,b", out, "--resume")).status == 0
    assert files(out / left) == before
    for stream in ("joint", "bone"):
        assert_same(six / stream, out / stream)


def test_runs_that_are_there_are_not_trained_over(
    six: Path, training: Any, command: Any, tmp_path: Path
) -> None:
    before = {stream: files(six / stream) for stream in STREAMS}
    refused = command(*training("all", six))
    assert (refused.status, refused.out) == (2, "")
    assert "--resume" in refused.err
    one_of_many = command(*training("j", six))
    many_in_one = command(*training("j,b", six / "joint", "--resume"))
    for result, words in ((one_of_many, "holds several runs"), (many_in_one, "holds a run")):
        assert (result.status, result.out) == (2, "")
        assert words in result.err and "--out" in result.err
    assert {stream: files(six / stream) for stream in STREAMS} == before


def test_a_killed_training_goes_on_with_the_missing_streams_alone(
    six: Path,
    training: Any,
    process: Callable[..., subprocess.Popen[str]],
    command: Any,
    tmp_path: Path,
) -> None:
    out = tmp_path / "runs"
    begun = process(*training("j,b,jm", out))
    while not (out / "bone" / "metrics.jsonl").exists():
        assert begun.poll() is None, begun.communicate()[1]
        time.sleep(0.002)
    begun.send_signal(signal.SIGKILL)
    begun.communicate()
    assert begun.returncode == -signal.SIGKILL
    assert not (out / "summary.json").exists()
    missing = out / "joint_motion"  # of which no more is there than what was chosen for it
    assert not missing.exists() or [path.name for path in missing.iterdir()] == ["choices.json"]
    before = files(out / "joint")
    done = command(*training("j,b,jm", out, "--resume"))
    assert done.status == 0, done.err
    assert files(out / "joint") == before
    for stream in ("joint", "bone", "joint_motion"):
        assert_same(six / stream, out / stream)
    assert json.loads((out / "summary.json").read_text()) == done.json


def test_an_ensemble_is_what_the_training_told(six: Path, command: Any, tmp_path: Path) -> None:
    runs = [six / stream for stream in STREAMS]
    scores = tmp_path / "fused.npz"
    fused = command("ensemble", *runs, "--out", scores, "--json")
    assert fused.json == json.loads((six / "summary.json").read_text())["ensembles"][0]
    whole = fused.json["fusions"][-1]["test"]["first"]
    assert ClassProbabilities.load(scores).topk_accuracy(1) == whole["top1"]
    given = command("ensemble", *runs, "--weights", "4,4,4,2,2,2", "--json")
    assert given.json["fusions"][-1]["test"]["first"] == whole


def test_weights_are_fitted_on_what_was_held_out_to_the_end(six: Path, command: Any) -> None:
    runs = [six / stream for stream in STREAMS]
    validation = [ClassProbabilities.load(run / "validation_predictions.npz") for run in runs]
    tested = set(ClassProbabilities.load(runs[0] / "predictions.npz").sample_ids)
    assert validation[0].sample_ids and not tested & set(validation[0].sample_ids)
    fitted = command("ensemble", *runs, "--fit", "--json")
    assert fitted.status == 0, fitted.err
    fusion = fitted.json["fusions"][-1]
    assert fusion["name"] == "fitted weights"
    assert sum(fusion["weights"]) == pytest.approx(1)

    def likelihood(weights: Any) -> float:
        """Return the mean log-probability of the true classes under some weights."""
        total = sum(w * v.probs.astype(float) for w, v in zip(weights, validation, strict=True))
        own = total[np.arange(len(total)), validation[0].labels]
        return float(np.log(own / sum(weights)).mean())

    best = likelihood(fusion["weights"])
    for other in ([2, 2, 2, 1, 1, 1], [1] * 6, *np.eye(6)):
        assert best >= likelihood(other) - 1e-5


def test_weights_are_not_fitted_on_what_was_learned_from(
    training: Any, command: Any, tmp_path: Path
) -> None:
    options = ["--set", "training.validation_until=0.5"]
    assert command(*training("j,b", tmp_path, *options)).status == 0
    refused = command("ensemble", tmp_path / "joint", tmp_path / "bone", "--fit")
    assert (refused.status, refused.out) == (1, "")
    assert "no validation predictions" in refused.err and "validation_until=1" in refused.err
