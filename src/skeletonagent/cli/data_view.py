"""``skeletonagent data view``: a page that plays the clips of an archive or of recordings."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skeletonagent.cli.console import output, print_json, print_remark, warnings_on_console
from skeletonagent.core.errors import DataError

if TYPE_CHECKING:
    from skeletonagent.core.clips import SkeletonData
    from skeletonagent.core.layout import SkeletonLayout
    from skeletonagent.report.clip_view import ViewedClip

    Viewed = tuple[str, SkeletonLayout, list[ViewedClip], int]


def view_data(
    source: Annotated[
        Path,
        typer.Argument(help="A skeleton archive, 'synthetic', or a file or folder of keypoints."),
    ],
    sample: Annotated[
        list[str] | None,
        typer.Option("--sample", metavar="ID", help="A clip to show; may be repeated."),
    ] = None,
    clips: Annotated[
        int, typer.Option(min=1, help="Number of clips at most, spread over the archive.")
    ] = 200,
    layout: Annotated[
        str | None,
        typer.Option(help="Name of a layout or a layout file, for files that do not say it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="HTML file to write; NAME.html here by default.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the name of the file as JSON.")
    ] = False,
) -> None:
    """Write a page that plays clips as they are stored, frame by frame.

    It is one file that needs no network.

    Examples:
      skeletonagent data view skeletons/office --out office.html

      skeletonagent data view recordings/wave_p03_2.csv --open
    """
    from skeletonagent.core.files import write_text
    from skeletonagent.report.clip_view import clip_view_page

    source = source.expanduser()
    with warnings_on_console():
        name, skeleton, viewed, coordinates = _viewed(source, layout)
    total = len(viewed)
    chosen = _chosen(viewed, sample, clips, source)
    remark = f"{len(chosen)} of {total} clips." if len(chosen) < total else ""
    path = out or Path(f"{name}.html")
    if path.is_dir():
        raise DataError("is a folder; --out takes the name of a file", path=path)
    page = clip_view_page(name, skeleton, chosen, coordinates, remark)
    write_text(path, page)
    if remark and not sample:
        print_remark(f"{remark} --sample shows one by its name, --clips takes more")
    if as_json:
        print_json({"page": str(path), "clips": [clip.sequence.sample_id for clip in chosen]})
    else:
        size = len(page.encode()) / 1e6
        output.print(f"page: {path} ({size:.1f} MB)", markup=False, soft_wrap=True)
    if open_:
        webbrowser.open(path.resolve().as_uri())


def _viewed(source: Path, layout: str | None) -> Viewed:
    """Return name, skeleton, clips and number of coordinates of an archive or of recordings."""
    from skeletonagent.data.archive import read_archive
    from skeletonagent.data.validation import is_archive
    from skeletonagent.experiments.datasets import SYNTHETIC, open_dataset

    if str(source) == SYNTHETIC:
        return _samples(open_dataset(SYNTHETIC))
    if is_archive(source):
        return _samples(read_archive(source, require_labels=False))
    return _recordings(source, layout)


def _samples(data: SkeletonData) -> Viewed:
    from skeletonagent.report.clip_view import ViewedClip

    store = data.store
    split = data.splits.get(data.default_split)
    parts = {} if split is None else dict.fromkeys(split.train, "training")
    parts |= {} if split is None else dict.fromkeys(split.test, "test")
    sequences = (store.sequence(n) for n in range(len(store)))
    viewed = [
        ViewedClip(
            sequence,
            store.class_names[sequence.label] if sequence.label >= 0 else "",
            parts.get(sequence.sample_id, ""),
            data.fps,
        )
        for sequence in sequences
    ]
    return data.name, store.layout, viewed, store.coordinates


def _recordings(source: Path, layout: str | None) -> Viewed:
    from skeletonagent.core.sequences import SkeletonSequence
    from skeletonagent.data.importing.build import archived_joints
    from skeletonagent.data.importing.joint_mapping import map_joints
    from skeletonagent.data.keypoints.reading import read_keypoints
    from skeletonagent.report.clip_view import ViewedClip

    recordings = read_keypoints(source, layout)
    given = None if layout is None else f"--layout {layout}"
    mapping = map_joints(recordings, given, name=source.stem, accept=True)
    print_remark(f"layout {mapping.layout.name}: {mapping.reason}")
    viewed = [
        ViewedClip(
            SkeletonSequence(
                archived_joints(recording, has_confidence=False),
                0,
                recording.name,
                image_size=recording.image_size,
            ),
            recording.label or "",
            fps=recording.fps,
        )
        for recording in recordings
    ]
    return source.stem, mapping.layout, viewed, recordings[0].coordinates


def _chosen(
    viewed: list[ViewedClip], names: list[str] | None, most: int, source: Path
) -> list[ViewedClip]:
    """Return the clips of some names, or some spread over all."""
    if names:
        by_name = {clip.sequence.sample_id: clip for clip in viewed}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            known = ", ".join(list(by_name)[:3])
            raise DataError(f"has no clip {unknown[0]!r}; there are {known}, ...", path=source)
        return [by_name[name] for name in names]
    step = max(1.0, len(viewed) / most)
    return [viewed[int(n * step)] for n in range(min(most, len(viewed)))]
