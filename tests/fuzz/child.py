"""Process that reads mutated files and says what became of each, within a limit of memory.

A line of its input is a kind and a path; the answer is ``read``, ``refused`` or what is wrong.
"""

from __future__ import annotations

import resource
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from skeletonagent.agents import prompts
from skeletonagent.core.dialogue import Step
from skeletonagent.core.errors import ChatError, ConfigError, DataError, SkeletonAgentError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.outside_files import require_file
from skeletonagent.data.archive import read_archive
from skeletonagent.data.class_name_files import read_class_names
from skeletonagent.data.convert.layout_confirmation import confirm_layout
from skeletonagent.data.importing.segments import read_label_table
from skeletonagent.data.keypoints.reading import read_keypoints
from skeletonagent.data.layout_files import read_layout_file
from skeletonagent.data.readers.ntu import read_skeleton_file
from skeletonagent.data.readers.pyskl import pyskl_reader
from skeletonagent.data.readers.uav import read_uav_file
from skeletonagent.data.summary import summarize_dataset
from skeletonagent.experiments.config import read_config
from skeletonagent.llm.chats.provider import ProviderChat
from skeletonagent.llm.settings import LanguageModel
from skeletonagent.report.page import report_page
from skeletonagent.report.sections import ReportOptions
from skeletonagent.training.run_directory import RunDirectory

MOST_MEMORY = 2 * 2**30
"""Memory in bytes that reading may take beyond that of a process that has read nothing."""
MOST_WORDS = 2500
"""Longest message, in characters, without the path in it."""


def _read_archive(path: Path) -> None:
    summarize_dataset(read_archive(path))
    read_archive(path, confidence=True, require_labels=False)


def _read_pickle(path: Path) -> None:
    if path.suffix == ".pickle":
        read_keypoints(path)
        return
    layout = COCO_17 if path.name == "own.pkl" else None
    reader, _ = confirm_layout(pyskl_reader(path, layout=layout))
    for item in reader.items:
        with suppress(DataError):
            reader.read(item)
    reader.splits([item.sample_id for item in reader.items])


def _read_skeleton(path: Path) -> None:
    (read_uav_file if path.suffix == ".txt" else read_skeleton_file)(path)


def _read_text(path: Path) -> None:
    require_file(path)
    (read_label_table if path.suffix == ".csv" else read_class_names)(path)


def _read_run(path: Path) -> None:
    RunDirectory(path).checkpoints.latest()
    report_page(ReportOptions((path,), clips=2))


class _AnswerServer(BaseHTTPRequestHandler):
    """Server that answers every question with the same bytes."""

    content = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        pass


@cache
def _chat() -> ProviderChat:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _AnswerServer)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    return ProviderChat(LanguageModel(address, max_attempts=1, breaker_failures=10**9, model="m"))


def _ask(path: Path) -> None:
    _AnswerServer.content = path.read_bytes()
    for step in (Step.OVERVIEW, Step.CRITICAL_JOINTS):
        with suppress(ChatError):
            _chat().ask(prompts.question(step, "walk", COCO_17), ())
    _chat().ask(prompts.question(Step.OVERVIEW, "walk", COCO_17), ())


READERS: Mapping[str, Callable[[Path], object]] = {
    "archive": _read_archive,
    "pickle": _read_pickle,
    "skeleton": _read_skeleton,
    "layout": read_layout_file,
    "keypoints": read_keypoints,
    "text": _read_text,
    "config": read_config,
    "run": _read_run,
    "answer": _ask,
}
"""What reads the files of each kind, as the commands do."""


def answer(kind: str, path: Path) -> str:
    """Return in one line what reading a file came to."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            READERS[kind](path)
        words = [str(each.message) for each in caught if each.category is UserWarning]
        outcome = "read"
    except SkeletonAgentError as error:
        words, outcome = [str(error)], "refused"
        if isinstance(error, ConfigError):  # a line for each mistake
            words = str(error).split("\n")
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        shown = f"{type(error).__name__}: {str(error)[:200]!r}"
        return f"traceback {shown} in {place.filename}:{place.lineno}"
    for text in words:
        if len(text.replace(str(path), "")) > MOST_WORDS or not text.isprintable():
            return f"message of {len(text)} characters that is not fit to print: {text[:300]!r}"
    return outcome


def main() -> None:
    """Answer each line of the input."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _say("ready")
    for line in sys.stdin:
        kind, _, path = line.rstrip("\n").partition(" ")
        _say(answer(kind, Path(path)))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
