"""Upload of a recognizer to the Hugging Face Hub, and download of one."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import ConfigError, DataError, SkeletonAgentError
from skeletonagent.core.outside_files import problem_line
from skeletonagent.core.outside_text import printable_line
from skeletonagent.hub.contents import (
    CARD,
    HUB_FILE_BYTES,
    LISTING,
    MODEL,
    HubContents,
    contents_of,
)

_REPOSITORY = re.compile(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}", re.ASCII)
_REQUIRED = (MODEL, CARD, LISTING)


@dataclass(frozen=True)
class PushedModel:
    """Recognizer that was uploaded, or would be.

    Args:
        repository: Name of the repository.
        sizes: Size of each file in bytes.
        url: Address of the upload; None of a trial.
    """

    repository: str
    sizes: dict[str, int]
    url: str | None = None


@dataclass(frozen=True)
class PulledModel:
    """Recognizer that was downloaded.

    Args:
        repository: Name of the repository.
        folder: Folder of its files.
        sizes: Size of each file in bytes.
        revision: Version that was downloaded.
        left_out: Other files of the repository.
    """

    repository: str
    folder: Path
    sizes: dict[str, int]
    revision: str
    left_out: tuple[str, ...] = ()

    @property
    def model(self) -> Path:
        """The recognizer's file, which :func:`skeletonagent.load` opens."""
        return self.folder / MODEL


def push_model(
    path: str | Path,
    repository: str,
    *,
    license: str = "",
    public: bool = False,
    dry_run: bool = False,
    endpoint: str | None = None,
) -> PushedModel:
    """Upload a recognizer in one commit, and return what was uploaded.

    The key is the one that huggingface_hub keeps or takes from its environment.

    Args:
        path: A run directory of one stream, or a file of ONNX.
        repository: ``OWNER/NAME``; it is made if there is none.
        license: Licence of the training data, in words.
        public: Whether everybody sees a repository that is made.
        dry_run: Whether nothing is sent.
        endpoint: Address of the Hub, by default that of huggingface_hub.

    Raises:
        ConfigError: If a name or a key is wrong, or a package is missing.
        DataError: If the Hub cannot be reached or refuses.
        SkeletonAgentError: If the recognizer cannot be exported.

    Examples:
        >>> import skeletonagent as sa
        >>> sa.push("runs/utd", "me/utd-actions", license="own recordings")  # doctest: +SKIP
    """
    _require_name(repository)
    with contents_of(Path(path), license) as contents:
        sizes = dict(contents.sizes)
        if dry_run:
            return PushedModel(repository, sizes)
        hub = _client()
        api = hub.HfApi(endpoint=endpoint)
        with _clear_errors(hub, repository, "write"):
            api.create_repo(repository, private=not public, exist_ok=True)
            commit = api.create_commit(
                repository,
                [hub.CommitOperationAdd(name, str(contents.folder / name)) for name in sizes],
                commit_message="Recognizer by skeletonagent",
            )
        return PushedModel(repository, sizes, printable_line(str(commit.commit_url)))


def pull_model(
    repository: str, out: str | Path, *, revision: str | None = None, endpoint: str | None = None
) -> PulledModel:
    """Download a recognizer, and check it as a file of unknown origin before it is there.

    What an interrupted download has fetched is kept, and continued by the next one.

    Args:
        repository: ``OWNER/NAME``.
        out: Folder to write, which does not exist yet.
        revision: Branch, tag or commit; by default the newest.
        endpoint: Address of the Hub, by default that of huggingface_hub.

    Raises:
        ConfigError: If a name or a key is wrong, ``out`` exists, or a package is missing.
        DataError: If the Hub cannot be reached or has no such recognizer, or a file is not what it
            is listed as.

    Examples:
        >>> import skeletonagent as sa
        >>> pulled = sa.pull("me/utd-actions", "models/utd")  # doctest: +SKIP
        >>> model = sa.load(pulled.model)  # doctest: +SKIP
    """
    _require_name(repository)
    out = Path(out)
    if os.path.lexists(out):
        raise ConfigError(f"{out} exists already; choose another --out")
    hub = _client()
    api = hub.HfApi(endpoint=endpoint)
    with _clear_errors(hub, repository, "read"):
        info = api.model_info(repository, revision=revision, files_metadata=True)
    found = {str(file.rfilename): file.size for file in info.siblings or ()}
    if missing := [name for name in _REQUIRED if name not in found]:
        raise DataError(
            f"{repository} lacks {', '.join(missing)}; 'skeletonagent push' writes repositories "
            "with them"
        )
    wanted = [name for name in HUB_FILE_BYTES if name in found]
    for name in wanted:
        if (found[name] or 0) > HUB_FILE_BYTES[name]:
            raise DataError(f"{name} of {repository} is larger than what is read")
    draft = out.with_name(f".{out.name}.pull")
    with _clear_errors(hub, repository, "read"):
        for name in wanted:
            api.hf_hub_download(repository, name, revision=info.sha, local_dir=draft)
    contents = HubContents(draft)
    try:
        contents.check()
    except SkeletonAgentError:
        shutil.rmtree(draft)  # it was fetched here, and is not what it should be
        raise
    shutil.rmtree(draft / ".cache", ignore_errors=True)  # what huggingface_hub noted meanwhile
    os.replace(draft, out)
    others = sorted(printable_line(name, 200) for name in found.keys() - HUB_FILE_BYTES.keys())
    return PulledModel(repository, out, dict(HubContents(out).sizes), str(info.sha), tuple(others))


def _require_name(repository: str) -> None:
    if not _REPOSITORY.fullmatch(repository) or "--" in repository or ".." in repository:
        raise ConfigError(f"a repository is OWNER/NAME, got {printable_line(repository, 200)!r}")


def _client() -> Any:
    """Return the module that speaks with the Hub; it reports nothing and draws no bars."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError as error:
        raise ConfigError(
            "this needs huggingface_hub, which is not installed; pip install 'skeletonagent[hub]'"
        ) from error
    disable_progress_bars()
    return huggingface_hub


@contextmanager
def _clear_errors(hub: Any, repository: str, purpose: str) -> Iterator[None]:
    """Turn the client's errors into one line each, which says what to do."""
    errors = hub.errors
    try:
        yield
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise ConfigError(
                f"the Hub lets nobody {purpose} {repository} with this key (status {status}); log "
                "in with 'hf auth login', or set HF_TOKEN"
            ) from error
        if status == 404:
            raise DataError(
                f"the Hub has no {repository}, or it is private and you are not logged in "
                "('hf auth login')"
            ) from error
        raise DataError(f"the Hub refuses {repository}: {problem_line(error)}") from error
    except errors.HFValidationError as error:
        raise ConfigError(problem_line(error)) from error
    except SkeletonAgentError:
        raise
    except Exception as error:  # of the network and of the client, which have no common base
        raise DataError(
            f"the transfer of {repository} failed: {problem_line(error)}; repeat the command to go "
            "on"
        ) from error
