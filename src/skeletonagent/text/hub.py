"""Files of the Hugging Face hub: from its cache on this machine, or else downloaded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from skeletonagent.core.errors import ConfigError

_log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds after which a hub that does not answer counts as unreachable."""


def fetch(repository: str, files: Sequence[Sequence[str]]) -> Path:
    """Return the folder in which a repository's files lie.

    The network is left alone if all of them are in the cache, and where ``HF_HUB_OFFLINE`` is set.

    Args:
        repository: Name of the repository, with its owner.
        files: Each by the names it may have, the best first.

    Raises:
        ConfigError: If one is not in the cache and cannot be downloaded.
    """
    paths = [_cached(repository, names) for names in files]
    if None in paths:
        paths = [_download(repository, names) for names in files]
    return next(path for path in paths if path is not None).parent


def _cached(repository: str, names: Sequence[str]) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    for name in names:
        try:
            return Path(hf_hub_download(repository, name, local_files_only=True))
        except LocalEntryNotFoundError:
            continue
    return None


def _download(repository: str, names: Sequence[str]) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        for name in names:
            if _offered(repository, name):
                _log.info("fetching %s of %s from the Hugging Face hub", name, repository)
                return Path(hf_hub_download(repository, name, etag_timeout=PATIENCE))
    except Exception as error:  # an HTTP library's, and which one differs between versions
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ConfigError(
            f"{name} of {repository} cannot be had from the Hugging Face hub ({reason})"
        ) from error
    raise ConfigError(f"{repository} on the Hugging Face hub has no {' or '.join(names)}")


def _offered(repository: str, name: str) -> bool:
    """Ask once whether the hub has a file; to download one unasked would try again for minutes."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(repository, name), timeout=PATIENCE)
    except EntryNotFoundError:
        return False
    return True
