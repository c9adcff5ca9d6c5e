"""Script of each of the two ranks of test_together.py; torchrun starts it."""

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
from skeletonagent.training.checkpoint import load_checkpoint
from skeletonagent.training.distributed import init_distributed
from skeletonagent.training.interrupts import InterruptFlag, interrupt_on_signals
from skeletonagent.training.settings import BatchNormRule, DistributedSettings
from skeletonagent.training.train_step import TrainState

OUT = Path(sys.argv[1])
spec = importlib.util.spec_from_file_location("world", Path(__file__).with_name("conftest.py"))
assert spec and spec.loader
world: Any = importlib.util.module_from_spec(spec)
sys.modules["world"] = world
spec.loader.exec_module(world)
context = init_distributed(torch.device("cpu"), "32", DistributedSettings(timeout=60))


class InterruptAfter(InterruptFlag):
    """Flag that is set in one rank after some steps."""

    def __init__(self, rank: int, step: int) -> None:
        super().__init__()
        self.left = step if rank == context.rank else 0

    @property
    def signal(self) -> Any:
        """The signal, once it is time."""
        self.left -= 1
        return SIGTERM if self.left == 0 else None

    @signal.setter
    def signal(self, _: Any) -> None: ...


def training(name: str, rule: BatchNormRule = BatchNormRule.SYNCHRONISED, **settings: Any) -> Any:
    """Return a training of 13 clips in steps of 4, in which both ranks take part."""
    made = world.training(
        OUT / name,
        train_count=13,
        validation=3,
        **({"ema_decay": 0.5, "guidance_period": 1} | settings),
    )
    context.settings = DistributedSettings(rule, timeout=60)
    made.state = TrainState(made.state.recognizer, made.settings, context, made.loss)
    return made


def report(name: str, **values: Any) -> None:
    """Write values for the test."""
    (OUT / f"{name}.{context.rank}.json").write_text(json.dumps(values))


def keep(name: str, made: Any) -> None:
    """Write the weights and records for the test."""
    torch.save(made.weights, OUT / f"{name}.{context.rank}.pt")
    records = [
        {k: v for k, v in vars(record).items() if "second" not in k}
        for record in made.recorder.epochs
    ]
    sampled = list(made.data.loader.sampled)
    report(name, records=records, sampled=sampled, rounds=len(made.recorder.refreshed))


def trained(made: Any, **changes: Any) -> None:
    """Train; the first rank asks the agents."""
    updater = world.GuidanceUpdater(
        made.recorder.refresh,
        wait=True,
        is_main=context.is_main,
        broadcast=context.broadcast_object,
    )
    made.run(updater=updater, **changes)


for rule in BatchNormRule:
    straight = training(f"straight-{rule.value}", rule)
    trained(straight)
    keep(f"straight-{rule.value}", straight)

for rank, step in ((0, 1), (1, 5), (0, 6)):
    name = f"part-{rank}-{step}"
    try:
        trained(training(name), interrupt=InterruptAfter(rank, step))
    except TrainingInterrupted as stopped:
        report(f"{name}-stopped", by=stopped.signal.name)
    again = training(name)
    latest = context.broadcast_object(sorted((OUT / name).glob("epoch_*"))[-1])
    trained(again, resume=load_checkpoint(latest))
    keep(name, again)

one = training("like-one", ema_decay=0.0, epochs=1, batch_size=13)
one.with_loss(alpha=0.3, beta=0)
one.data.loader.__dict__["augment"] = AugmentSettings(rotation=0)
one.data.loader.store.lengths.fill_(5)  # as long as a clip: nothing is drawn at random
trained(one)
keep("like-one", one)

try:
    context.run_on_main(lambda: (_ for _ in ()).throw(DataError("no such thing")))
except SkeletonAgentError as error:
    report("failure", kind=type(error).__name__, said=str(error))
report(
    "largest",
    value=context.all_reduce_max(10 - context.rank),
    of=context.all_gather_object(context.rank),
)

if context.rank == 1:
    sys.stdout.flush()
    import os

    os._exit(9)
try:
    with interrupt_on_signals(), context.name_lost_ranks():  # torchrun asks the others to end
        while True:
            context.all_gather_object("still there?")
except TrainingError as error:
    report("lost", said=str(error))
