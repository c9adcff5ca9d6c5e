"""What each of two processes does in test_together.py; torchrun starts it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from signal import SIGTERM
from typing import Any

import torch

from skeletonagent.core.errors import (
    DataError,
    SkeletonAgentError,
    TrainingError,
    TrainingInterrupted,
)
from skeletonagent.data.settings import AugmentSettings
from skeletonagent.training import schedule
from skeletonagent.training.checkpoint import load_checkpoint
from skeletonagent.training.distributed import init_distributed
from skeletonagent.training.interrupts import InterruptFlag, interrupt_on_signals
from skeletonagent.training.settings import BatchNormRule, DistributedSettings, LossSettings
from skeletonagent.training.train_step import TrainState

OUT = Path(sys.argv[1])
schedule.MAX_EMA_REACH = 100.0  # averages of a few steps reach back over all of them
spec = importlib.util.spec_from_file_location("world", Path(__file__).with_name("conftest.py"))
assert spec and spec.loader
world: Any = importlib.util.module_from_spec(spec)
sys.modules["world"] = world
spec.loader.exec_module(world)
engine = init_distributed(torch.device("cpu"), "32", DistributedSettings(timeout=60))


class Asked(InterruptFlag):
    """Ask one process to stop after some steps."""

    def __init__(self, process: int, step: int) -> None:
        super().__init__()
        self.left = step if process == engine.rank else 0

    @property
    def by(self) -> Any:
        """A signal, once it is time."""
        self.left -= 1
        return SIGTERM if self.left == 0 else None

    @by.setter
    def by(self, _: Any) -> None: ...


def training(name: str, rule: BatchNormRule = BatchNormRule.SYNCHRONISED, **settings: Any) -> Any:
    """Return a training of 13 clips in steps of 4, in which both processes take part."""
    made = world.training(
        OUT / name, train_count=13, validation=3, **{"average": 0.5, "period": 1} | settings
    )
    engine.settings = DistributedSettings(rule, timeout=60)
    made.learner = TrainState(made.learner.recognizer, made.settings, engine, made.objective)
    return made


def tell(name: str, **values: Any) -> None:
    """Leave word for the test."""
    (OUT / f"{name}.{engine.rank}.json").write_text(json.dumps(values))


def keep(name: str, made: Any) -> None:
    """Leave all that was learned for the test."""
    torch.save(made.weights, OUT / f"{name}.{engine.rank}.pt")
    records = [
        {k: v for k, v in vars(record).items() if "second" not in k} for record in made.notes.epochs
    ]
    asked = list(made.data.source.asked)
    tell(name, records=records, asked=asked, rounds=len(made.notes.refreshed))


def trained(made: Any, **changes: Any) -> None:
    """Train, with the first process asking the agents."""
    rounds = world.Rounds(
        made.notes.refresh, wait=True, asking=engine.is_main, share=engine.broadcast_object
    )
    made.run(rounds=rounds, **changes)


for rule in BatchNormRule:
    straight = training(f"straight-{rule.value}", rule)
    trained(straight)
    keep(f"straight-{rule.value}", straight)

for process, step in ((0, 1), (1, 5), (0, 6)):
    name = f"part-{process}-{step}"
    try:
        trained(training(name), stop=Asked(process, step))
    except TrainingInterrupted as stopped:
        tell(f"{name}-stopped", by=stopped.signal.name)
    again = training(name)
    found = engine.broadcast_object(sorted((OUT / name).glob("epoch_*"))[-1])
    trained(again, resume=load_checkpoint(found))
    keep(name, again)

one = training("like-one", average=0.0, epochs=1, batch_size=13)
one.learner.judged.objective.__dict__["settings"] = LossSettings(alpha=0.3, beta=0)
one.data.source.__dict__["augment"] = AugmentSettings(rotation=0)
one.data.source.store.lengths.fill_(5)  # as long as a clip: nothing is drawn at random
trained(one)
keep("like-one", one)

try:
    engine.run_on_main(lambda: (_ for _ in ()).throw(DataError("no such thing")))
except SkeletonAgentError as error:
    tell("failure", kind=type(error).__name__, said=str(error))
tell(
    "largest",
    value=engine.all_reduce_max(10 - engine.rank),
    of=engine.all_gather_object(engine.rank),
)

if engine.rank == 1:
    sys.stdout.flush()
    import os

    os._exit(9)
try:
    with interrupt_on_signals(), engine.name_lost_ranks():  # torchrun asks the others to end
        while True:
            engine.all_gather_object("still there?")
except TrainingError as error:
    tell("lost", said=str(error))
