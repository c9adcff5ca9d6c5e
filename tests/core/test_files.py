"""Atomic writing: the old file or the new one, never anything between. Locks: one at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from skeletonagent.core.errors import RunInUseError
from skeletonagent.core.files import (
    lock_file,
    remove_temporary_files,
    sync_directory,
    write_atomically,
    write_text,
)


def test_a_file_is_replaced_only_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with write_atomically(path) as file:
        file.write(b"new, ")
        file.flush()
        assert path.read_bytes() == b"old"
        file.write(b"and whole")
    assert path.read_bytes() == b"new, and whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [b"old", None])
def test_an_exception_leaves_things_as_they_were(
    tmp_path: Path, old: bytes | None, error: type[BaseException]
) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)

    def break_off() -> None:
        with write_atomically(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        break_off()
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([old] if old is not None else [])


def test_folders_are_made_and_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_text(path, "Ähre\n")
    assert path.read_bytes() == "Ähre\n".encode()
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("mask", [0o077, 0o027, 0o002, 0o022])
@pytest.mark.parametrize("known", [True, False])
def test_a_file_has_the_users_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mask: int, known: bool
) -> None:
    if not known:  # a system without /proc

        def unreadable(*_: object, **__: object) -> str:
            raise FileNotFoundError

        monkeypatch.setattr(Path, "read_text", unreadable)
    before = os.umask(mask)
    try:
        write_text(tmp_path / "file", "text")
        assert os.umask(mask) == mask, "the umask is as it was"
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~mask


def in_a_child(work: object) -> int:
    """Call a function in a forked process and return its status: what it returns, or 99."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 99
    try:
        status = int(work())  # type: ignore[operator]
    finally:
        os._exit(status)


def test_a_full_disk_is_told_with_the_file_and_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fill() -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(OSError, match=r"too large.*/file") as caught:
            write_text(path, "new" * 1000)
        return caught.value.errno != errno.EFBIG

    assert in_a_child(fill) == 0
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"old")]


def test_a_problem_of_another_kind_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    def read() -> None:
        with write_atomically(tmp_path / "file"):
            (tmp_path / "missing").read_bytes()

    with pytest.raises(FileNotFoundError) as caught:
        read()
    assert str(caught.value.filename) == str(tmp_path / "missing")


def test_file_and_name_are_made_to_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []

    def fsync(handle: int) -> None:
        synced.append(os.path.realpath(f"/proc/self/fd/{handle}"))

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(tmp_path / "file", "new")
    temporary, folder = synced
    assert Path(temporary).name.startswith(".file.")
    assert folder == os.path.realpath(tmp_path)


def test_a_file_system_that_keeps_no_directory_back_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(number: int) -> None:
        def fsync(_: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)

    refuse(errno.EINVAL)
    sync_directory(tmp_path)
    refuse(errno.EIO)
    with pytest.raises(OSError, match="output error"):
        sync_directory(tmp_path)


def test_a_lock_names_its_holder_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    with lock_file(path):
        assert path.read_text() == f"process {os.getpid()} on {platform.node()}"
    assert list(path.parent.iterdir()) == []


def test_a_lock_is_held_once_even_by_one_process(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with lock_file(path):
        with pytest.raises(RunInUseError, match=f"process {os.getpid()} .*{tmp_path}.*--out"):
            lock_file(path).__enter__()
        assert path.exists()
    with lock_file(path):
        pass


def test_a_lock_is_given_back_after_an_exception(tmp_path: Path) -> None:
    def fail() -> None:
        with lock_file(tmp_path / ".lock"):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            fail()


VANISHING = """
import os, sys
from pathlib import Path
from skeletonagent.core.files import write_atomically
with write_atomically(Path(sys.argv[1])) as file:
    file.write(b"half")
    os._exit(9)
"""


def test_what_a_killed_process_was_writing_can_be_removed(tmp_path: Path) -> None:
    for name in ("file", "folder/file"):
        write_text(tmp_path / name, "whole")
        subprocess.run([sys.executable, "-c", VANISHING, str(tmp_path / name)], check=False)
    kept = {tmp_path / name for name in ("file", "folder", "folder/file", ".lock", "the.draft")}
    (tmp_path / ".lock").touch()
    (tmp_path / "the.draft").touch()
    assert len(set(tmp_path.rglob("*")) - kept) == 2
    remove_temporary_files(tmp_path)
    assert set(tmp_path.rglob("*")) == kept
    assert (tmp_path / "folder" / "file").read_text() == "whole"


HOLDING = """
import sys, time
from pathlib import Path
from skeletonagent.core.files import lock_file
with lock_file(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_lock_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(RunInUseError, match=f"process {holder.pid} on"):
            lock_file(path).__enter__()
        holder.kill()
    assert path.read_text() == f"process {holder.pid} on {platform.node()}"
    with lock_file(path):
        assert path.read_text() == f"process {os.getpid()} on {platform.node()}"


def test_a_lock_left_on_another_host_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.write_text("process 1 on a node with a much longer name than this one has")
    with lock_file(path):
        assert path.read_text() == f"process {os.getpid()} on {platform.node()}"


def test_of_many_at_once_one_holds_the_lock(tmp_path: Path) -> None:
    """The holder makes a file that must not be there, so that two holders would be noticed."""

    def contend() -> int:
        got = 0
        while got < 30:
            try:
                with lock_file(tmp_path / ".lock"):
                    os.close(os.open(tmp_path / "witness", os.O_CREAT | os.O_EXCL))
                    os.sched_yield()
                    os.unlink(tmp_path / "witness")
                    got += 1
            except RunInUseError:
                os.sched_yield()
        return 0

    def four() -> int:
        children = []
        for _ in range(3):
            child = os.fork()
            if not child:
                os._exit(in_a_child(contend))
            children.append(child)
        own = in_a_child(contend)
        return own or max(os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children)

    assert four() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_of_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.warns(RuntimeWarning, match=f"{tmp_path} cannot be locked"),
        lock_file(tmp_path / ".lock"),
    ):
        assert (tmp_path / ".lock").exists()


def test_another_failure_to_lock_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="broken"):
        lock_file(tmp_path / ".lock").__enter__()
