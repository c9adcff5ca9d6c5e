"""``skeletonagent data convert`` and ``download``: from public data sets to archives."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from skeletonagent.cli.console import console, print_json
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import LAYOUTS, SkeletonLayout
from skeletonagent.data.benchmarks import BENCHMARKS, Benchmark, find_benchmark
from skeletonagent.data.convert.pipeline import Conversion, DatasetReader, require_free_folder
from skeletonagent.data.convert.pipeline import convert_dataset as convert_source
from skeletonagent.data.downloads import DOWNLOADS, download_entry
from skeletonagent.data.readers.kinetics import kinetics_reader
from skeletonagent.data.readers.ntu import ntu_reader
from skeletonagent.data.readers.pyskl import pyskl_reader
from skeletonagent.data.readers.uav import uav_reader

_SHOWN = 5
"""Samples named of those left out for the same reason; --json names all."""


def convert(
    path: Annotated[
        Path,
        typer.Argument(help="A PYSKL pickle, or a folder of .skeleton files or of UAV .txt files."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the new archive.")],
    benchmark: Annotated[
        str | None, typer.Option(help=f"What it is: {', '.join(BENCHMARKS)}.")
    ] = None,
    kpfiles: Annotated[
        Path | None, typer.Option(help="Folder of Kinetics' kpfiles; PATH lists their clips.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help=f"A pickle's skeleton: {', '.join(LAYOUTS)}.")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(help="A pickle's class names, one a line, in label order.")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that read files.")
    ] = os.cpu_count() or 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an archive that is there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Convert a public data set into a skeleton archive.

    What is in PATH is found out. A conversion that was stopped goes on when started again.

    Example:
      skeletonagent data convert ntu60_3danno.pkl --out skeletons/ntu60
      skeletonagent data convert nturgbd_skeletons/ --out skeletons/ntu60 --benchmark ntu60
      skeletonagent data convert k400_hrnet.pkl --kpfiles kpfiles --out skeletons/k400
    """
    require_free_folder(out, overwrite=overwrite)
    with console.status(f"reading {escape(str(path))}"):
        source = _source(path, _benchmark(benchmark), kpfiles, _layout(layout), classes)
    with _progress(source.title, MofNCompleteColumn()) as report, _blaming(path):
        done = convert_source(
            source, out, processes=processes, progress=report, overwrite=overwrite
        )
    _print(source, done)
    if as_json:
        print_json(
            {
                "archive": str(done.archive),
                "name": source.name,
                "classes": len(source.class_names),
                "layout": source.layout.name,
                "samples": done.samples,
                "frames": done.frames,
                "splits": done.splits,
                "expected": expected_counts(source.name),
                "left_out": [asdict(item) for item in done.skipped],
            }
        )


def download(
    name: Annotated[str, typer.Argument(help=f"What to fetch: {', '.join(DOWNLOADS)}.")],
    to: Annotated[Path, typer.Option("--to", help="Folder to put it in.")] = Path("."),
    as_json: Annotated[bool, typer.Option("--json", help="Print the path as JSON.")] = False,
) -> None:
    """Download a public data set, or say where it can be had.

    A download that was stopped goes on when started again.

    Example:
      skeletonagent data download ntu60 --to downloads
    """
    with _progress(name, DownloadColumn()) as report:
        path = download_entry(name, to, progress=report)
    note = DOWNLOADS[name].note
    console.print(f"{path}{f' ({note})' if note else ''}", markup=False, soft_wrap=True)
    if as_json:
        print_json({"path": str(path), "name": name, "note": note})


def expected_counts(name: str) -> dict[str, tuple[int, int]]:
    """Return the published numbers of samples, where the name is a benchmark's."""
    benchmark = find_benchmark(name)
    protocols = benchmark.protocols.items() if benchmark else ()
    return {
        split: protocol.expected_counts for split, protocol in protocols if protocol.expected_counts
    }


def unexpected_counts(name: str, splits: dict[str, tuple[int, int]]) -> list[str]:
    """Return a line for each split of a benchmark whose numbers of samples are not as published."""
    return [
        f"split {split} has {splits[split][0]} to train and {splits[split][1]} to test; published "
        f"are {train} and {test}"
        for split, (train, test) in expected_counts(name).items()
        if split in splits and splits[split] != (train, test)
    ]


def _source(
    path: Path,
    benchmark: Benchmark | None,
    kpfiles: Path | None,
    layout: SkeletonLayout | None,
    classes: Path | None,
) -> DatasetReader:
    """Return the samples of whatever the path is."""
    if path.is_file() and kpfiles is None:
        names = _names(classes) if classes else None
        return pyskl_reader(path, benchmark=benchmark, layout=layout, class_names=names)
    if layout or classes:
        raise ConfigError("--layout and --classes are for pickles with key points in them")
    if path.is_file() and kpfiles is not None:
        _expect(benchmark, "kinetics-skeleton")
        return kinetics_reader(path, kpfiles)
    if not path.is_dir():
        raise DataError("no such file or folder", path=path)
    if _holds(path, "*.skeleton"):
        return ntu_reader(path, benchmark.name if benchmark else None)
    if _holds(path, "*.txt"):
        _expect(benchmark, "uav-human")
        return uav_reader(path)
    raise DataError(
        "holds neither .skeleton files (NTU RGB+D) nor .txt files (UAV-Human)", path=path
    )


def _holds(folder: Path, pattern: str) -> bool:
    return next(folder.rglob(pattern), None) is not None


def _expect(benchmark: Benchmark | None, name: str) -> None:
    if benchmark is not None and benchmark.name != name:
        raise ConfigError(f"--benchmark {benchmark.name}: these are files of {name}")


def _benchmark(name: str | None) -> Benchmark | None:
    found = None if name is None else find_benchmark(name)
    if name is not None and found is None:
        raise ConfigError(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    return found


def _layout(name: str | None) -> SkeletonLayout | None:
    if name is not None and name not in LAYOUTS:
        raise ConfigError(f"no layout {name!r}; there are {', '.join(LAYOUTS)}")
    return None if name is None else LAYOUTS[name]


def _names(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read as class names: {error}", path=path) from error
    return tuple(line.strip() for line in lines if line.strip())


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Name the path in an error that names no other."""
    try:
        yield
    except DataError as error:
        raise error if error.path else DataError(str(error), path=path) from error


@contextmanager
def _progress(title: str, counter: ProgressColumn) -> Iterator[Callable[[int, int], None]]:
    """Yield what shows how much is done of how much: a bar, or a line for each tenth."""
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        counter,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task, told = bar.add_task(escape(title), total=None), 0

    def report(done: int, total: int) -> None:
        nonlocal told
        bar.update(task, completed=done, total=total or None)
        tenths = 10 * done // total if total else 0
        if not console.is_terminal and told < tenths < 10:
            told = tenths
            console.print(f"{escape(title)}: {tenths}0%, {done} of {total}")

    with bar:
        yield report


def _print(source: DatasetReader, done: Conversion) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("samples", f"{done.samples}, {done.frames} frames")
    table.add_row("classes", str(len(source.class_names)))
    table.add_row("joints", f"{source.layout.num_joints} ({escape(source.layout.name)})")
    for name, (train, test) in done.splits.items():
        table.add_row(escape(f"split {name}"), f"{train} to train, {test} to test")
    console.print(f"[bold]{escape(source.title)}[/] in {escape(str(done.archive))}", soft_wrap=True)
    console.print(table)
    by_reason = defaultdict[str, list[str]](list)
    for item in done.skipped:
        by_reason[item.reason].append(item.sample)
    lines = [
        f"{len(samples)} left out: {reason}: {', '.join(samples[:_SHOWN])}"
        f"{', ...' if len(samples) > _SHOWN else ''}"
        for reason, samples in by_reason.items()
    ]
    for line in [*lines, *unexpected_counts(source.name, dict(done.splits))]:
        console.print(f"[yellow]![/] {escape(line)}", soft_wrap=True)
