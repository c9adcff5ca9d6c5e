"""Report of runs: one page that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from skeletonagent.report.agent_rounds import latest_joints
from skeletonagent.report.agent_usage import agent_usage
from skeletonagent.report.record import record_facts
from skeletonagent.report.results import simple_baseline_row
from skeletonagent.report.runs import ReportedRun, RunComparison, compare_runs
from skeletonagent.report.sections import ReportOptions, Section, all_sections
from skeletonagent.report.serialize import escape_for_script
from skeletonagent.report.skeleton_svg import layout_drawing

SCRIPTS = (
    "base", "colours", "saving", "tables", "chart", "accuracy", "curves", "classes", "matrix",
    "matrix_canvas", "agents", "topologies", "embedding", "player", "scene", "record", "start",
)  # fmt: skip
"""Parts of the page's script, in the order in which they are joined."""


def report_page(options: ReportOptions, version: str = "") -> str:
    """Return the page: HTML with style, script and data inside.

    Args:
        options: Runs and extent of the report.
        version: Digest of the runs' files, by which a live page detects changes.

    Raises:
        DataError: If a directory holds no run, its files are damaged, or the runs are of
            different classes.
        ConfigError: If a run's configuration cannot be read.
    """
    comparison = compare_runs(options.runs, options.baseline)
    sections = all_sections(options, comparison)
    environment = Environment(
        loader=PackageLoader("skeletonagent.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    first = comparison.main.runs[0]
    usage = [used for used in map(agent_usage, comparison.runs) if used]
    data = {
        "classes": first.class_names,
        "layout": layout_drawing(first.dialogues.layout) if first.dialogues else None,
        "joints": latest_joints(first),
        "main": first.name,
        "live": options.live,
        "version": version,
        "sections": {section.name: section.data for section in sections},
    }
    return environment.get_template("report.html.jinja").render(
        title=_title(comparison),
        properties=_properties(comparison.main.runs),
        problems=[used["problem"] for used in usage if used["problem"]],
        shared=[(used["run"], ", ".join(names)) for used in usage for names in used["identical"]],
        reasons=first.directory.read_reasons(),
        key_figures=_key_figures(comparison, sections),
        sections=sections,
        live=options.live,
        style=Markup(_template("report.css")),
        script=Markup("\n".join(_template(f"{name}.js") for name in SCRIPTS)),
        data=escape_for_script(data),
    )


def _template(name: str) -> str:
    folder = resources.files("skeletonagent.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def _title(comparison: RunComparison) -> str:
    names = [run.name for run in comparison.main.runs]
    folders = {Path(name).parent for name in names}
    if len(names) > 1 and len(folders) == 1 and Path() not in folders:
        title = f"{folders.pop()}, {len(names)} runs"
    else:
        title = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        parent = comparison.main.runs[0].directory.path.resolve().parent.name
        title = f"{parent}: {title}" if len(names) > 1 and folders == {Path()} else title
    return f"{title} compared with {comparison.baseline.name}" if comparison.baseline else title


def _properties(runs: Sequence[ReportedRun]) -> list[tuple[str, str]]:
    """Return the properties of runs of one recipe by their names."""
    run = runs[0]
    config, summary = run.config, run.summary or {}
    facts = record_facts(runs)
    properties = {
        "data": Path(summary.get("data", config.data.archive)).name,
        "split": summary.get("split", config.data.split or ""),
        "stream": config.clips.stream.value.replace("_", " "),
        "recognizer": config.model.backbone,
        "parameters": f"{summary['parameters']:,}" if "parameters" in summary else "",
        "agents": config.agents.chat,
        "guided": facts["guided"],
        "rounds": str((summary.get("agents") or {}).get("rounds") or ""),
        "tokens": facts["tokens"],
        "cost": facts["cost"],
        "epochs": f"{len(run.metrics)} of {config.training.epochs}",
        "seeds" if len(runs) > 1 else "seed": ", ".join(str(run.config.seed) for run in runs),
        "device": summary.get("device", ""),
        "machine": facts["machine"],
        "version": facts["version"],
        "commit": facts["commit"],
        "finished": facts["finished"],
    }
    return [(name, str(value)) for name, value in properties.items() if value]


def _key_figures(
    comparison: RunComparison, sections: Sequence[Section]
) -> list[tuple[str, str, str]]:
    """Return the figures at the top of the page: value, name and uncertainty of each."""
    main, baseline = comparison.main, comparison.baseline
    data = {section.name: section.data for section in sections}
    rows = [row for row in data["accuracy"] or [] if row["recipe"] == main.name]
    if not rows:
        records = main.runs[0].metrics
        return _epoch_figures(records[-1]) if records else []
    chief = rows[-1]
    figures = [
        (f"{chief['top1']['value']:.1%}", "top-1 accuracy", _interval(chief["top1"])),
        (f"{chief['top5']:.1%}", "top-5 accuracy", ""),
        (f"{chief['mean_class']:.1%}", "mean per-class accuracy", ""),
    ]
    simple = simple_baseline_row(main.runs)
    if simple is not None:
        name = f"{simple['name']}, a baseline without deep learning"
        figures.append((f"{simple['top1']['value']:.1%}", name, _interval(simple["top1"])))
    classes = data["classes"]
    if baseline is not None and classes and classes["comparison"]:
        difference = 100 * classes["comparison"]["difference"]
        figures.append(
            (
                f"{difference:+.1f}".replace("-", "\N{MINUS SIGN}"),
                f"points over {baseline.name}",
                _confidence(classes["comparison"]),
            )
        )
    return figures


def _epoch_figures(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    figures = [(f"{record['epoch'] + 1}", "epochs done", "")]
    accuracies = (
        ("validation_top1", "validation accuracy", ""),
        ("train_top1", "training accuracy", "of the last epoch"),
    )
    for key, name, note in accuracies:
        if record[key] is not None:
            figures.append((f"{record[key]:.1%}", name, note))
    if record["loss"] is not None:
        figures.append((f"{record['loss']:.3f}", "loss", ""))
    return figures


def _interval(estimate: dict[str, Any]) -> str:
    if estimate["low"] is None:
        return ""
    return f"95% interval {estimate['low']:.1%} to {estimate['high']:.1%}"


def _confidence(comparison: dict[str, Any]) -> str:
    """Return the confidence interval of a difference in words."""
    paired = comparison["paired"]
    if paired is None or paired["low"] is None:
        return "of one pair of runs" if comparison["seeds"] == 1 else ""
    low, high = (f"{100 * paired[end]:+.1f}" for end in ("low", "high"))
    interval = f"95% interval {low} to {high}".replace("-", "\N{MINUS SIGN}")
    return f"{interval}, {comparison['seeds']} seeds"
