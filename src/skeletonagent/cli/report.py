"""``skeletonagent report``: a page about runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skeletonagent.cli.console import console, output, print_json, warnings_at_once
from skeletonagent.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from skeletonagent.report.sections import ReportOptions


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Runs that 'train' wrote, or is writing, or folders of runs; "
            "details are of the first.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="HTML file to write; report.html in the run by default.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Run to compare with; by default the unguided ones.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="The archive, if it was moved since the training.")
    ] = None,
    clips: Annotated[
        int, typer.Option(min=0, help="Number of test clips that can be played.")
    ] = 60,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Serve the page to this machine, up to date while runs train; "
            "runs that begin later in these folders are added.",
        ),
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of --live; 0 takes a free one.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the name of the file as JSON.")
    ] = False,
) -> None:
    """Write a page about runs: accuracies, confusions, what the agents said, clips to play.

    It is one file that needs no network. Runs that differ in their seed are taken together.

    Examples:
      skeletonagent report runs/utd --out utd.html

      skeletonagent report runs/guided runs/unguided/seed0 runs/unguided/seed1

      skeletonagent report runs/utd --live
    """
    from skeletonagent.core.files import write_text
    from skeletonagent.report.page import report_page
    from skeletonagent.report.runs import find_runs
    from skeletonagent.report.sections import ReportOptions

    options = ReportOptions((), baseline, str(data) if data else None, clips, live)
    if live:
        if out is not None:
            raise ConfigError("--live shows the page and --out writes it; give one of the two")
        _serve(runs, options, port)
        return
    below = find_runs(runs)
    path = out or runs[0] / "report.html"
    if path.is_dir():
        raise DataError("is a folder; --out takes the name of a file", path=path)
    page = report_page(replace(options, runs=tuple(below)))
    write_text(path, page)
    if as_json:
        print_json({"report": str(path), "runs": [str(run) for run in below]})
        return
    size = len(page.encode()) / 1e6
    output.print(f"report: {path} ({size:.1f} MB)", markup=False, soft_wrap=True)


def _serve(places: Sequence[Path], options: ReportOptions, port: int) -> None:
    """Serve the page of the runs in some places until Ctrl-C."""
    from skeletonagent.report.live import HOST, LivePage, live_server
    from skeletonagent.report.page import report_page
    from skeletonagent.report.runs import compare_runs, find_runs

    def find() -> list[Path]:
        runs = find_runs(places)
        known = {run.resolve() for run in runs}
        baselines = [options.baseline] if options.baseline else []
        return [*runs, *(path for path in baselines if path.resolve() not in known)]

    def build(runs: Sequence[Path], version: str) -> str:
        return report_page(replace(options, runs=tuple(runs)), version)

    compare_runs(find(), options.baseline)
    with live_server(LivePage(find, build), port) as server, warnings_at_once():
        address = f"http://{HOST}:{server.server_address[1]}/"
        output.print(address, markup=False, soft_wrap=True)
        console.print("Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("ended")
