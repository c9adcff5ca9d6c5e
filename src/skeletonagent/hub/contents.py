"""Files of a recognizer on the Hugging Face Hub: what is uploaded, and checks of what came back."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.json_files import JsonRecord, parse_json
from skeletonagent.core.outside_files import problem_line, read_outside_bytes, read_outside_text
from skeletonagent.core.outside_text import printable_line
from skeletonagent.inference.exported_model import ExportedModel

HUB_SCHEMA = "skeletonagent.hub/1"
"""Name and version of the form of such repositories."""

MODEL, WEIGHTS, CARD, LISTING = "model.onnx", "model.safetensors", "README.md", "skeletonagent.json"
"""Names of the files: recognizer, weights for PyTorch, model card, and the list of all of them."""

HUB_FILE_BYTES: Mapping[str, int] = {
    MODEL: 1 << 30, WEIGHTS: 1 << 30, CARD: 1 << 20, LISTING: 1 << 20,
}  # fmt: skip
"""Largest size of each file that is uploaded or downloaded; there are no others."""


class RecordedFile(JsonRecord):
    """File in the list."""

    bytes: int
    sha256: str


class RecordedListing(JsonRecord):
    """Content of the list of files."""

    form: str
    program: str
    files: dict[str, RecordedFile]


@dataclass(frozen=True)
class HubContents:
    """Folder with the files of one recognizer.

    Args:
        folder: The folder.
    """

    folder: Path

    @property
    def sizes(self) -> Mapping[str, int]:
        """Size of each file that is there, in bytes, by its name."""
        paths = {name: self.folder / name for name in HUB_FILE_BYTES}
        return {name: path.stat().st_size for name, path in paths.items() if path.is_file()}

    def write_listing(self, program: str) -> None:
        """Write the list of all other files.

        Args:
            program: Program that wrote them.
        """
        files = {
            name: {"bytes": size, "sha256": _checksum(self.folder / name)}
            for name, size in self.sizes.items()
            if name != LISTING
        }
        value = {"form": HUB_SCHEMA, "program": program, "files": files}
        write_text(self.folder / LISTING, json.dumps(value, indent=1))

    def check(self) -> ExportedModel:
        """Return the recognizer, after checking all files as those of unknown origin.

        Raises:
            DataError: If one is missing, larger than allowed, other than listed, or damaged.
            ConfigError: If ONNX Runtime is missing.
        """
        path = self.folder / LISTING
        text = read_outside_text(path, HUB_FILE_BYTES[LISTING])
        listed = parse_json(text, RecordedListing, path)
        if listed["form"] != HUB_SCHEMA:
            shown = printable_line(listed["form"], 80)
            raise DataError(f"is of the form {shown}, this version reads {HUB_SCHEMA}", path=path)
        for name in (MODEL, CARD):
            if name not in listed["files"]:
                raise DataError(f"does not list {name}", path=path)
        for name, entry in listed["files"].items():
            if name not in HUB_FILE_BYTES:
                raise DataError(f"lists {printable_line(name, 80)}, which is not read", path=path)
            if _checksum(self.folder / name) != entry["sha256"]:
                raise DataError(
                    "is not the file that is listed: its checksum is another",
                    path=path.parent / name,
                )
        if WEIGHTS in listed["files"]:
            _require_tensors(self.folder / WEIGHTS)
        return ExportedModel.open(self.folder / MODEL)


def _checksum(path: Path) -> str:
    return hashlib.sha256(read_outside_bytes(path, HUB_FILE_BYTES[path.name])).hexdigest()


def _require_tensors(path: Path) -> None:
    """Check that a file holds tensors alone, in a form that can run no code."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            list(file.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"is no file of safetensors: {problem_line(error)}", path=path) from error


@contextmanager
def contents_of(path: Path, license: str = "") -> Iterator[HubContents]:
    """Provide a temporary folder with what is uploaded of a run, or of an exported file.

    Of a run it is exported anew, with its weights beside. Neither checkpoints nor dialogues, paths
    or settings of the training are among it.

    Args:
        path: A run directory of one stream, or a file of ONNX.
        license: Licence of the training data, in words; of a file, that which it carries.

    Raises:
        ConfigError: If there are several streams, or a package is missing.
        CheckpointError: If there is no trained run.
        ExportError: If it cannot be exported.
        DataError: If the file is no exported recognizer.
    """
    with tempfile.TemporaryDirectory() as temporary:
        contents = HubContents(Path(temporary))
        if path.is_file():
            if license:
                raise ConfigError("an exported file carries its licence; export the run with one")
            program = _copy_exported(path, contents)
        else:
            program = _export(path, contents, license)
        contents.write_listing(program)
        if too_large := [
            name for name, size in contents.sizes.items() if size > HUB_FILE_BYTES[name]
        ]:
            raise ConfigError(f"{too_large[0]} is larger than what is read again")
        yield contents


def _copy_exported(path: Path, contents: HubContents) -> str:
    from skeletonagent.export.write import ExportedFile

    model = ExportedModel.open(path)
    content = read_outside_bytes(path, HUB_FILE_BYTES[MODEL])
    (contents.folder / MODEL).write_bytes(content)
    written = ExportedFile(contents.folder / MODEL, len(content) / 1e6, math.nan, model.description)
    _write_card(written, contents, ())
    return model.description.program


def _export(run: Path, contents: HubContents, license: str) -> str:
    import safetensors.torch

    from skeletonagent.inference.action_examples import knowing_examples
    from skeletonagent.inference.predictor import load_predictor
    from skeletonagent.training.run_directory import RunDirectory

    predictor = knowing_examples(load_predictor(run, "cpu"))
    written = predictor.export(contents.folder / MODEL, license=license)
    (model,) = predictor.torch_models
    tensors = {name: t.contiguous() for name, t in model.recognizer.state_dict().items()}
    safetensors.torch.save_file(tensors, contents.folder / WEIGHTS)
    summary = RunDirectory(run).read_summary()
    _write_card(written, contents, [summary] if summary else [])
    return written.description.program


def _write_card(
    written: Any, contents: HubContents, summaries: Sequence[Mapping[str, Any]]
) -> None:
    """Write the model card, with what the Hub reads at its head."""
    from skeletonagent.export.model_card import write_model_card

    path = contents.folder / CARD
    write_model_card(replace(written, path=contents.folder / MODEL), path, summaries)
    license = written.description.license
    head = ["license: other", *([f"license_name: {json.dumps(license)}"] if license else []),
            "library_name: skeletonagent", "tags:", "- skeleton-based-action-recognition",
            "- onnx"]  # fmt: skip
    write_text(path, "\n".join(["---", *head, "---", "", path.read_text(encoding="utf-8")]))
