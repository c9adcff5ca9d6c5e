"""``ensemble``: what is read of runs, which fusions are told, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from skeletonagent.cli.ensemble import ensemble
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.evaluation.ensemble import fit_weights, fuse
from skeletonagent.experiments.fusion import read_member

CLASSES = ("wave", "clap", "sit")
IDS = tuple(f"s{i}" for i in range(12))
PARTS = {"xview": IDS, "xview_nodup": IDS[:9]}


def make_scores(ids: Sequence[str], seed: int) -> ClassProbabilities:
    labels = np.arange(len(ids)) % len(CLASSES)
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(ids), len(CLASSES))) + 1.5 * np.eye(len(CLASSES))[labels]
    rows = np.exp(logits)
    return ClassProbabilities(tuple(ids), labels, rows / rows.sum(axis=1, keepdims=True))


def figures(samples: int) -> dict[str, float | None]:
    """Return what a summary says of a part of the test set; an ensemble looks at the number."""
    return {"samples": samples, "top1": 0.5, "top5": 1.0, "mean_class": None}


def write_run(
    path: Path, sees: str, parts: Mapping[str, Sequence[str]] | None = PARTS, **changes: Any
) -> Path:
    """Write what a finished run leaves behind, as far as an ensemble looks at it."""
    kind = Stream.parse(sees)
    seed = list(Stream).index(kind)
    path.mkdir(parents=True)
    make_scores(IDS, seed).save(path / "predictions.npz")
    make_scores([f"v{i}" for i in range(15)], 10 + seed).save(path / "validation_predictions.npz")
    class_names = changes.pop("class_names", CLASSES)
    np.savez(path / "confusions.npz", counts=np.eye(3, dtype=int), class_names=class_names)
    told = {name: figures(len(ids)) for name, ids in PARTS.items()}
    summary = {"data": "ucla", "split": "xview", "stream": kind.value, "test": told} | changes
    (path / "summary.json").write_text(json.dumps(summary))
    if parts is not None:
        (path / "evaluation_parts.json").write_text(
            json.dumps({k: list(v) for k, v in parts.items()})
        )
    return path


def typed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[dict[str, Any], str]:
    """Return what is printed as JSON, and what is shown."""
    app = typer.Typer()
    app.command()(ensemble)
    app([*map(str, arguments)], standalone_mode=False)
    shown = capsys.readouterr().out
    app([*map(str, arguments), "--json"], standalone_mode=False)
    return json.loads(capsys.readouterr().out), shown


def test_all_six_streams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [write_run(tmp_path / name, name) for name in ("j", "b", "k", "jm", "bm", "km")]
    printed, shown = typed(capsys, *runs)
    weights = {fusion["name"]: fusion["weights"] for fusion in printed["fusions"]}
    assert weights == {
        "2 streams": [2, 2], "4 streams": [2, 2, 1, 1], "6 streams": [2, 2, 2, 1, 1, 1],
    }  # fmt: skip
    assert (printed["data"], printed["split"]) == ("ucla", "xview")
    several = [ClassProbabilities.load(run / "predictions.npz") for run in runs]
    fused = fuse(several, [2, 2, 2, 1, 1, 1])
    for name, ids in PARTS.items():
        part = fused.subset(set(ids))
        told = printed["fusions"][-1]["test"][name]
        assert told["samples"] == len(ids)
        assert (told["top1"], told["top5"]) == (part.topk_accuracy(1), part.topk_accuracy(5))
        assert told["mean_class"] == pytest.approx(part.per_class_accuracy().mean())
        assert name in shown
    assert [run["stream"] for run in printed["runs"]] == [s.value for s in Stream]
    for run, scores in zip(printed["runs"], several, strict=True):
        assert run["test"]["xview"]["top1"] == scores.topk_accuracy(1)
        assert f"{scores.topk_accuracy(1):.2%}" in shown


@pytest.mark.parametrize(
    ("streams", "options", "expected"),
    [
        (["j"], [], {}),
        (["j", "k"], [], {"all runs": [2, 2]}),
        (["j", "b"], [], {"2 streams": [2, 2]}),
        (["j", "b", "km"], [], {"2 streams": [2, 2], "all runs": [2, 2, 1]}),
        (["j", "j", "b"], [], {"2 streams": [1, 1, 2]}),
        (["j", "jm"], ["--weights", "3,0.5"], {"given weights": [3, 0.5]}),
        (["b", "j"], ["--weights", "1,2"], {"2 streams": [2, 2], "given weights": [1, 2]}),
    ],
)
def test_which_fusions_there_are(
    streams: list[str],
    options: list[str],
    expected: dict[str, list[float]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs = [write_run(tmp_path / str(n), stream) for n, stream in enumerate(streams)]
    printed, _ = typed(capsys, *runs, *options, "--out", tmp_path / "fused.npz")
    assert {fusion["name"]: fusion["weights"] for fusion in printed["fusions"]} == expected
    several = [ClassProbabilities.load(run / "predictions.npz") for run in runs]
    last = list(expected.values())[-1] if expected else [1]
    written = ClassProbabilities.load(tmp_path / "fused.npz")
    np.testing.assert_array_equal(written.probs, fuse(several, last).probs)
    assert written.sample_ids == IDS


def test_fitted_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [write_run(tmp_path / name, name) for name in ("j", "k")]
    printed, _ = typed(capsys, *runs, "--fit")
    weights = fit_weights(
        [ClassProbabilities.load(run / "validation_predictions.npz") for run in runs]
    )
    assert printed["fusions"][-1]["name"] == "fitted weights"
    assert printed["fusions"][-1]["weights"] == pytest.approx(weights)
    (runs[1] / "validation_predictions.npz").unlink()
    message = r"k has no validation predictions.*training\.validation_share above 0"
    with pytest.raises(DataError, match=message):
        typed(capsys, *runs, "--fit")


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [write_run(tmp_path / name, name) for name in ("j", "b")]
    for options, message in (
        (["--weights", "1,2", "--fit"], "one of the two"),
        (["--weights", "1;2"], "numbers with commas, got '1;2'"),
        (["--weights", "1"], "2 runs need as many weights"),
    ):
        with pytest.raises(ConfigError, match=message):
            typed(capsys, *runs, *options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "other"}, "differ in their data: 'ucla' and 'other'"),
        ({"split": "xsub"}, "differ in their split: 'xview' and 'xsub'"),
        ({"class_names": ("wave", "sit", "clap")}, "differ in their class names"),
    ],
)
def test_runs_that_do_not_belong_together(
    changes: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [write_run(tmp_path / "a", "j"), write_run(tmp_path / "b", "b", **changes)]
    with pytest.raises(DataError, match=message):
        typed(capsys, *runs)
    assert not capsys.readouterr().out


def test_without_a_list_of_parts_each_must_be_the_whole(tmp_path: Path) -> None:
    whole = write_run(tmp_path / "a", "j", None, test={"xview": figures(len(IDS))})
    assert read_member(whole).evaluation_parts == {"xview": frozenset(IDS)}
    with pytest.raises(DataError, match=r"no evaluation_parts.json .* xview_nodup; .*--resume"):
        read_member(write_run(tmp_path / "b", "j", None))


def test_directories_that_are_no_finished_runs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: holds no finished run"):
        read_member(tmp_path / "nowhere")
    several = write_run(tmp_path / "several", "j")
    (several / "predictions.npz").unlink()
    with pytest.raises(DataError, match="holds no finished run"):
        read_member(several)
    for name, change in (
        ("stream", {"stream": "smell"}), ("test", {"test": 3}), ("number", {"test": {"xview": 3}}),
    ):  # fmt: skip
        with pytest.raises(DataError, match="is damaged"):
            read_member(write_run(tmp_path / name, "j", None, **change))
    for name, parts in (("unknown", {"xview": ["zz"]}), ("none", {"xview": []})):
        with pytest.raises(DataError, match="names samples of xview that"):
            read_member(write_run(tmp_path / name, "j", parts))
