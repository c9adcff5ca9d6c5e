"""``baseline``, and what ``train`` and ``report`` show of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.invocation import invoke, invoke_twice
from tests.small_run import SETTINGS, small_archive

from skeletonagent.cli.baseline import print_beside
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.training.run_directory import RunDirectory

CHIEF = "MultiRocket + ridge"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return small_archive(tmp_path / "skeletons" / "small")


def train(archive: Path, out: Path, *options: object) -> tuple[str, str]:
    settings = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    printed = invoke(
        "train", "--data", archive, "--out", out, "--chat", "none", *settings, *options
    )
    return printed.out, printed.err


def test_results_are_printed_and_written(archive: Path, tmp_path: Path) -> None:
    printed, shown = invoke_twice("baseline", archive, "--out", tmp_path / "out")
    (record,) = printed["baselines"]
    assert RunDirectory(tmp_path / "out").read_baseline() is not None
    assert "small, halves, 6 training samples" in shown
    for method in record["methods"]:
        figures = method["test"]["halves"]
        predictions = ClassProbabilities.load(tmp_path / "out" / method["predictions"])
        assert predictions.topk_accuracy(1) == figures["top1"]
        assert method["name"] in shown and f"{figures['top1']:.2%}" in shown
        assert f"{figures['low']:.2%} to {figures['high']:.2%}" in shown


def test_several_splits_have_a_folder_each(tmp_path: Path) -> None:
    from tests.small_run import CLASSES, samples

    from skeletonagent.core.layout import COCO_17
    from skeletonagent.experiments.datasets import write_dataset

    ids = [f"clip{n}" for n in range(12)]
    splits = {"one": (ids[:6], ids[6:]), "two": (ids[6:], ids[:6])}
    path = write_dataset(
        samples(), layout=COCO_17, class_names=CLASSES, splits=splits, path=tmp_path / "small"
    )
    printed = invoke("baseline", path, "--split", "all", "--out", tmp_path / "out", "--json")
    assert [record["split"] for record in printed.json["baselines"]] == ["one", "two"]
    assert f"two: {CHIEF} ..." in printed.err
    for name in splits:
        assert (tmp_path / "out" / name / "baseline.json").is_file()


def test_a_training_shows_a_saved_baseline(archive: Path, tmp_path: Path) -> None:
    out, err = train(archive, tmp_path / "before")
    assert "baseline" not in out
    assert f"skeletonagent baseline {archive} --split halves" in err
    (command,) = [line for line in err.splitlines() if "skeletonagent baseline" in line]
    invoke(*command.partition("skeletonagent ")[2].split())
    out, err = train(archive, tmp_path / "after")
    assert f"baseline ({CHIEF}): " in out and "; this run: " in out
    assert "McNemar's test: p = " in out
    assert "skeletonagent baseline" not in err
    page = tmp_path / "page.html"
    invoke("report", tmp_path / "after", "--out", page, "--clips", "0")
    assert f"{CHIEF}, a baseline without deep learning" in page.read_text()
    invoke("report", tmp_path / "before", "--out", page, "--clips", "0")
    assert CHIEF not in page.read_text()


def test_a_training_computes_the_baseline_on_demand(archive: Path, tmp_path: Path) -> None:
    out, err = train(archive, tmp_path / "runs", "--baseline", "--seeds", "2")
    assert err.count(f"{CHIEF} ...") == 1
    assert f"baseline ({CHIEF}): " in out and "; mean of 2 runs: " in out
    assert (tmp_path / "runs" / "seed1" / "baseline.json").is_file()


def test_fused_streams_are_compared_as_one(archive: Path, tmp_path: Path) -> None:
    printed = invoke("baseline", archive, "--json").json["baselines"][0]["methods"][0]
    out, _ = train(archive, tmp_path / "runs", "--stream", "j,b", "--json")
    result = json.loads(out)
    (figures,) = result["baselines"]
    fused = result["ensembles"][0]["fusions"][-1]["test"]["halves"]["top1"]
    assert (figures["method"], figures["split"]) == (CHIEF, "halves")
    assert figures["top1"] == printed["test"]["halves"]["top1"]
    assert figures["runs"] == [run["top1"] for run in result["runs"]]
    assert figures["fused"] == [fused] and figures["p"] is None


def test_the_line_beside_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    one = {"split": "a", "method": CHIEF, "top1": 0.916, "runs": [0.972], "fused": [], "p": 0.0312}
    print_beside([one])
    several = one | {"split": "b", "runs": [0.9, 1.0], "fused": [0.98], "p": None}
    print_beside([one, several])
    assert capsys.readouterr().out.splitlines() == [
        f"baseline ({CHIEF}): 91.60%; this run: 97.20% (McNemar's test: p = 0.031)",
        f"a, baseline ({CHIEF}): 91.60%; this run: 97.20% (McNemar's test: p = 0.031)",
        f"b, baseline ({CHIEF}): 91.60%; mean of 2 runs: 95.00%, fused: 98.00%",
    ]


def test_wrong_settings_are_refused(archive: Path) -> None:
    for setting, problem in (("clips.frames=3", "section data alone"), ("data.x=1", "data.x")):
        with pytest.raises(ConfigError, match=problem):
            invoke("baseline", archive, "--set", setting)
    with pytest.raises(ConfigError, match="no split 'nowhere'"):
        invoke("baseline", archive, "--split", "nowhere")
