"""What each source of a base brings to few clips of another archive: docs/results/base.md.

Pre-trains a base on all sources, one without each of them, one on generated motions alone, and one
on a quarter and one on half of all; then measures each as :mod:`benchmarks.base_kernel` does: the
kernel ridge classifier alone, fitted to so many clips of a class with and without the features of
the base, tested on held-out subjects of the training set, or on the test set. All bases have the
same draws. What is finished in the folder is not repeated, so that it may be interrupted.

Example:
  python -m benchmarks.leave_one_out skeletons/nw_ucla skeletons/utd_mhad skeletons/jhmdb \
    --preset nw-ucla --out runs/leave_one_out
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.base_scores import WITHOUT, Measurement, Score
from skeletonagent.core.clips import SkeletonData, Split
from skeletonagent.data.splits import choose_split
from skeletonagent.evaluation.significance import Estimate, mean_interval, paired_difference
from skeletonagent.experiments.base_sources import GENERATED, base_dataset
from skeletonagent.experiments.pretraining import STEPS, base_config
from skeletonagent.experiments.run import no_display, run_experiment
from skeletonagent.training.run_directory import RunDirectory

MEAN = "mean"
"""Heading of the mean over the numbers of clips."""

ALL = "all sources"
"""Name of the row that the others are compared with."""


@dataclass(frozen=True)
class Sources:
    """Sources of one base.

    Args:
        name: Name of its row.
        archives: Skeleton archives.
        generated: Number of generated motions.
        share: Share of the clips of each class, and of the generated motions, that are trained on.
    """

    name: str
    archives: tuple[Path, ...]
    generated: int
    share: float = 1.0


def combinations(archives: Sequence[Path], generated: int) -> list[Sources]:
    """Return the sources of all bases; those that would be none or the same are left out.

    Args:
        archives: All archives.
        generated: Number of generated motions.
    """
    everything = Sources(ALL, tuple(archives), generated)
    found = [everything]
    if len(archives) > 1 or generated:
        found += [
            replace(
                everything,
                name=f"without {left.name}",
                archives=tuple(one for one in archives if one != left),
            )
            for left in archives
        ]
    if generated and archives:
        found.append(replace(everything, name=f"without {GENERATED}", generated=0))
        if len(archives) > 1:
            found.append(replace(everything, name=f"{GENERATED} alone", archives=()))
    found += [replace(everything, name=f"{word} of all", share=share)
              for word, share in (("a quarter", 0.25), ("half", 0.5))]  # fmt: skip
    return found


def main(
    target: Annotated[Path, typer.Argument(help="Archive whose clips are few.")],
    archives: Annotated[list[Path], typer.Argument(help="Archives of the sources.")],
    generated: Annotated[int, typer.Option(min=0, help="Generated motions.")] = 300,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each pre-training.")] = STEPS,
    preset: Annotated[str, typer.Option(help="Preset of the compact recipe.")] = "default",
    split: Annotated[str | None, typer.Option(help="Split of the target.")] = None,
    clips: Annotated[str, typer.Option(help="Clips of a class, or all.")] = "1,2,5,10,all",
    draws: Annotated[int, typer.Option(min=2, help="Draws of the clips.")] = 12,
    rows: Annotated[str, typer.Option(help="Rows with commas; all if empty.")] = "",
    test: Annotated[bool, typer.Option("--test", help="Test on the test set.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of bases and scores.")] = Path("runs/left_out"),
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the pre-trainings.")
    ] = None,
) -> None:
    """Pre-train and measure what is not there yet, and print the tables."""
    if target.resolve() in {one.resolve() for one in archives}:
        raise typer.BadParameter(f"{target.name} is target and source; name it once")
    planned = combinations(archives, generated)
    wanted = [one for one in planned if not rows or one.name in rows.split(",")]
    if not wanted:
        raise typer.BadParameter(f"no such row; there are {', '.join(s.name for s in planned)}")
    settings = [f"training.steps={steps}", *(set_ or [])]
    bases = {one.name: trained(one, settings, out / "bases") for one in wanted}
    measured = Measurement.open(target, preset, split, draws, test, out)
    counts = [None if text == "all" else int(text) for text in clips.split(",")]
    scores = [measured.scores(bases, count) for count in counts]
    for line in tables(scores, clips.split(",")):
        typer.echo(line)


def trained(sources: Sources, settings: Sequence[str], folder: Path) -> Path:
    """Return the run of a base, which is trained or resumed if it is not finished."""
    names = [one.name for one in sources.archives]
    names += [f"{GENERATED}{sources.generated}"] if sources.generated else []
    share = [f"share{sources.share:g}"] if sources.share < 1 else []
    out = folder / "_".join([*names, *share, *(text.replace("/", "-") for text in settings)])
    if RunDirectory(out).read_summary() is None:
        data = base_dataset(sources.archives, sources.generated, seed=0)
        run_experiment(
            base_config(assignments=settings), with_share(data, sources.share), out, resume=True,
            watch=no_display,
        )  # fmt: skip
    return out


def with_share(data: SkeletonData, share: float) -> SkeletonData:
    """Return the data set of a base with a share of its training clips.

    Of archives it is the first clips of each class, of generated motions the first motions.
    """
    store, (name, split) = data.store, choose_split(data, None)
    motions = [n for n, one in enumerate(store.class_names) if one.startswith(f"{GENERATED}: ")]
    kept_motions = set(motions[: max(1, round(share * len(motions)))])
    train = store.indices(split.train)
    labels = store.labels[train].tolist()
    count = store.labels[train].bincount(minlength=store.num_classes).tolist()
    seen = [0] * store.num_classes
    kept = []
    for sample, label in zip(split.train, labels, strict=True):
        seen[label] += 1
        some = label in kept_motions if label in motions else seen[label] <= share * count[label]
        if some or (seen[label] == 1 and label not in motions):
            kept.append(sample)
    return replace(data, splits={name: Split(tuple(kept), split.test)})


def tables(scores: Sequence[Mapping[str, list[Score]]], clips: Sequence[str]) -> Iterator[str]:
    """Yield tables in Markdown: paired differences with their 95 % intervals.

    The last column is the mean over the numbers of clips, without that of all clips.

    Args:
        scores: Scores of each base, without one and of all sources, for each number of clips.
        clips: These numbers.
    """
    few = [number for number, text in enumerate(clips) if text != "all"]
    top1, loss = (_columns(scores, place, few) for place in (0, 1))
    clips = [*clips, MEAN]
    others = [name for name in top1 if name != WITHOUT]
    yield from table("top-1", clips, top1, WITHOUT, others, digits=1)
    if ALL in top1 and len(others) > 1:
        less = [name for name in others if name != ALL]
        yield from table("top-1, from all sources", clips, top1, ALL, less, digits=1)
    yield from table("cross-entropy", clips, loss, WITHOUT, others, digits=3)


def table(
    title: str,
    clips: Sequence[str],
    values: Mapping[str, list[list[float]]],
    first: str,
    others: Sequence[str],
    digits: int,
) -> Iterator[str]:
    """Yield a table: means of the first row, differences from these in the others.

    Args:
        title: What it shows.
        clips: Numbers of clips, a column each.
        values: Values of the draws by row and column.
        first: Row that the others are compared with.
        others: The other rows.
        digits: Digits behind the point.
    """
    yield ""
    yield f"| {title} | {' | '.join(clips)} |"
    yield f"|---|{'---:|' * len(clips)}"
    means = (f"{mean_interval(column).mean:.{digits}f}" for column in values[first])
    yield f"| {first} | {' | '.join(means)} |"
    for name in others:
        pairs = zip(values[name], values[first], strict=True)
        gains = (shown(paired_difference(own, without), digits) for own, without in pairs)
        yield f"| {name} | {' | '.join(gains)} |"


def _columns(
    scores: Sequence[Mapping[str, list[Score]]], place: int, few: Sequence[int]
) -> dict[str, list[list[float]]]:
    """Return one part of the scores by row and column, and the mean of each draw over some."""
    found = {}
    for name in scores[0]:
        columns = [[one[place] for one in part[name]] for part in scores]
        draws = zip(*(columns[number] for number in few), strict=True)
        found[name] = [*columns, [sum(draw) / len(few) for draw in draws]]
    return found


def shown(gain: Estimate, digits: int) -> str:
    """Return a difference with its interval."""
    mean, low, high = (
        "?" if value is None else f"{value:+.{digits}f}"
        for value in (gain.mean, gain.low, gain.high)
    )
    return f"{mean} ({low} to {high})"


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
