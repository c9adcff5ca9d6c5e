"""Checkpoints: all that goes in comes out, and nothing that goes wrong costs an earlier one."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import CheckpointError
from skeletonagent.training import checkpoint as module
from skeletonagent.training.checkpoint import (
    STATE,
    TENSORS,
    Checkpoint,
    CheckpointFolder,
    load_checkpoint,
)

FACTS = {"class_names": ["wave", "grüßen"], "config": {"a": [1, 2.5, None, True]}}


def made(epoch: int = 3, seed: int = 0) -> Checkpoint:
    """Return a checkpoint of tensors of all kinds."""
    generator = torch.Generator().manual_seed(seed)
    wide = torch.randn(4, 6, generator=generator)
    tensors = {
        "recognizer.weight": wide,
        "recognizer.odd": torch.tensor([0.1, -0.0, float("nan"), float("inf"), 1e-42]),
        "recognizer.half": wide.bfloat16(),
        "averaged.weight": wide.T,
        "averaged.strided": wide[:, ::2],
        "averaged_steps": torch.tensor(7),
        "confusions": torch.tensor([[2**40, 0], [1, -3]]),
        "seen": torch.tensor([True, False]),
        "nothing": torch.empty(0, 3),
    }
    return Checkpoint(epoch, tensors, FACTS)


def bits(tensor: torch.Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    """Return what a tensor is, down to the sign of a zero and the kind of a NaN."""
    flat = tensor.contiguous().reshape(-1)
    return tensor.dtype, tensor.shape, flat.view(torch.uint8).numpy().tobytes()


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    path = CheckpointFolder(tmp_path).save(made())
    again = load_checkpoint(path)
    assert path.name == "epoch_0003"
    assert (again.epoch, again.facts) == (3, FACTS)
    assert again.tensors.keys() == made().tensors.keys()
    for name, tensor in made().tensors.items():
        assert bits(again.tensors[name]) == bits(tensor), name


def test_a_part_is_what_lies_below_a_dot() -> None:
    parts = made()
    assert list(parts.part("averaged")) == ["weight", "strided"]
    assert parts.part("averaged")["weight"] is parts.tensors["averaged.weight"]
    assert parts.part("average") == {}


@given(keep=st.integers(1, 4), epochs=st.integers(1, 12))
def test_only_the_newest_are_kept(keep: int, epochs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = CheckpointFolder(Path(folder) / "new", keep)
        assert checkpoints.latest() is None
        for epoch in range(1, epochs + 1):
            saved = checkpoints.save(Checkpoint(epoch, {"w": torch.zeros(1)}, {}))
            assert checkpoints.latest() == saved
        names = sorted(path.name for path in checkpoints.path.iterdir())
        assert names == [f"epoch_{n:04d}" for n in range(max(1, epochs - keep + 1), epochs + 1)]


def test_two_are_kept_unless_told_otherwise(tmp_path: Path) -> None:
    assert CheckpointFolder(tmp_path).keep == 2


def test_an_epoch_done_again_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path)
    checkpoints.save(made(seed=1))
    path = checkpoints.save(made(seed=2))
    assert torch.equal(
        load_checkpoint(path).tensors["recognizer.weight"],
        made(seed=2).tensors["recognizer.weight"],
    )
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_0003"]


@pytest.mark.parametrize("place", ["write_text", "sha256", "safetensors.torch.save", "os.replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), MemoryError()])
def test_a_failed_write_leaves_the_earlier_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: BaseException
) -> None:
    checkpoints = CheckpointFolder(tmp_path)
    checkpoints.save(made(1))
    second = checkpoints.save(made(2, seed=5))

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(f"{module.__name__}.{place}", fail)
        expected = CheckpointError if isinstance(error, OSError) else type(error)
        with pytest.raises(expected) as caught:
            checkpoints.save(made(3))
    if isinstance(error, OSError):
        assert "epoch_0003" in str(caught.value) and "disk full" in str(caught.value)
    assert checkpoints.latest() == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_0001", "epoch_0002"]
    again = load_checkpoint(second).tensors["recognizer.weight"]
    assert torch.equal(again, made(seed=5).tensors["recognizer.weight"])


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match=r"file/checkpoints/epoch_0003.*--out"):
        CheckpointFolder(tmp_path / "file" / "checkpoints").save(made())


def test_half_a_draft_is_no_checkpoint(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path)
    (tmp_path / ".draft_killed").mkdir()
    (tmp_path / ".draft_killed" / TENSORS).write_bytes(b"half")
    assert checkpoints.latest() is None
    checkpoints.clear()
    assert not tmp_path.exists()


def without(key: str) -> Callable[[bytes], bytes]:
    """Leave one key out of the JSON."""
    return lambda old: json.dumps({k: v for k, v in json.loads(old).items() if k != key}).encode()


def flipped(old: bytes) -> bytes:
    """Turn over the lowest bit of the last byte."""
    return old[:-1] + bytes([old[-1] ^ 1])


DAMAGES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "tensors flipped": (TENSORS, flipped),
    "tensors cut": (TENSORS, lambda old: old[:-10]),
    "tensors empty": (TENSORS, lambda _: b""),
    "tensors pickled": (TENSORS, lambda _: pickle.dumps({"w": 1})),
    "state cut": (STATE, lambda old: old[:-20]),
    "state empty": (STATE, lambda _: b""),
    "state a list": (STATE, lambda _: b"[1, 2]"),
    "state no text": (STATE, lambda _: b"\xff\xfe\x00"),
    "state of tomorrow": (STATE, lambda old: json.dumps({**json.loads(old), "format": 3}).encode()),
    **{f"state without {key}": (STATE, without(key)) for key in ("sha256", "format")},
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_named(tmp_path: Path, how: str) -> None:
    path = CheckpointFolder(tmp_path).save(made())
    file, change = DAMAGES[how]
    (path / file).write_bytes(change((path / file).read_bytes()))
    with pytest.raises(CheckpointError, match="epoch_0003"):
        load_checkpoint(path)


@pytest.mark.parametrize("key", ["epoch", "facts"])
def test_what_the_state_lacks_is_told(tmp_path: Path, key: str) -> None:
    path = CheckpointFolder(tmp_path).save(made())
    (path / STATE).write_bytes(without(key)((path / STATE).read_bytes()))
    with pytest.raises(CheckpointError, match="epoch_0003"):
        load_checkpoint(path)


@pytest.mark.parametrize("file", [TENSORS, STATE])
def test_a_file_that_is_gone_is_named(tmp_path: Path, file: str) -> None:
    path = CheckpointFolder(tmp_path).save(made())
    (path / file).unlink()
    with pytest.raises(CheckpointError, match=file):
        load_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="epoch_0009"):
        load_checkpoint(tmp_path / "epoch_0009")


def test_reading_can_run_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = CheckpointFolder(tmp_path).save(made())
    assert sorted(file.name for file in path.iterdir()) == [STATE, TENSORS]
    assert not any(b"torch" in file.read_bytes() for file in path.iterdir())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for target in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, target, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    assert load_checkpoint(path).epoch == 3
