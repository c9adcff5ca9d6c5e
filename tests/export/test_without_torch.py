"""Predictions by an exported file where nothing but NumPy and ONNX Runtime can be imported."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.export.test_exported_model import clips
from tests.small_run import swinging

from skeletonagent.inference.predictor import Predictor

ABSENT = (
    "torch", "scipy", "sklearn", "wordllama", "tokenizers", "pydantic_ai", "openai", "genai_prices",
    "transformers", "onnx", "onnxscript", "jinja2",
)  # fmt: skip

HOOK = f"""
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refusal())
"""

COMMAND = """
from skeletonagent.cli.main import execute

status = execute()
assert not {"torch", "scipy"} & set(sys.modules)
sys.exit(status)
"""


def without_torch(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HOOK + code, *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    files = []
    for number, clip in enumerate(clips()):
        files.append(folder / f"clip{number}.npy")
        np.save(files[-1], clip)
    return files


def test_predict_runs_without_torch(file: Path, arrays: list[Path], predictor: Predictor) -> None:
    given = ["predict", *map(str, arrays), "--run", str(file), "--csv", "--top-k", "3"]
    done = without_torch(COMMAND, *given, "--engine", "onnx")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    wanted = predictor.predict(clips(), top_k=3).top_k(3)
    assert [row["class"] for row in rows] == [name for row in wanted for name, _ in row]
    np.testing.assert_allclose(
        [float(row["probability"]) for row in rows],
        [share for row in wanted for _, share in row],
        atol=1e-5,
    )


def test_segments_are_found_without_torch(file: Path, tmp_path: Path) -> None:
    joints = np.concatenate([swinging(n, n, frames=25) for n in range(3)], axis=1)
    np.save(tmp_path / "long.npy", joints)
    given = ["predict", str(tmp_path / "long.npy"), "--run", str(file), "--segments", "--fps", "30"]
    done = without_torch(COMMAND, *given, "--csv")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 1


def test_the_library_predicts_without_torch(file: Path, arrays: list[Path]) -> None:
    code = """
import skeletonagent as sa
model = sa.load(sys.argv[1])
print(model.predict(sys.argv[2]).class_names[0], model.features(sys.argv[2]).shape)
assert "torch" not in sys.modules
"""
    done = without_torch(code, str(file), str(arrays[0]))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_what_needs_torch_says_what_to_install(run: Path, arrays: list[Path]) -> None:
    done = without_torch(COMMAND, "predict", str(arrays[0]), "--run", str(run))
    assert done.returncode == 2
    assert "needs PyTorch" in done.stderr and "Traceback" not in done.stderr
    code = "import skeletonagent as sa\nsa.load(sys.argv[1])\n"
    done = without_torch(code, str(run))
    assert "needs PyTorch" in done.stderr.splitlines()[-1]
