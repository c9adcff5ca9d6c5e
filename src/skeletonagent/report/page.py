"""A report of runs as one page that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from skeletonagent.report.runs import ReportedRun, RunComparison, compared_runs
from skeletonagent.report.sections import ReportOptions, Section, all_sections
from skeletonagent.report.serialize import escape_for_script
from skeletonagent.report.skeleton_svg import layout_drawing

SCRIPTS = (
    "base", "colours", "saving", "chart", "accuracy", "curves", "classes", "matrix", "agents",
    "topologies", "embedding", "player", "start",
)  # fmt: skip
"""The page's script, in the order in which its parts are joined."""


def report_page(wanted: ReportOptions, version: str = "") -> str:
    """Return the page: HTML with its style, script and data inside.

    Args:
        wanted: What it is to be of.
        version: Of what it was made, so that a live page can tell whether there is news.

    Raises:
        DataError: If a directory holds no run, its files are damaged, or the runs are of
            different classes.
        ConfigError: If a run's configuration cannot be read.
    """
    compared = compared_runs(wanted.runs, wanted.baseline)
    sections = all_sections(wanted, compared)
    environment = Environment(
        loader=PackageLoader("skeletonagent.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    first = compared.main.runs[0]
    data = {
        "classes": first.class_names,
        "layout": layout_drawing(first.transcripts.layout) if first.transcripts else None,
        "main": first.name,
        "live": wanted.live,
        "version": version,
        "sections": {section.name: section.data for section in sections},
    }
    return environment.get_template("report.html.jinja").render(
        title=_title(compared),
        facts=_facts(first),
        figures=_figures(compared, sections),
        sections=sections,
        live=wanted.live,
        style=Markup(_template("report.css")),
        script=Markup("\n".join(_template(f"{name}.js") for name in SCRIPTS)),
        data=escape_for_script(data),
    )


def _template(name: str) -> str:
    folder = resources.files("skeletonagent.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def _title(compared: RunComparison) -> str:
    names = [run.name for run in compared.main.runs]
    folders = {Path(name).parent for name in names}
    if len(names) > 1 and len(folders) == 1 and Path() not in folders:
        told = f"{folders.pop()}, {len(names)} runs"
    else:
        told = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{told} against {compared.baseline.name}" if compared.baseline else told


def _facts(run: ReportedRun) -> list[tuple[str, str]]:
    """Return what the first run is, in words."""
    config, summary = run.config, run.summary or {}
    device = summary.get("device", "")
    agents = summary.get("agents", {})
    facts = {
        "data": Path(summary.get("data", config.data.archive)).name,
        "split": summary.get("split", config.data.split or ""),
        "stream": config.clips.stream.value.replace("_", " "),
        "recognizer": config.model.backbone,
        "parameters": f"{summary['parameters']:,}" if "parameters" in summary else "",
        "agents": config.agents.chat,
        "rounds": str(agents.get("rounds") or ""),
        "epochs": f"{len(run.metrics)} of {config.training.epochs}",
        "seed": str(config.seed),
        "device": device,
    }
    return [(name, str(value)) for name, value in facts.items() if value]


def _figures(compared: RunComparison, sections: Sequence[Section]) -> list[tuple[str, str, str]]:
    """Return the figures that stand above all: value, what it is, and how sure it is."""
    main, baseline = compared.main, compared.baseline
    found = {section.name: section.data for section in sections}
    own = [row for row in found["accuracy"] or [] if row["recipe"] == main.name]
    if not own:
        records = main.runs[0].metrics
        return _figures_of_epoch(records[-1]) if records else []
    chief = own[-1]
    figures = [
        (f"{chief['top1']['value']:.1%}", "top-1 accuracy", _interval(chief["top1"])),
        (f"{chief['top5']:.1%}", "top-5 accuracy", ""),
        (f"{chief['mean_class']:.1%}", "mean over classes", ""),
    ]
    classes = found["classes"]
    if baseline is not None and classes and classes["comparison"]:
        difference = 100 * classes["comparison"]["difference"]
        figures.append(
            (f"{difference:+.1f}", f"points over {baseline.name}", _trust(classes["comparison"]))
        )
    return figures


def _figures_of_epoch(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    figures = [
        (f"{record['epoch'] + 1}", "epochs done", ""),
        (f"{record['train_top1']:.1%}", "training accuracy", "of the last epoch"),
        (f"{record['loss']:.3f}", "loss", ""),
    ]
    if record["validation_top1"] is not None:
        figures.insert(1, (f"{record['validation_top1']:.1%}", "validation accuracy", ""))
    return figures


def _interval(estimate: dict[str, Any]) -> str:
    if estimate["low"] is None:
        return ""
    return f"95% interval {estimate['low']:.1%} to {estimate['high']:.1%}"


def _trust(comparison: dict[str, Any]) -> str:
    """Return in words how far a difference may be trusted."""
    paired = comparison["paired"]
    if paired is None or paired["low"] is None:
        return "of one pair of runs" if comparison["seeds"] == 1 else ""
    low, high = (f"{100 * paired[end]:+.1f}" for end in ("low", "high"))
    return f"95% interval {low} to {high}, {comparison['seeds']} seeds"
