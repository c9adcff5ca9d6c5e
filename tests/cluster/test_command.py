"""``predict --out`` and ``merge-predictions`` as people type them, also without PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.cli.invocation import invoke
from tests.export.test_without_torch import COMMAND, without_torch
from tests.small_run import CLASSES

from skeletonagent.core.errors import ConfigError


def test_shards_are_predicted_and_merged(archive: Path, file: Path, tmp_path: Path) -> None:
    given = ("predict", archive, "--run", file, "--out", tmp_path / "out", "--part-size", 8)
    first = invoke(*given, "--shard", "1/2", "--json").json
    assert (first["parts"], first["predicted"], first["recordings"]) == (3, 2, 12)
    second = invoke(*given, "--shard", "2/2")
    assert "1 part(s) of 3 predicted, 0 done before; 8 sample(s)" in second.out
    again = invoke(*given, "--resume", "--json").json
    assert (again["predicted"], again["done_before"]) == (0, 3)
    merged = invoke("merge-predictions", tmp_path / "out", "--out", tmp_path / "all.parquet")
    assert "20 rows of 20 sample(s)" in merged.out
    found = invoke(
        "merge-predictions", tmp_path / "out", "--out", tmp_path / "b.parquet", "--json"
    ).json
    assert found["rows"] == sum(found["labels"].values()) == 20
    assert set(found["labels"]) <= set(CLASSES) and found["problems"] == 0
    assert pq.read_table(tmp_path / "b.parquet").num_rows == 20


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--shard", "1/2"], "need --out"),
        (["--resume"], "need --out"),
        (["--out", "x", "--csv"], "not for --out"),
        (["--out", "x", "--top-k", "2"], "not for --out"),
        (["--out", "x", "--shard", "1/2", "--cluster", "local"], "exclude each other"),
        (["--out", "x", "--workers", "2"], "--workers is for --cluster"),
        (["another.npy", "--out", "x"], "takes one archive"),
        (["--out", "x", "--shard", "auto"], "SLURM array"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    options: list[str], problem: str, archive: Path, file: Path
) -> None:
    with pytest.raises(ConfigError, match=problem):
        invoke("predict", archive, "--run", file, *options)


def test_pytorch_is_not_needed(archive: Path, file: Path, tmp_path: Path) -> None:
    given = ["predict", str(archive), "--run", str(file), "--out", str(tmp_path / "out"), "--json"]
    done = without_torch(COMMAND, *given)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recordings"] == 20
