"""Detection of the reader for files of a public data set."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.outside_files import require_file
from skeletonagent.data.benchmarks import UAV_NAME, Benchmark
from skeletonagent.data.class_name_files import read_class_names
from skeletonagent.data.convert.pipeline import DatasetReader
from skeletonagent.data.keypoints.formats import detect_keypoint_format
from skeletonagent.data.keypoints.source import KeypointSource
from skeletonagent.data.readers.kinetics import kinetics_reader
from skeletonagent.data.readers.ntu import ntu_reader
from skeletonagent.data.readers.pyskl import pyskl_reader
from skeletonagent.data.readers.uav import uav_reader

IMPORT_HINT = (
    "recordings of other formats are read by 'skeletonagent data import', with a layout file where "
    "names of joints are missing"
)
"""What to do with files of no public data set."""
_MOST_LOOKED_AT = 20
"""Files of a folder that are looked at to say what they are."""


def detect_reader(
    path: Path,
    benchmark: Benchmark | None,
    kpfiles: Path | None,
    layout: SkeletonLayout | None,
    classes: Path | None,
) -> DatasetReader:
    """Return the reader of a public data set, from the files at a path.

    Args:
        path: A PYSKL pickle, a folder of ``.skeleton`` or ``.txt`` files, or Kinetics' list of
            clips.
        benchmark: Benchmark that it is, None if it has to be detected.
        kpfiles: Folder of Kinetics' keypoint files.
        layout: Layout of a pickle's skeletons.
        classes: File with the class names of a pickle, one a line, in label order.

    Raises:
        ConfigError: If options do not fit the files.
        DataError: If the files are of no data set that can be read.
    """
    if not path.exists():
        raise DataError("no such file or folder", path=path)
    if not path.is_dir():
        require_file(path)
    if path.is_file() and kpfiles is None:
        _require_pickle(path)
        names = read_class_names(classes) if classes else None
        return pyskl_reader(path, benchmark=benchmark, layout=layout, class_names=names)
    if layout or classes:
        raise ConfigError("--layout and --classes are for pickles with key points in them")
    if path.is_file() and kpfiles is not None:
        _expect(benchmark, "kinetics-skeleton")
        return kinetics_reader(path, kpfiles)
    if _holds(path, "*.skeleton"):
        return ntu_reader(path, benchmark.name if benchmark else None)
    if _holds_uav_files(path):
        _expect(benchmark, "uav-human")
        return uav_reader(path)
    raise DataError(
        "holds neither .skeleton files (NTU RGB+D) nor .txt files named as those of UAV-Human"
        f"{_import_hint(path)}",
        path=path,
    )


def _require_pickle(path: Path) -> None:
    """Check that a file may be a pickle, by its first byte or its name.

    Raises:
        DataError: If it is of another kind, which is named with what reads it.
    """
    with path.open("rb") as file:
        first = file.read(2)
    if first[:1] == b"\x80" or path.suffix.lower() in (".pkl", ".pickle"):
        return
    kind = f"a {path.suffix} file" if path.suffix else "no pickle"
    raise DataError(f"is {kind}, and not a pickle of key points{_import_hint(path)}", path=path)


def _import_hint(path: Path) -> str:
    """Return what the files look like, where that is a known format, and what reads them."""
    files = (
        (file for file in sorted(path.rglob("*")) if file.is_file()) if path.is_dir() else [path]
    )
    for file in islice(files, _MOST_LOOKED_AT):
        try:
            found = detect_keypoint_format(KeypointSource(file))
        except DataError:
            continue
        if found is not None:
            return f", but looks like {found.title}; {IMPORT_HINT}"
    return f"; {IMPORT_HINT}"


def _holds_uav_files(folder: Path) -> bool:
    return any(UAV_NAME.match(file.stem) for file in folder.rglob("*.txt"))


def _holds(folder: Path, pattern: str) -> bool:
    return next(folder.rglob(pattern), None) is not None


def _expect(benchmark: Benchmark | None, name: str) -> None:
    if benchmark is not None and benchmark.name != name:
        raise ConfigError(f"--benchmark {benchmark.name}: these are files of {name}")
