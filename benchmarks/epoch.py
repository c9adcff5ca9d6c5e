"""Time of a whole training, agents included, and what 150 epochs of it would take.

The program's own experiment runs: split, validation part, checkpoints, metrics, a round of the
agents, the test at the end. The agents ask a stand-in that answers well-formed after a stated
time, so what a round costs is known; the clips are generated, so accuracies say nothing.

Example:
  python -m benchmarks.epoch --device cuda --precision bf16 --epochs 3 --json epoch.json
  python -m benchmarks.epoch --device cpu --small --sequences 60 --classes 5 --clips-in-batch 8
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import typer

from benchmarks.generated import SEQUENCES, Persons, generated
from benchmarks.measuring import print_rows, write_facts
from benchmarks.program import paper_config, run_answered
from benchmarks.stand_in import StandIn
from skeletonagent.agents.orchestrator import GuidanceOrchestrator
from skeletonagent.core.clips import SkeletonData
from skeletonagent.experiments import build_agents
from skeletonagent.experiments import run as run_module
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.training import trainer
from skeletonagent.training.callbacks import Callback, RunLogger
from skeletonagent.training.checkpoint import CheckpointFolder
from skeletonagent.training.distributed import describe_device, pick_device
from skeletonagent.training.guidance_updater import GuidanceUpdater
from skeletonagent.training.losses import GuidanceTensors
from skeletonagent.training.run_directory import RunDirectory
from skeletonagent.training.trainer import Trainer

EPOCHS, PERIOD = 150, 5
"""Of the paper's training."""
STEPS, LAST = "training steps", "checkpoint"
"""What happens once in every epoch, and what is the last in it."""
TERMS: Sequence[tuple[str, object, str]] = (
    (STEPS, trainer, "train_one_epoch"),
    ("validation", Trainer, "_validate"),
    (LAST, CheckpointFolder, "save"),
    ("metrics and dialogues", RunLogger, "on_epoch"),
    ("metrics and dialogues", RunLogger, "on_guidance"),
    ("beginning a round", GuidanceUpdater, "start"),
    ("waiting for a round", GuidanceUpdater, "collect"),
    ("sentences to vectors", GuidanceTensors, "from_guidance"),
    ("test", run_module, "_predict"),
    ("evidence of the clips", build_agents, "measure_evidence"),
    ("description of the classes", GuidanceOrchestrator, "start"),
    ("rounds, beside the training", GuidanceOrchestrator, "refresh"),
)
"""What is timed, and where it stands in the program."""
ONCE = ("evidence of the clips", "description of the classes", "test")
BESIDE = "rounds, beside the training"


@dataclass
class Terms:
    """Seconds by term, epoch by epoch.

    Args:
        epochs: Of each epoch.
        once: Of what happens once.
        missing: Terms that the program has no place for any more.
    """

    epochs: list[dict[str, float]] = field(default_factory=lambda: [defaultdict(float)])
    once: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    missing: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Time all :data:`TERMS` until the end of the block."""
        with ExitStack() as stack:
            for term, place, name in TERMS:
                if hasattr(place, name):
                    function = getattr(place, name)
                    stack.enter_context(patch.object(place, name, self._timed(term, function)))
                else:
                    self.missing.append(f"{term}: there is no {name}")
            yield

    def _timed(self, term: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            if term == STEPS and STEPS in self.epochs[-1]:
                self._close()
            began = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                table = self.once if term in ONCE else self.epochs[-1]
                table[term] += time.perf_counter() - began
                if term == LAST:
                    self._close()

        return timed

    def _close(self) -> None:
        """End an epoch; what no term accounts for is told as well."""
        now, table = time.perf_counter(), self.epochs[-1]
        own = sum(value for name, value in table.items() if name != BESIDE)
        table["all else"] = now - self.began - own
        self.epochs.append(defaultdict(float))
        self.began = now


class Silent(Callback):
    """Watch a training and say nothing; its clock starts with the first guidance."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms

    def on_guidance(self, before: Any, after: Any) -> None:
        """Start the clock of the first epoch."""
        if before is None:
            self.terms.began = time.perf_counter()
            self.terms.epochs[:] = [defaultdict(float)]

    def on_problem(self, problem: str) -> None:
        """A round that fails would be timed in vain.

        Raises:
            RuntimeError: In any case.
        """
        raise RuntimeError(f"the agents' round failed: {problem}")


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    sequences: Annotated[int, typer.Option(min=9, help="As many as in NTU-60.")] = SEQUENCES,
    epochs: Annotated[int, typer.Option(min=2, help="Epochs that are run.")] = 3,
    clips_in_batch: Annotated[int, typer.Option(min=2)] = 64,
    frames: Annotated[int, typer.Option(min=1, help="T.")] = 100,
    persons: Annotated[Persons, typer.Option(help="Bodies of a clip.")] = Persons.NTU,
    precision: Annotated[str, typer.Option(help="bf16 or 32.")] = "32",
    latency: Annotated[float, typer.Option(min=0, help="Seconds to an answer.")] = 2.0,
    period: Annotated[int, typer.Option(min=1, help="Epochs between rounds that are run.")] = 1,
    wait: Annotated[bool, typer.Option(help="Wait for each round.")] = False,
    classes: Annotated[int, typer.Option(min=2, max=60, help="Y.")] = 60,
    small: Annotated[bool, typer.Option(help="A narrow recognizer.")] = False,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Of the configuration, section.key=value.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Run some epochs of a whole training, tell where the time goes and what 150 would take."""
    config = paper_config(
        device, precision, clips_in_batch=clips_in_batch, frames=frames, small=small
    )
    own = [
        f"training.epochs={epochs}",
        f"training.guidance_period={period}",
        f"agents.wait={str(wait).lower()}",
        "agents.rival_share=0",
    ]
    config = with_overrides(config, [*own, *(change or [])])
    began = time.perf_counter()
    data = generated(sequences, persons, classes)
    made = time.perf_counter() - began
    terms, asked = Terms(), StandIn(latency)
    began = time.perf_counter()
    summary = trained(config, data, terms, asked)
    whole = time.perf_counter() - began
    done = terms.epochs[:epochs]
    per_epoch = {
        name: statistics.median(epoch.get(name, 0.0) for epoch in done[1:])
        for name in dict.fromkeys(name for epoch in done for name in epoch)
    }
    facts = {
        "device": describe_device(pick_device(device)),
        "precision": precision,
        "sequences": sequences,
        "clips_in_batch": clips_in_batch,
        "latency_seconds": latency,
        "questions": asked.number,
        "rounds": summary["rounds"],
        "generating_seconds": made,
        "whole_seconds": whole,
        "once_seconds": dict(terms.once),
        "epoch_seconds": [dict(epoch) for epoch in done],
        "later_epoch_seconds": per_epoch,
        "extrapolation": extrapolated(done, dict(terms.once), whole, summary["rounds"]),
        "not_measured": terms.missing,
    }
    _print(facts)
    write_facts(facts, json)


def trained(config: Config, data: SkeletonData, terms: Terms, asked: StandIn) -> dict[str, Any]:
    """Run the experiment in a folder of its own, its time told to ``terms``."""
    with tempfile.TemporaryDirectory() as folder, terms.watched():
        run = Path(folder) / "run"
        run_answered(config, data, run, asked, watch=lambda *_: nullcontext(Silent(terms)))
        rounds = len(RunDirectory(run).read_rounds()) - 1
    return {"rounds": rounds}


def extrapolated(
    epochs: Sequence[dict[str, float]], once: dict[str, float], whole: float, rounds: int
) -> dict[str, float]:
    """Return the terms of a training of 150 epochs with a round every fifth, and their sum.

    The first epoch counts once, as it was, and 149 times the median of the later ones. What
    belongs to rounds counts as often as there are rounds, as much as those took that were run.
    Rounds beside the training add nothing.

    Args:
        epochs: Seconds by term of each epoch that was run.
        once: Seconds of what happens once.
        whole: Seconds of the whole run.
        rounds: How many were run to their end.
    """
    of_rounds = ("beginning a round", "waiting for a round", "sentences to vectors")
    terms: dict[str, float] = {}
    for name in dict.fromkeys(name for epoch in epochs for name in epoch):
        if name == BESIDE:
            continue
        later = [epoch.get(name, 0.0) for epoch in epochs[1:]]
        if name in of_rounds:
            added = (EPOCHS - 1) // PERIOD * sum(later) / max(1, rounds)
        else:
            added = (EPOCHS - 1) * statistics.median(later)
        terms[name] = epochs[0].get(name, 0.0) + added
    told = sum(value for epoch in epochs for name, value in epoch.items() if name != BESIDE)
    terms |= once
    terms["start and end, all else"] = max(0.0, whole - told - sum(once.values()))
    return {**terms, "sum": sum(terms.values())}


def _print(facts: dict[str, Any]) -> None:
    names = list(facts["later_epoch_seconds"])
    rows = [
        {
            "seconds": name,
            **{
                f"epoch {n}": epoch.get(name, 0.0) for n, epoch in enumerate(facts["epoch_seconds"])
            },
            "150 epochs": facts["extrapolation"].get(name, ""),
        }
        for name in names
    ]
    print_rows(f"epochs, {facts['device']}, {facts['precision']}", rows)
    rest = {n: v for n, v in facts["extrapolation"].items() if n not in names}
    print_rows("the rest of 150 epochs", [{"what": n, "seconds": v} for n, v in rest.items()])
    print_rows(
        "agents",
        [
            {
                "questions": facts["questions"],
                "rounds": facts["rounds"],
                "to an answer, s": facts["latency_seconds"],
            }
        ],
    )


if __name__ == "__main__":
    typer.run(main)
