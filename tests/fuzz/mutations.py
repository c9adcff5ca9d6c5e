"""Mutations of files: bytes, words, members and values that no good file has."""

from __future__ import annotations

import io
import json
import pickle
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.outside_files import UNREADABLE

_WORD = re.compile(rb"[^\s,:;\[\]{}\"]+")
EXTREME_WORDS = (
    b"1e400", b"-1", b"0", b"NaN", b"null", b"Infinity", b"18446744073709551616", b"9" * 5000,
    b"1000000000000000", b"", b"x", b"[" * 30_000, b"{}", b"[]", b"2001-99-99", b"0b_", b"!!int x",
    b"\x1b]0;t\x07", b"\xff\xfe", b"\xed\xa0\x80", "\u2028".encode(), b"*a", b"&a [*a]",
)  # fmt: skip


def extremes() -> list[Any]:
    """Return values that a value in JSON or in a pickle may be replaced by."""
    shared: Any = ["x"]
    for _ in range(60):
        shared = [shared] * 9
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    return [
        None, True, -1, 0, 1 << 31, 1 << 63, 1 << 80, 10**15, 0.5, float("nan"), float("inf"),
        "", "x" * 10_000, "\x1b[2J", "\ud800", [], {}, [[]], [1], {"a": 1}, deep, shared,
    ]  # fmt: skip


def mutate(path: Path, rng: random.Random) -> None:
    """Change a file in place; a folder in one of its files."""
    if path.is_dir():
        path = rng.choice(sorted(file for file in path.rglob("*") if file.is_file()))
    kinds: list[Callable[[bytes, random.Random], bytes]] = [_bytes, _cut, _bytes, _repeat]
    if path.suffix in (".json", ".jsonl", ".yaml", ".txt", ".csv", ".bvh", ".skeleton"):
        kinds += [_words] * 4
    if path.suffix == ".json":
        kinds += [_json] * 6
    if path.suffix == ".jsonl":
        kinds += [_json_line] * 6
    if path.suffix == ".npz":
        kinds += [_zip] * 8
    if path.suffix == ".npy":
        kinds += [_npy] * 6
    if path.suffix in (".pkl", ".pickle"):
        kinds += [_pickle] * 4 + [_instructions] * 4
    content = path.read_bytes()
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        try:
            content = rng.choice(kinds)(content, rng)
        except UNREADABLE:
            content = _bytes(content, rng)  # it is damaged already
        kinds = [kind for kind in kinds if kind is not _pickle]  # only what we wrote is unpickled
    path.write_bytes(content)


def _bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(changed))
        if rng.random() < 0.5:
            at = min(at, rng.randrange(1, 400))  # headers are at the beginning
        changed[at % len(changed)] = rng.choice((0, 0xFF, 0x7F, rng.randrange(256)))
    return bytes(changed)


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    first, last = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:last] + content[first:]


def _words(content: bytes, rng: random.Random) -> bytes:
    places = list(_WORD.finditer(content))
    match = rng.choice(places)
    return content[: match.start()] + rng.choice(EXTREME_WORDS) + content[match.end() :]


def _json(content: bytes, rng: random.Random) -> bytes:
    value = json.loads(content)
    shown = json.dumps(_changed(value, rng, extremes()[:-1]))  # shared lists would be written out
    return shown.encode(errors="surrogatepass")


def _json_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines()
    at = rng.randrange(len(lines))
    return b"\n".join([*lines[:at], _json(lines[at], rng), *lines[at + 1 :]]) + b"\n"


def _changed(value: Any, rng: random.Random, values: list[Any]) -> Any:
    """Return a value of which one part was replaced, dropped or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        if rng.random() < 0.15:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: _changed(value[key], rng, values)}
    if isinstance(value, list | tuple) and len(value) and rng.random() < 0.8:
        at = rng.randrange(len(value))
        if rng.random() < 0.15:
            return [*value[:at], *value[at + 1 :]]
        return [*value[:at], _changed(value[at], rng, values), *value[at + 1 :]]
    if isinstance(value, np.ndarray) and rng.random() < 0.7:
        return _changed_array(value, rng)
    return rng.choice(values)


def _changed_array(array: np.ndarray, rng: random.Random) -> np.ndarray:
    """Return an array of other numbers, types or shapes."""
    changes: list[Callable[[], np.ndarray]] = [
        lambda: array[:-1],
        lambda: array[..., None],
        lambda: array.reshape(-1),
        lambda: np.zeros((0, *array.shape[1:]), array.dtype),
        lambda: array.astype(rng.choice(["i1", "u8", "f8", "f2", "c8", "?", "M8[s]", "S3", "U2"])),
        lambda: np.full(array.shape, rng.choice([np.nan, np.inf, 3e38, 0.0, -1.0])),
        lambda: np.full(array.shape, rng.choice([-1, 2**31, 2**62, -(2**63), 40_000])),
        lambda: np.concatenate([array, array]),
        lambda: np.array([None, "x"], dtype=object),
        lambda: np.array(rng.choice([5, "x", 1.5])),
    ]
    with np.errstate(all="ignore"):
        return rng.choice(changes)()


def _npy(content: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return _header(content, rng)
    buffer = io.BytesIO()
    np.save(buffer, _changed_array(np.load(io.BytesIO(content), allow_pickle=False), rng))
    return buffer.getvalue()


def _header(content: bytes, rng: random.Random) -> bytes:
    """Return an npy file whose header says something else, of the same length."""
    number = rng.choice([b"999999999999", b"18446744073709551616", b"-1", b"0", b"1e9", b"()" * 20])
    shown = re.sub(rb"\((\d+)", lambda match: b"(" + number, content, count=1)
    return shown if rng.random() < 0.5 else re.sub(rb"'<(..)'", b"'|O'", content, count=1)


def _zip(content: bytes, rng: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    how = rng.choice(("drop", "npy", "npy", "npy", "bytes", "bomb", "folders", "rename"))
    if how in ("drop", "rename"):
        taken = members.pop(name)
        if how == "rename":
            members[rng.choice(("../x.npy", "a/b.npy", "x", "keypoints.npy"))] = taken
    elif how == "bomb":
        members["notes.npy"] = _saved(np.zeros(30_000_000, np.int8))
    elif how == "folders":
        members |= {f"folder {n}/": b"" for n in range(200)}
    else:
        members[name] = (_npy if how == "npy" else _bytes)(members[name], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for member, item in members.items():
            archive.writestr(member, item)
    return buffer.getvalue()


def _saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _pickle(content: bytes, rng: random.Random) -> bytes:
    value = pickle.loads(content)
    values = [*extremes(), (1, 2), {1, "a"}, b"x", np.float32(1), {("a", 1): 2}]
    return pickle.dumps(_changed(value, rng, values), rng.choice((0, 2, 4, 5)))


def _instructions(content: bytes, rng: random.Random) -> bytes:
    """Return a pickle with instructions put into it."""
    put = rng.choice(
        (
            b"\x85" * rng.choice((3, 200_000)), b"r\xff\xff\xff\x7f", b"p99999999999\n", b"]" * 9,
            b"\x8f" * 300_000, b"2\x86" * 60, b"}", b"(", b"0", b"1", b"Nh\x00s", b"h\x01R", b"b",
            b"\x8e" + b"\xff" * 7 + b"\x00", b"\x8a\xff" + b"\xff" * 255, b"cos\nsystem\n", b"\x81",
            bytes(rng.randrange(256) for _ in range(4)),
        )
    )  # fmt: skip
    at = rng.randrange(2, max(3, len(content)))
    return content[:at] + put + content[at:]
