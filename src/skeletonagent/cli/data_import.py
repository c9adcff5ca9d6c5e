"""``skeletonagent data import``: recordings of any format into an archive."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import (
    console,
    output,
    print_json,
    print_warning,
    warnings_on_console,
)
from skeletonagent.cli.part_options import (
    ClusterOption,
    PartOptions,
    ShardOption,
    WorkersOption,
    print_share,
)
from skeletonagent.core.errors import DataError

if TYPE_CHECKING:
    from skeletonagent.data.importing.imported import ImportedData

_CLASSES_SHOWN = 12


def import_data(
    source: Annotated[
        Path, typer.Argument(help="A file of keypoints, or a folder of such files or of folders.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The new archive, with or without .npz.")],
    pattern: Annotated[
        str | None,
        typer.Option(
            help="How the recordings are named, such as '{label}_{subject}_{take}'; by default "
            "labels are the names of folders."
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Table (CSV) with the columns file and label, and at will subject, split, and "
            "start and end, which cut segments out of recordings."
        ),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of start and end in that table: seconds or frames.")
    ] = None,
    rest: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Class of what lies between the labelled segments; else left out."
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(help="Name of a layout or a layout file; by default it is found out."),
    ] = None,
    accept_layout: Annotated[
        bool,
        typer.Option("--accept-layout", help="Take --layout even where the data contradict it."),
    ] = False,
    format_: Annotated[
        str | None, typer.Option("--format", help="Format of the files; else it is found out.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second, where the files do not say it.")
    ] = None,
    persons: Annotated[
        int, typer.Option(min=1, help="Persons of a recording at most, those seen most.")
    ] = 2,
    fill_gaps: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="Interpolate joints over gaps up to this length, such as 5 (frames) or 0.2s.",
        ),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Joints of less confidence count as not seen.")
    ] = 0.0,
    drop_empty: Annotated[
        bool, typer.Option("--drop-empty", help="Leave out clips in which nobody is ever seen.")
    ] = False,
    train_list: Annotated[
        Path | None, typer.Option(help="File with the names of the training clips, one a line.")
    ] = None,
    test_list: Annotated[
        Path | None, typer.Option(help="File with the names of the test clips, one a line.")
    ] = None,
    test_share: Annotated[float, typer.Option(help="Share of the test set, if it is drawn.")] = 0.3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of that draw.")] = 0,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that read the files; one by default.")
    ] = None,
    shard: ShardOption = None,
    cluster: ClusterOption = None,
    workers: WorkersOption = None,
    part_size: Annotated[
        int | None,
        typer.Option(min=1, help="Read a folder in parts of so many files, in little memory."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an archive of that name.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON instead of tables.")
    ] = False,
) -> None:
    """Import recordings of any keypoint format into an archive.

    Formats are found out by what is in the files. So is the skeleton: it is printed with the
    reason for it, and written beside the archive as a layout file and as a picture. Large folders
    are read in parts, by processes or machines, if one of --part-size, --shard and --cluster is
    given; the same command again goes on with an import that was stopped.

    Examples:
      skeletonagent data import clips --out skeletons/gym

      skeletonagent data import csv --out skeletons/office --pattern '{label}_{subject}_{take}'

      skeletonagent data import long --out skeletons/day --labels table.csv --rest nothing
    """
    from rich.progress import MofNCompleteColumn

    from skeletonagent.cli.progress import file_progress
    from skeletonagent.data.importing.build import ClipOptions
    from skeletonagent.data.importing.imported import describe_import, write_imported
    from skeletonagent.data.importing.in_parts import ImportInParts
    from skeletonagent.data.importing.pipeline import (
        ImportOptions,
        check_import_options,
        import_recordings,
    )
    from skeletonagent.data.importing.short_gaps import parse_gap_limit
    from skeletonagent.data.part_folder import PartFolder

    parts = PartOptions(shard, cluster, workers, processes)
    parts.require_one_way()
    share = parts.share
    target = _target(out, overwrite)
    options = ImportOptions(
        pattern=pattern,
        labels=labels,
        unit=unit,
        rest=rest,
        layout=layout,
        accept_layout=accept_layout,
        format=format_,
        fps=fps,
        train_list=train_list,
        test_list=test_list,
        test_share=test_share,
        seed=seed,
        clips=ClipOptions(
            persons, None if fill_gaps is None else parse_gap_limit(fill_gaps), min_confidence
        ),
        drop_empty=drop_empty,
        processes=processes or 1,
    )
    check_import_options(options)
    folder = PartFolder.beside(target.with_suffix(""))
    if part_size or cluster or share or folder.path.is_dir():
        with warnings_on_console(), file_progress(target.stem, MofNCompleteColumn()) as progress:
            reading = ImportInParts(
                source.expanduser(), options, folder, progress, parts.run(usual=1), part_size
            )
            if share is not None:
                print_share(reading.read_share(share), share, as_json)
                return
            imported = reading.write_archive(target, source)
    else:
        with warnings_on_console(), console.status(f"reading {escape(str(source))}"):
            imported = import_recordings(source.expanduser(), target.stem, options)
            write_imported(imported, target.parent, source)
    if as_json:
        from skeletonagent.data.importing.imported import layout_path, picture_path

        print_json(
            {
                "archive": str(target),
                "layout_file": str(layout_path(target)),
                "picture": str(picture_path(target)),
                **describe_import(imported),
            }
        )
    else:
        _print_imported(imported, target)


def _target(out: Path, overwrite: bool) -> Path:
    """Return the path of the npz to write, if it may be written."""
    out = out.expanduser()
    base = out.with_suffix("") if out.suffix in (".npz", ".json") else out
    if "." in base.name:
        free = base.name.partition(".")[0] or "mine"
        raise DataError(f"an archive's name has no dot in it; name it {free}", path=base)
    if base.is_dir():
        held = "an archive as a folder" if (base / "keypoint.npy").is_file() else "something else"
        raise DataError(f"is a folder and holds {held}; name an archive in it or beside", path=base)
    target = base.with_name(f"{base.name}.npz")
    existing = [path for path in (target, target.with_suffix(".json")) if path.exists()]
    if existing and not overwrite:
        raise DataError(
            "there is an archive already; add --overwrite or name another", path=existing[0]
        )
    return target


def _print_imported(imported: ImportedData, target: Path) -> None:
    """Print what was imported, the layout and the split."""
    from skeletonagent.data.importing.imported import describe_import, layout_path, picture_path
    from skeletonagent.data.importing.layout_picture import layout_tree

    facts = describe_import(imported)
    mapping = imported.mapping
    table = Table.grid(padding=(0, 2))
    table.add_row("samples", _samples(facts))
    table.add_row("classes", escape(_classes(facts["classes"])))
    table.add_row("labels", escape(f"from {facts['labels']}"))
    table.add_row("subjects", escape(_subjects(facts["subjects"])))
    table.add_row(
        "joints", f"{mapping.layout.num_joints} in {facts['coordinates']}D, {_rate(facts)}"
    )
    (counts,) = facts["splits"].values()
    table.add_row(
        "split", escape(f"{counts[0]} training, {counts[1]} test samples, {imported.split.reason}")
    )
    if imported.counts.filled:
        table.add_row("gaps", f"{imported.counts.filled} joints interpolated")
    if imported.counts.unsure:
        table.add_row("confidence", f"{imported.counts.unsure} joints count as not seen")
    output.print(f"[bold]{escape(target.stem)}[/] in {escape(str(target))}", soft_wrap=True)
    output.print(table)
    output.print(f"layout {escape(mapping.layout.name)}: {escape(mapping.reason)}", soft_wrap=True)
    if facts["bones"] and facts["bones"] not in mapping.reason:
        output.print(f"  {facts['bones']}", soft_wrap=True)
    for line in layout_tree(mapping.layout):
        output.print(f"  {escape(line)}", soft_wrap=True)
    if mapping.names_no_sides:
        print_warning(
            "no left and right is known; name joints in the layout file, such as 'left knee', or "
            "give pairs there, and import again with --layout",
            on=output,
        )
    output.print(
        f"picture: {escape(str(picture_path(target)))}; layout file, to correct and give back by "
        f"--layout: {escape(str(layout_path(target)))}",
        soft_wrap=True,
    )


def _samples(facts: dict[str, Any]) -> str:
    cut = "" if facts["recordings"] == facts["samples"] else f" of {facts['recordings']} recordings"
    return f"{facts['samples']}{cut}"


def _classes(classes: dict[str, int]) -> str:
    listed = [f"{name} ({count})" for name, count in classes.items()]
    more = len(listed) - _CLASSES_SHOWN
    return ", ".join(listed[:_CLASSES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _subjects(subjects: dict[str, int]) -> str:
    if not subjects:
        return "not known"
    renamed = any(name != str(number) for name, number in subjects.items())
    listed = ", ".join(
        f"{name} is {number}" if renamed else name
        for name, number in list(subjects.items())[:_CLASSES_SHOWN]
    )
    return f"{len(subjects)}: {listed}{', ...' if len(subjects) > _CLASSES_SHOWN else ''}"


def _rate(facts: dict[str, Any]) -> str:
    rates = [f"{rate:.4g}" for rate in facts["fps"] if math.isfinite(rate)]
    return f"{' or '.join(rates)} frames a second" if rates else "frame rate not known (--fps)"
