"""``skeletonagent predict --out``, and ``merge-predictions``: archives of many clips in parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import (
    console,
    output,
    print_json,
    print_remark,
    print_warning,
    warnings_on_console,
)
from skeletonagent.cli.part_options import DEFAULT_WORKERS, PartOptions
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.shard import Shard

if TYPE_CHECKING:
    from skeletonagent.cluster.job import PartReport

DEFAULT_TOP_K = 5
"""Classes that are printed for each sample unless another number is asked for."""

_MOST_REMARKS = 10


@dataclass(frozen=True)
class LargeOptions:
    """Options of predictions that are written to a folder.

    Args:
        out: Folder of the parts.
        shard: Share of the parts, as it was typed.
        cluster: Address of a Ray cluster.
        workers: Workers of the cluster.
        part_size: Clips or files of a part.
        resume: Whether parts that are done are kept.
    """

    out: Path | None = None
    shard: str | None = None
    cluster: str | None = None
    workers: int | None = None
    part_size: int | None = None
    resume: bool = False

    def require_alone(self, others: bool) -> None:
        """Check that nothing is asked for that parts cannot have.

        Args:
            others: Whether an option for other forms of the result is given.

        Raises:
            ConfigError: If so.
        """
        if others:
            raise ConfigError(
                "--live, --save-video, --csv and --top-k are not for --out, whose files hold the "
                "probabilities of all classes"
            )


def predict_large(
    files: Sequence[Path], large: LargeOptions, as_json: bool, **settings: Any
) -> None:
    """Predict a source in parts, here or on a cluster, and say what was done.

    Args:
        files: The source, which is one.
        large: Where the parts go, and who predicts them.
        as_json: Whether the result is printed as JSON.
        settings: Further settings of the job.

    Raises:
        ConfigError: If options do not fit each other.
    """
    if large.out is None:
        raise ConfigError("--shard, --cluster, --workers, --part-size and --resume need --out")
    if len(files) != 1:
        raise ConfigError("--out takes one archive or folder; name the others in further commands")
    PartOptions(large.shard, large.cluster, large.workers).require_one_way()
    from skeletonagent.cluster.settings import PredictionJob
    from skeletonagent.cluster.sharded import pending_parts, predict_here

    job = PredictionJob(files[0], part_size=large.part_size, **settings)
    share = Shard.parse(large.shard) if large.shard else Shard()
    with warnings_on_console():
        pending = pending_parts(job, large.out, share, resume=large.resume)
    with _PartsDisplay(len(pending.parts), pending.done) as display:
        if large.cluster:
            from skeletonagent.cluster.ray_workers import predict_on_ray

            workers = large.workers or DEFAULT_WORKERS
            predict_on_ray(pending, large.cluster, workers, display.show)
        else:
            predict_here(pending, display.show)
    display.print_remarks()
    found = {
        "out": str(large.out),
        "shard": str(share),
        "parts": pending.opened.num_parts,
        "predicted": len(pending.parts),
        "done_before": pending.done,
        **display.counts,
    }
    if as_json:
        print_json(found)
        return
    output.print(
        escape(
            f"{large.out}: {found['predicted']} part(s) of {found['parts']} predicted, "
            f"{found['done_before']} done before; {display.counts['recordings']} sample(s) or "
            f"recording(s), {display.counts['problems']} that cannot be read"
        ),
        soft_wrap=True,
    )
    print_remark(
        f"'skeletonagent merge-predictions {large.out} --out FILE.parquet' makes one file of all "
        "parts"
    )


class _PartsDisplay:
    """Progress bar over the parts, and what is said meanwhile."""

    def __init__(self, parts: int, done: int) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.counts: Counter[str] = Counter(recordings=0, rows=0, problems=0)
        self.remarks: dict[str, None] = {}
        self.progress = Progress(
            BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("parts"),
            TimeRemainingColumn(), console=console, transient=not console.is_terminal,
        )  # fmt: skip
        self.task = self.progress.add_task("", total=parts + done, completed=done)

    def __enter__(self) -> _PartsDisplay:
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()

    def show(self, report: PartReport) -> None:
        """Count a part that was predicted."""
        for name in ("recordings", "rows", "problems"):
            self.counts[name] += getattr(report, name)
        if len(self.remarks) <= _MOST_REMARKS:
            self.remarks |= dict.fromkeys(report.remarks)
        self.progress.advance(self.task)

    def print_remarks(self) -> None:
        """Print what was said of parts, as far as it is not too much."""
        for remark in list(self.remarks)[:_MOST_REMARKS]:
            print_warning(remark)
        if len(self.remarks) > _MOST_REMARKS:
            print_warning("and more remarks, which the files of the parts hold")


def merge_command(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folders that 'predict --out' wrote; one, if it was shared."),
    ],
    out: Annotated[Path, typer.Option(help="File to write (.parquet).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Merge the parts that 'predict --out' wrote into one file.

    Rows are in the order of the source. They depend neither on the number of shards or workers nor
    on which of them was stopped and resumed.

    Examples:
      skeletonagent merge-predictions runs/labels --out labels.parquet
    """
    from skeletonagent.cluster.merging import merge_predictions

    merged = merge_predictions(folders, out)
    for remark in merged.remarks[:_MOST_REMARKS]:
        print_warning(remark)
    if as_json:
        print_json(
            {
                "out": str(out),
                "rows": merged.rows,
                "recordings": merged.recordings,
                "problems": merged.problems,
                "labels": merged.labels,
                "remarks": list(merged.remarks),
            }
        )
        return
    table = Table("class", "rows", box=None)
    for name, count in sorted(merged.labels.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(escape(name), str(count))
    output.print(table)
    output.print(
        escape(
            f"{out}: {merged.rows} rows of {merged.recordings} sample(s) or recording(s), "
            f"{merged.problems} that cannot be read"
        ),
        soft_wrap=True,
    )
