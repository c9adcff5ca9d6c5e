"""Pose models of BlazePose: taken out of a published wheel once, kept in the user's cache.

The models (Apache-2.0) are published inside the wheel of MediaPipe. Decision record 0016 says why
the wheel is not installed.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.published_files import PublishedPackage, user_cache_folder

WHEEL = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
"""Wheel with the models; they are the same on every system, so that one wheel serves all."""

_DOWNLOAD = (
    "--no-deps", "--only-binary=:all:", "--python-version=3.11", "--implementation=cp",
    "--abi=cp311", "--platform=manylinux_2_28_x86_64", "--no-input", "--quiet",
    "mediapipe==0.10.21",
)  # fmt: skip

FETCH_COMMAND = "skeletonagent pose fetch"


@contextmanager
def _opened(wheel: Path) -> Iterator[Callable[[str], bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        yield archive.read


_PUBLISHED = PublishedPackage(
    what="pose models",
    file=WHEEL,
    algorithm="sha256",
    digest=bytes.fromhex("05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"),
    content={
        "pose_detection.tflite": (
            "mediapipe/modules/pose_detection/pose_detection.tflite",
            "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        ),
        "pose_landmark_full.tflite": (
            "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
            "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        ),
        "LICENSE": (
            "mediapipe-0.10.21.dist-info/LICENSE",
            "8707eef0533987efc5b155d64761eeb6e20793f50b9bd1a68dad1cf4719d0ed8",
        ),
    },
    command=FETCH_COMMAND,
    opened=_opened,
)


@dataclass(frozen=True)
class PoseModelFiles:
    """Files of BlazePose.

    Args:
        detector: Model that finds persons.
        landmarks: Model that finds 33 landmarks of a person.
        licence: Licence of both.
    """

    detector: Path
    landmarks: Path
    licence: Path


def pose_model_folder() -> Path:
    """Return the folder of pose models in the user's cache (``XDG_CACHE_HOME``)."""
    return user_cache_folder() / "pose"


def find_pose_models(folder: Path | None = None) -> PoseModelFiles:
    """Return the pose models that were fetched.

    Args:
        folder: Folder with the files; None for that of the user's cache.

    Raises:
        ConfigError: If they were not fetched yet.
        DataError: If a file is not the published one.
    """
    return PoseModelFiles(*_PUBLISHED.find(folder or pose_model_folder()))


def fetch_pose_models(folder: Path | None = None, wheel: Path | None = None) -> PoseModelFiles:
    """Download the pose models unless they are there, and return their files.

    pip downloads the wheel from its configured package index. The wheel is verified, the models
    and their licence are taken out, and the download is deleted; nothing of it is installed or run.

    Args:
        folder: Folder for the files; None for that of the user's cache.
        wheel: Wheel that was downloaded already, for machines without a package index; it stays.

    Raises:
        ConfigError: If pip is missing.
        DataError: If the wheel cannot be downloaded, or is not the published one.
    """
    folder = folder or pose_model_folder()
    return PoseModelFiles(*_PUBLISHED.fetch(folder, wheel, _download_wheel))


def _download_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", *_DOWNLOAD, "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if "No module named pip" in done.stderr:
        raise ConfigError(
            f"pip is missing, which downloads the models: install it, or download {WHEEL} from the "
            f"package index and give it with '{FETCH_COMMAND} --wheel FILE'"
        )
    if done.returncode or not (folder / WHEEL).is_file():
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"status {done.returncode}"
        raise DataError(
            f"pip cannot download {WHEEL} ({reason}); check the package index, or give the file "
            f"with '{FETCH_COMMAND} --wheel FILE'"
        )
    return folder / WHEEL
