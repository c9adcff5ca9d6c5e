"""Tensors of TorchScript archives, against PyTorch's own loader."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from skeletonagent.core.errors import DataError
from skeletonagent.text.torchscript import is_torchscript, read_torchscript


class Parts(nn.Module):
    """A module with every kind of tensor there may be."""

    def __init__(self) -> None:
        super().__init__()
        base = torch.arange(12.0).reshape(3, 4)
        self.plain = nn.Parameter(base.clone())
        self.turned = nn.Parameter(base.T)
        self.narrow = nn.Parameter(base.half())
        self.brain = nn.Parameter(base.bfloat16())
        self.register_buffer("whole", torch.arange(5))
        self.register_buffer("flag", torch.tensor([True, False]))
        self.register_buffer("cut", torch.arange(9.0)[3:7:2])
        self.register_buffer("scalar", torch.tensor(2.5))
        self.register_buffer("empty", torch.empty(0, 3))
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.LayerNorm(3)))
        self.count = 3
        self.names = ["a", "b"]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + self.plain.sum() + self.turned.sum() + self.narrow.float().sum()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "parts.pt"
    torch.jit.save(torch.jit.trace(Parts(), torch.zeros(1, 2)), path)
    return path


def test_tensors_equal_those_of_torch_jit_load(parts: Path) -> None:
    expected = torch.jit.load(parts, map_location="cpu").state_dict()
    actual = read_torchscript(parts)
    assert set(expected) <= set(actual)
    assert set(actual) <= set(Parts().state_dict())
    for name, tensor in expected.items():
        torch.testing.assert_close(actual[name], tensor.detach(), rtol=0, atol=0)


def test_tensors_own_their_memory(parts: Path) -> None:
    first, second = read_torchscript(parts), read_torchscript(parts)
    first["plain"].zero_()
    torch.testing.assert_close(second["plain"], torch.arange(12.0).reshape(3, 4), rtol=0, atol=0)


@given(prefixes=st.lists(st.sampled_from(["layers.0", "layers.", "narrow", "pl", "x"]), max_size=3))
def test_what_is_left_out_is_left_out_and_nothing_else(parts: Path, prefixes: list[str]) -> None:
    every = read_torchscript(parts)
    kept = read_torchscript(parts, leave_out=tuple(prefixes))
    assert set(kept) == {n for n in every if not any(n.startswith(p) for p in prefixes)}


def test_archives_are_told_from_state_dicts(parts: Path, tmp_path: Path) -> None:
    torch.save(Parts().state_dict(), tmp_path / "state.pt")
    (tmp_path / "text.pt").write_text("text")
    assert is_torchscript(parts)
    assert not is_torchscript(tmp_path / "state.pt")
    assert not is_torchscript(tmp_path / "text.pt")


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def test_nothing_in_an_archive_is_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "bomb.pt", tmp_path / "trace"
    pickled = pickle.dumps(Bomb(trace), protocol=2)
    with ZipFile(path, "w") as archive:
        archive.writestr("bomb/constants.pkl", pickled)
        archive.writestr("bomb/data.pkl", pickled)
    assert read_torchscript(path) == {}
    assert not trace.exists()
    pickle.loads(pickled)
    assert trace.exists()  # the bomb is a real one


def _without(parts: Path, path: Path, changed: dict[str, bytes | None]) -> Path:
    """Copy an archive, some records changed or left out."""
    with ZipFile(parts) as source, ZipFile(path, "w") as copy:
        for name in source.namelist():
            content = changed.get(name.partition("/")[2], source.read(name))
            if content is not None:
                copy.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "changed",
    [
        {"data.pkl": None},
        {"data.pkl": b""},
        {"data.pkl": b"not a pickle"},
        {"data.pkl": pickle.dumps([1, 2], protocol=2)},
        {"data/0": None},
        {"data/0": b"\0" * 4},
    ],
    ids=lambda changed: "-".join(f"{k}-{v and v[:3]}" for k, v in changed.items()),
)
def test_damaged_records_are_named(
    parts: Path, tmp_path: Path, changed: dict[str, bytes | None]
) -> None:
    with pytest.raises(DataError, match=r"copy\.pt: cannot be read as a TorchScript archive"):
        read_torchscript(_without(parts, tmp_path / "copy.pt", changed))


@given(share=st.floats(0, 0.999))
def test_a_cut_archive_is_refused(
    parts: Path, share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = parts.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "cut.pt"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"cut\.pt"):
        read_torchscript(path)
