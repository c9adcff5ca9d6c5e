"""Checkpoints: all that goes in comes out, and nothing that goes wrong costs an earlier one."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skeletonagent.core.errors import CheckpointError, CorruptCheckpointError
from skeletonagent.training import checkpoint as module
from skeletonagent.training.checkpoint import (
    FORMAT,
    REPLACED,
    STATE,
    TENSORS,
    Checkpoint,
    CheckpointFolder,
    load_checkpoint,
)

METADATA = {"class_names": ["wave", "grüßen"], "config": {"a": [1, 2.5, None, True]}}


def made(epoch: int = 3, seed: int = 0, step: int = 0) -> Checkpoint:
    """Return a checkpoint of tensors of all kinds."""
    generator = torch.Generator().manual_seed(seed)
    wide = torch.randn(4, 6, generator=generator)
    tensors = {
        "recognizer.weight": wide,
        "recognizer.odd": torch.tensor([0.1, -0.0, float("nan"), float("inf"), 1e-42]),
        "recognizer.half": wide.bfloat16(),
        "ema.weight": wide.T,
        "ema.strided": wide[:, ::2],
        "ema_steps": torch.tensor(7),
        "confusions": torch.tensor([[2**40, 0], [1, -3]]),
        "seen": torch.tensor([True, False]),
        "nothing": torch.empty(0, 3),
    }
    return Checkpoint(epoch, tensors, METADATA, step)


def small(epoch: int, step: int = 0, value: float = 0.0) -> Checkpoint:
    """Return a checkpoint of one number."""
    return Checkpoint(epoch, {"w": torch.tensor([value])}, {}, step)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def bits(tensor: torch.Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    """Return what a tensor is, down to the sign of a zero and the kind of a NaN."""
    flat = tensor.contiguous().reshape(-1)
    return tensor.dtype, tensor.shape, flat.view(torch.uint8).numpy().tobytes()


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    path = CheckpointFolder(tmp_path).save(made())
    again = load_checkpoint(path)
    assert path.name == "epoch_0003"
    assert (again.epoch, again.step, again.metadata) == (3, 0, METADATA)
    assert again.tensors.keys() == made().tensors.keys()
    for name, tensor in made().tensors.items():
        assert bits(again.tensors[name]) == bits(tensor), name


def test_a_part_is_what_lies_below_a_dot() -> None:
    parts = made()
    assert list(parts.tensors_under("ema")) == ["weight", "strided"]
    assert parts.tensors_under("ema")["weight"] is parts.tensors["ema.weight"]
    assert parts.tensors_under("average") == {}


@settings(max_examples=12)
@given(keep=st.integers(1, 4), epochs=st.integers(1, 8))
def test_only_the_newest_are_kept(keep: int, epochs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = CheckpointFolder(Path(folder) / "new", keep)
        for epoch in range(1, epochs + 1):
            checkpoints.save(Checkpoint(epoch, {"w": torch.zeros(1)}, {}))
        newest = range(max(1, epochs - keep + 1), epochs + 1)
        assert names(checkpoints.path) == [f"epoch_{n:04d}" for n in newest]


def test_an_epoch_under_way_has_the_step_in_its_name(tmp_path: Path) -> None:
    path = CheckpointFolder(tmp_path).save(made(7, step=123))
    assert path.name == "epoch_0007_step_000123"
    again = load_checkpoint(path)
    assert (again.epoch, again.step) == (7, 123)


moments = st.tuples(st.integers(0, 20_000), st.sampled_from([0, 1, 9, 10, 999_999, 1_000_000]))


@given(order=st.lists(moments, min_size=1, max_size=5, unique=True))
def test_the_newest_is_the_furthest_in_epoch_and_step(order: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = CheckpointFolder(Path(folder), keep=9)
        for epoch, step in order:
            checkpoints.save(small(epoch, step))
        found = checkpoints.latest()
        assert found.checkpoint is not None and found.corrupt == ()
        assert (found.checkpoint.epoch, found.checkpoint.step) == max(order)


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


PLACES = [
    "write_text", "sha256", "safetensors.torch.save", "os.replace", "sync_directory", "os.fsync",
    "tempfile.mkdtemp", "os.chmod",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
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
    assert names(tmp_path) == ["epoch_0001", "epoch_0002"]
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
    assert checkpoints.latest().checkpoint is None
    checkpoints.remove_leftovers(None)
    assert not any(tmp_path.iterdir())


def test_what_a_killed_save_left_is_removed_when_the_run_is_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    checkpoints = CheckpointFolder(folder)
    for epoch in (1, 2):
        checkpoints.save(made(epoch))
    CheckpointFolder(folder, keep=9).save(made(3))  # killed before the oldest was removed
    shutil.copytree(folder / "epoch_0003", folder / "epoch_0003_replaced")
    shutil.copytree(folder / "epoch_0003", folder / ".draft_killed")
    (folder / "of_somebody_else").mkdir()
    checkpoints.remove_leftovers(checkpoints.latest().checkpoint)
    assert names(folder) == ["epoch_0002", "epoch_0003", "of_somebody_else"]


def test_the_only_complete_copy_gets_its_name_back(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path)
    for epoch in (1, 2):
        checkpoints.save(made(epoch))
    (tmp_path / "epoch_0002").rename(tmp_path / "epoch_0002_replaced")
    checkpoints.remove_leftovers(checkpoints.latest().checkpoint)
    assert names(tmp_path) == ["epoch_0001", "epoch_0002"]


def test_a_newer_checkpoint_that_cannot_be_read_stays_until_the_next(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path)
    for epoch in (1, 2):
        checkpoints.save(made(epoch))
    (tmp_path / "epoch_0002" / TENSORS).write_bytes(b"")
    checkpoints.remove_leftovers(checkpoints.latest().checkpoint)
    assert names(tmp_path) == ["epoch_0001", "epoch_0002"]


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
    "state altered": (STATE, lambda old: old.replace(b'"epoch": 3', b'"epoch": 4')),
    "state without its seal, altered": (
        STATE,
        lambda old: old[: old.rindex(b', "seal"')].replace(b"wave", b"rave") + b"}",
    ),
    **{f"state without {key}": (STATE, without(key)) for key in ("sha256", "format", "seal")},
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_named(tmp_path: Path, how: str) -> None:
    path = CheckpointFolder(tmp_path).save(made())
    file, change = DAMAGES[how]
    (path / file).write_bytes(change((path / file).read_bytes()))
    with pytest.raises(CorruptCheckpointError, match="epoch_0003"):
        load_checkpoint(path)


@pytest.mark.parametrize("key", ["epoch", "step", "metadata", "sha256"])
def test_what_the_state_lacks_is_told(tmp_path: Path, key: str) -> None:
    path = CheckpointFolder(tmp_path).save(made())
    (path / STATE).write_bytes(sealed(json.loads(without(key)((path / STATE).read_bytes()))))
    with pytest.raises(CorruptCheckpointError, match=f"epoch_0003.*{key}"):
        load_checkpoint(path)


def sealed(state: dict[str, Any]) -> bytes:
    """Return a state as it is written, its checksum reckoned by hand."""
    body = json.dumps({key: value for key, value in state.items() if key != "seal"})[:-1].encode()
    return body + b', "seal": "' + sha256(body).hexdigest().encode() + b'"}'


def test_the_state_is_json_that_ends_with_the_checksum_of_the_rest(tmp_path: Path) -> None:
    path = CheckpointFolder(tmp_path).save(made())
    content = (path / STATE).read_bytes()
    assert content == sealed(json.loads(content))


@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), file=st.sampled_from([0, 1]))
def test_one_bit_is_enough_to_fall_back(at: float, bit: int, file: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = CheckpointFolder(Path(folder))
        checkpoints.save(made(1, seed=1))
        newest = checkpoints.save(made(2, step=5)) / (TENSORS, STATE)[file]
        content = bytearray(newest.read_bytes())
        content[int(at * len(content))] ^= 1 << bit
        newest.write_bytes(content)
        found = checkpoints.latest()
        assert found.checkpoint is not None and found.checkpoint.epoch == 1
        (sentence,) = found.corrupt
        assert "epoch_0002_step_000005" in sentence


@pytest.mark.parametrize("how", DAMAGES)
def test_what_is_newer_and_damaged_is_told_and_passed_over(tmp_path: Path, how: str) -> None:
    checkpoints = CheckpointFolder(tmp_path, keep=9)
    for epoch in (1, 2, 3):
        checkpoints.save(made(epoch))
    (checkpoints.save(made(3, step=1)) / TENSORS).unlink()
    file, change = DAMAGES[how]
    damaged = tmp_path / "epoch_0003" / file
    damaged.write_bytes(change(damaged.read_bytes()))
    found = checkpoints.latest()
    assert found.checkpoint is not None and found.checkpoint.epoch == 2
    assert len(found.corrupt) == 2
    assert "epoch_0003_step_000001" in found.corrupt[0] and TENSORS in found.corrupt[0]
    assert f"{tmp_path / 'epoch_0003'}" in found.corrupt[1]


def test_without_a_sound_one_it_is_told_what_to_do(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path)
    for path in [checkpoints.save(made(epoch)) for epoch in (1, 2)]:
        (path / STATE).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"epoch_0002.*epoch_0001.*--resume.*--out"):
        checkpoints.latest()


OTHER_FORMAT = r"epoch_0002 has format \d, but .* reads format 4; train anew with another --out"


def test_another_format_is_no_damage(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path)
    for epoch in (1, 2):
        checkpoints.save(made(epoch))
    path = tmp_path / "epoch_0002" / STATE
    state = json.loads(path.read_bytes())
    unsealed = {"format": 2, **{key: state[key] for key in ("epoch", "sha256", "metadata")}}
    former = {**state, "format": 3}  # the last one before modules and tensors had today's names
    newer = {**state, "format": FORMAT + 1}
    for content in (json.dumps(unsealed).encode(), sealed(former), sealed(newer)):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=OTHER_FORMAT) as caught:
            checkpoints.latest()
        assert not isinstance(caught.value, CorruptCheckpointError)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_a_damaged_one_never_costs_the_last_sound_one(tmp_path: Path, keep: int) -> None:
    checkpoints = CheckpointFolder(tmp_path, keep)
    for step in (0, 10, 20):
        CheckpointFolder(tmp_path, 9).save(small(7, step, value=step))
    for later in (small(7, 30), small(8), small(9)):
        (CheckpointFolder(tmp_path, 9).save(later) / TENSORS).write_bytes(b"torn")
    written = checkpoints.save(small(7, 25, value=25))
    left = ["epoch_0007", "epoch_0007_step_000010", "epoch_0007_step_000020"]
    assert names(tmp_path) == [*left[len(left) - keep + 1 :], written.name]
    found = checkpoints.latest()
    assert found.checkpoint is not None and found.checkpoint.step == 25


def test_what_is_not_a_checkpoint_is_left_alone(tmp_path: Path) -> None:
    for name in ("epoch_0009_copy", "epoch_best", "notes"):
        (tmp_path / name).mkdir()
    checkpoints = CheckpointFolder(tmp_path, keep=1)
    assert checkpoints.latest().checkpoint is None
    for epoch in (1, 2):
        checkpoints.save(small(epoch))
    assert names(tmp_path) == ["epoch_0002", "epoch_0009_copy", "epoch_best", "notes"]


TOUCHING = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod"}


def dies_in(save: Callable[[], object], before: int) -> bool:
    """Do it in a process that dies before it touches its files so often; return if it died."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = [before]

    def look(event: str, _: tuple[Any, ...]) -> None:
        if event in TOUCHING:
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)

    try:
        sys.addaudithook(look)
        save()
    finally:
        os._exit(0)


@pytest.mark.parametrize("epoch", [3, 2], ids=["further", "again"])
@pytest.mark.parametrize("keep", [1, 2])
def test_a_death_at_any_moment_leaves_the_old_or_the_new(
    tmp_path: Path, epoch: int, keep: int
) -> None:
    died, seen = True, set()
    moment = 0
    while died:
        checkpoints = CheckpointFolder(tmp_path / str(moment), keep)
        for number in (1, 2):
            checkpoints.save(small(number, value=number))
        died = dies_in(lambda: checkpoints.save(small(epoch, value=7)), moment)  # noqa: B023
        found = checkpoints.latest()
        assert found.checkpoint is not None and found.corrupt == ()
        value = found.checkpoint.tensors["w"].item()
        assert (found.checkpoint.epoch, value) in {(2, 2.0), (epoch, 7.0)}
        seen.add(value)
        checkpoints.save(small(4, value=8))
        kept = [f"epoch_{number:04d}" for number in (found.checkpoint.epoch, 4)]
        assert [n.removesuffix(REPLACED) for n in names(checkpoints.path)] == kept[-keep:]
        moment += 1
    assert seen == {2.0, 7.0} and moment > 8


@pytest.mark.parametrize("file", [TENSORS, STATE])
def test_a_file_that_is_gone_is_named(tmp_path: Path, file: str) -> None:
    path = CheckpointFolder(tmp_path).save(made())
    (path / file).unlink()
    with pytest.raises(CorruptCheckpointError, match=file):
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
