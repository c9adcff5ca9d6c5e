"""``skeletonagent dialogues``: import, export and check dialogues."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skeletonagent.cli.console import console, output, print_json
from skeletonagent.core.dialogue_io import DIALOGUES_METADATA, DialogueCollection
from skeletonagent.core.errors import DataError

if TYPE_CHECKING:
    from skeletonagent.agents.dialogue_stats import DialogueStats

RELEASED_NAMES = "nturgbd_60, nturgbd_120, finegym, k400, uav_human"
"""Names of the published data sets, for help texts: their module is slow to import."""

BUNDLED_NAMES = "jhmdb, nturgbd_60, nw_ucla, sbu, utd_mhad"
"""Names of the class notes in the package, for help texts."""

_DATASET_HELP = f"Published data set: {RELEASED_NAMES}."


def import_dialogues(
    path: Annotated[Path, typer.Argument(help="The authors' files: their zip, or a folder.")],
    dataset: Annotated[str, typer.Option("--dataset", help=_DATASET_HELP)],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the dialogues to.")],
    class_names: Annotated[
        Path | None,
        typer.Option("--class-names", help="A class name per line, if none are in PATH."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the counts as JSON instead of a table.")
    ] = False,
) -> None:
    """Import the dialogues published with the paper, answers checked and repaired.

    Example:
      skeletonagent dialogues import gpt4o_dialogues.zip --dataset nturgbd_60 --out dialogues/ntu60
    """
    from skeletonagent.agents.released_dialogues import read_released_dialogues
    from skeletonagent.cli.summaries import outcome_table
    from skeletonagent.data.class_name_files import read_class_names

    _require_free(out)
    names = list(read_class_names(class_names)) if class_names else None
    stats = _save(read_released_dialogues(path, dataset, names), out)
    if as_json:
        print_json({"out": str(out), **asdict(stats)})
    else:
        output.print(outcome_table(stats))


def export(
    name: Annotated[str, typer.Argument(help=f"Class notes: {BUNDLED_NAMES}, or a YAML file.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the dialogues to.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the counts as JSON instead of tables.")
    ] = False,
) -> None:
    """Write the guidance that comes with the package as dialogues, answers checked.

    Example:
      skeletonagent dialogues export utd_mhad --out dialogues/utd
    """
    from skeletonagent.cli.summaries import print_stats
    from skeletonagent.experiments.build_agents import bundled_dialogues
    from skeletonagent.llm.class_notes import read_class_notes

    _require_free(out)
    stats = _save(bundled_dialogues(Path(name).stem, read_class_notes(name)), out)
    if as_json:
        print_json({"out": str(out), **asdict(stats)})
    else:
        print_stats(stats)


def check_dialogues(
    path: Annotated[
        Path, typer.Argument(help="A run, a folder of dialogues, or the authors' files.")
    ],
    dataset: Annotated[
        str | None, typer.Option("--dataset", help=f"For the authors' files. {_DATASET_HELP}")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the counts as JSON instead of tables.")
    ] = False,
) -> None:
    """Count what is odd about the answers, and how the validator judges them.

    Example:
      skeletonagent dialogues check runs/utd
    """
    from skeletonagent.agents.dialogue_stats import compute_dialogue_stats
    from skeletonagent.agents.released_dialogues import read_released_dialogues
    from skeletonagent.cli.summaries import print_stats

    collection = (
        read_released_dialogues(path, dataset) if dataset else DialogueCollection.load(path)
    )
    stats = compute_dialogue_stats(collection)
    if as_json:
        print_json(asdict(stats))
    else:
        print_stats(stats)


def show_claims(
    path: Annotated[Path, typer.Argument(help="A run, or a folder of dialogues.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print counts and results as JSON instead of tables.")
    ] = False,
) -> None:
    """Count the claims of the latest answers, and what the training clips say of them.

    Example:
      skeletonagent dialogues claims runs/utd
    """
    from skeletonagent.agents.claim_counts import count_claims
    from skeletonagent.cli.summaries import print_claims

    counts = count_claims(DialogueCollection.load(path))
    if as_json:
        print_json(counts.to_json())
    else:
        print_claims(counts)


def _require_free(out: Path) -> None:
    if (out / DIALOGUES_METADATA).exists():
        raise DataError("holds dialogues already; choose another folder", path=out)


def _save(collection: DialogueCollection, out: Path) -> DialogueStats:
    """Write dialogues to a folder, and return their statistics."""
    from skeletonagent.agents.dialogue_stats import compute_dialogue_stats

    collection.save(out)
    stats = compute_dialogue_stats(collection)
    line = f"{stats.classes} dialogues written to {out}"
    console.print(line, markup=False, soft_wrap=True)
    return stats
