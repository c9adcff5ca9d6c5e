"""``skeletonagent curve``: accuracy by the number of training clips, and what more would bring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import console, output, print_json, print_remark, print_warning
from skeletonagent.cli.options import RecipeOption, SetOption, SizeOption
from skeletonagent.experiments.recipes import PresetSize, Recipe

if TYPE_CHECKING:
    from skeletonagent.experiments.config import Config
    from skeletonagent.experiments.curve_plan import CurvePlan
    from skeletonagent.experiments.learning_curve import LearningCurve
    from skeletonagent.experiments.workers import RunUpdate


def curve(
    archive: Annotated[
        Path, typer.Argument(help="A skeleton archive, NAME.npz or its folder, or 'synthetic'.")
    ],
    preset: Annotated[
        str, typer.Option(help="Preset or YAML file with the recipe of all trainings.")
    ] = "default",
    clips: Annotated[
        str, typer.Option(help="Numbers of training clips of a class with commas; 'all' for all.")
    ] = "1,2,5,10,20,all",
    draws: Annotated[
        int, typer.Option(min=1, help="Random draws of the clips; 1 has no intervals.")
    ] = 3,
    split: Annotated[
        str | None, typer.Option(help="Split; by default that of the archive.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of all runs, the curve and its picture.")
    ] = Path("runs/curve"),
    init_from: Annotated[
        str | None,
        typer.Option(
            "--from", help="A run or a checkpoint whose weights every training begins with."
        ),
    ] = None,
    preset_size: SizeOption = None,
    recipe: RecipeOption = Recipe.PAPER,
    devices: Annotated[
        str | None,
        typer.Option(
            help="Devices with commas, a process on each; by default the GPU, or one for each core."
        ),
    ] = None,
    baseline: Annotated[
        bool,
        typer.Option(help="Fit MultiRocket to the same draws, if scikit-learn is installed."),
    ] = True,
    set_: SetOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the curve as JSON instead of a table.")
    ] = False,
) -> None:
    """Train with few and with more clips of a class, and say what more clips would bring.

    Draws of the clips are nested and spread over subjects. The same command again continues a
    curve that was stopped; finished runs are not repeated, also not with further --clips. What the
    preset default chooses rests on statistics of all training clips, without their labels.

    Examples:
      skeletonagent curve skeletons/mine

      skeletonagent curve skeletons/mine --clips 2,5,all --draws 5 --out runs/mine_curve

      skeletonagent curve skeletons/mine --from runs/base --clips 1,5 --out runs/mine_from_base

      skeletonagent curve utd_mhad --preset utd-mhad --set agents.chat=none --json
    """
    from skeletonagent.core.files import write_text
    from skeletonagent.experiments.curve_config import curve_config
    from skeletonagent.experiments.curve_plan import curve_devices, parse_clips, plan_curve
    from skeletonagent.experiments.curve_runs import measure_curve, write_curve
    from skeletonagent.experiments.presets import require_variants
    from skeletonagent.experiments.run import shared_dataset
    from skeletonagent.report.curve_plot import curve_page, curve_svg

    require_variants(preset, preset_size, None)
    numbers = parse_clips(clips.split(","))
    assignments = [*(set_ or []), *([f"data.split={split}"] if split else [])]
    config = curve_config(
        preset,
        preset_size or PresetSize.SMALL,
        archive,
        assignments,
        recipe,
        init_from=init_from,
        on_remark=print_remark,
    )
    data = shared_dataset(config.data)
    plan = plan_curve(config, data, numbers, draws, out)
    named = devices.split(",") if devices else curve_devices(config, len(plan.runs))
    _train(plan, config, named)
    console.print("fitting simpler methods to the same draws")
    measured = measure_curve(plan, data, baseline=baseline)
    write_curve(measured, out)
    write_text(out / "curve.svg", curve_svg(measured))
    write_text(out / "curve.html", curve_page(measured))
    if as_json:
        print_json(measured.to_json())
    else:
        _print(measured)
    print_remark(
        f"everything is in {out}: {len(plan.runs)} runs, curve.html to look at, curve.svg, "
        "curve.csv and curve.json; the same command with more --clips or --draws trains only those"
    )


def _train(plan: CurvePlan, config: Config, devices: list[str]) -> None:
    """Train the runs that are not finished, and print the accuracy of each as it ends."""
    from skeletonagent.cli.progress import print_failure
    from skeletonagent.experiments.run import train_quietly
    from skeletonagent.experiments.workers import RunStatus, train_on_devices
    from skeletonagent.training.run_directory import RunDirectory

    unfinished = plan.unfinished()
    if not unfinished:
        return
    if config.training.steps is None:
        print_warning(
            "this recipe counts epochs, so that trainings on few clips have few steps and seem "
            "worse than they need be; set training.steps"
        )
    at_once = min(len(devices), len(unfinished))
    console.print(f"{len(unfinished)} trainings, {at_once} at a time", markup=False)
    finished = 0

    def show(update: RunUpdate) -> None:
        nonlocal finished
        print_failure(update)
        if update.status is RunStatus.FINISHED:
            finished += 1
            summary = RunDirectory(update.out).read_summary() or {}
            name = f"{update.out.parent.name}, {update.out.name}"
            line = f"{name}: {summary['top1']:.1%}, {finished} of {len(unfinished)} finished"
            console.print(line, markup=False, soft_wrap=True)

    train_on_devices(unfinished, devices[:at_once], train_quietly, on_update=show)


def _print(measured: LearningCurve) -> None:
    from skeletonagent.experiments.tables import format_estimate

    output.print(
        f"top-1 accuracy on {measured.test_samples} test clips of {escape(measured.data)}, split "
        f"{escape(measured.split)}, in percent: mean, 95 % interval, number of draws",
        soft_wrap=True,
    )
    table = Table("clips a class", *measured.methods, box=None)
    cells = {(point.method, point.size): format_estimate(point.mean) for point in measured.points}
    for point in measured.method("recognizer"):
        row = (cells.get((name, point.size), "–") for name in measured.methods)
        table.add_row(*map(escape, (point.label, *row)))
    output.print(table)
    for sentence in measured.sentences():
        output.print(sentence, markup=False, soft_wrap=True)
