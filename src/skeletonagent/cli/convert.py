"""``skeletonagent data convert`` and ``download``: from public data sets to archives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from skeletonagent.cli.console import (
    console,
    output,
    print_json,
    print_remark,
    warnings_on_console,
)
from skeletonagent.cli.options import BENCHMARK_NAMES
from skeletonagent.cli.part_options import (
    ClusterOption,
    PartOptions,
    ShardOption,
    WorkersOption,
    print_share,
)
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import LAYOUTS, SkeletonLayout
from skeletonagent.data.downloads import DOWNLOADS

if TYPE_CHECKING:
    from skeletonagent.data.benchmarks import Benchmark


def convert(
    path: Annotated[
        Path,
        typer.Argument(help="A PYSKL pickle, or a folder of .skeleton files or of UAV .txt files."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the new archive.")],
    benchmark: Annotated[
        str | None, typer.Option(help=f"Benchmark that it is: {BENCHMARK_NAMES}.")
    ] = None,
    kpfiles: Annotated[
        Path | None, typer.Option(help="Folder of Kinetics' kpfiles; PATH lists their clips.")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help=f"Layout of a pickle's skeletons: a layout file, or {', '.join(LAYOUTS)}."
        ),
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(help="A pickle's class names, one a line, in label order.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that read files; as many as there are cores."),
    ] = None,
    shard: ShardOption = None,
    cluster: ClusterOption = None,
    workers: WorkersOption = None,
    part_size: Annotated[
        int | None, typer.Option(min=1, help="Samples that are read together (1000).")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an archive in that folder.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON instead of tables.")
    ] = False,
) -> None:
    """Convert a public data set into a skeleton archive.

    The format of PATH is detected. The same command again continues a conversion that was stopped,
    and makes the archive of what others have read by --shard.

    Example:
      skeletonagent data convert ntu60_3danno.pkl --out skeletons/ntu60
      skeletonagent data convert nturgbd_skeletons/ --out skeletons/ntu60 --benchmark ntu60
      skeletonagent data convert k400_hrnet.pkl --kpfiles kpfiles --out skeletons/k400
    """
    from rich.progress import MofNCompleteColumn

    from skeletonagent.cli.progress import file_progress
    from skeletonagent.cli.summaries import print_conversion, print_skipped
    from skeletonagent.data.benchmarks import expected_counts
    from skeletonagent.data.convert.layout_confirmation import confirm_layout
    from skeletonagent.data.convert.pipeline import (
        convert_dataset,
        convert_share,
        require_free_folder,
    )
    from skeletonagent.data.reader_detection import detect_reader

    parts = PartOptions(shard, cluster, workers, processes)
    parts.require_one_way()
    share = parts.share
    require_free_folder(out, overwrite=overwrite)
    with warnings_on_console(), console.status(f"reading {escape(str(path))}"):
        reader = detect_reader(path, _benchmark(benchmark), kpfiles, _layout(layout), classes)
    with _named(path), warnings_on_console():
        reader, reason = confirm_layout(reader)
    if reader.identity:
        print_remark(f"taken for {reader.title}: {reader.identity}; --benchmark takes another")
    if reason:
        print_remark(f"taken for {reader.layout.name}, {reason}; --layout takes another")
    with file_progress(reader.title, MofNCompleteColumn()) as progress, _named(path):
        given: dict[str, Any] = {
            "part_size": part_size,
            "overwrite": overwrite,
        }
        if share is not None:
            done = convert_share(reader, out, share, run=parts.run(), progress=progress, **given)
        else:
            conversion = convert_dataset(reader, out, run=parts.run(), progress=progress, **given)
    if share is not None:
        print_share(done, share, as_json)
        return
    print_skipped(reader, conversion)
    if not as_json:
        print_conversion(reader, conversion)
        return
    print_json(
        {
            "archive": str(conversion.archive),
            "name": reader.name,
            "classes": len(reader.class_names),
            "layout": reader.layout.name,
            "samples": conversion.samples,
            "frames": conversion.frames,
            "splits": conversion.splits,
            "expected": expected_counts(reader.name),
            "left_out": [asdict(item) for item in conversion.skipped],
        }
    )


def download_dataset(
    name: Annotated[str, typer.Argument(help=f"Data set: {', '.join(DOWNLOADS)}.")],
    to: Annotated[Path, typer.Option("--to", help="Folder to put it in.")] = Path("."),
    as_json: Annotated[bool, typer.Option("--json", help="Print the path as JSON.")] = False,
) -> None:
    """Download a public data set, or say where it is available.

    The same command again continues a download that was stopped.

    Example:
      skeletonagent data download ntu60 --to downloads
    """
    from rich.progress import DownloadColumn

    from skeletonagent.cli.progress import file_progress
    from skeletonagent.data.downloads import download_entry

    with file_progress(name, DownloadColumn()) as progress:
        path = download_entry(name, to, progress=progress)
    note = DOWNLOADS[name].note
    if as_json:
        print_json({"path": str(path), "name": name, "note": note})
    else:
        output.print(f"{path}{f' ({note})' if note else ''}", markup=False, soft_wrap=True)


def _benchmark(name: str | None) -> Benchmark | None:
    from skeletonagent.data.benchmarks import BENCHMARKS, find_benchmark

    if name is None:
        return None
    benchmark = find_benchmark(name)
    if benchmark is None:
        raise ConfigError(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    return benchmark


def _layout(name: str | None) -> SkeletonLayout | None:
    from skeletonagent.data.layout_files import find_layout

    return None if name is None else find_layout(name)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the path in an error that names none."""
    try:
        yield
    except DataError as error:
        raise error if error.path else DataError(str(error), path=path) from error
