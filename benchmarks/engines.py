"""Speed of a trained recognizer in PyTorch and in ONNX Runtime, side by side in one process.

Every repeat times each engine once, in turn, so that a busy machine is as bad for one as for the
other. Processor time is that of all threads; with one thread it does not depend on other work.

Example:
  python -m benchmarks.engines runs/utd --json engines.json
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from benchmarks.measuring import Spread, print_rows, write_facts
from skeletonagent.experiments.datasets import prepare_dataset
from skeletonagent.export.accuracy import batch_arrays
from skeletonagent.export.session import OnnxSession
from skeletonagent.inference.predictor import Predictor, load_predictor
from skeletonagent.training.distributed import describe_device

Work = Callable[[], object]


@dataclass
class Timed:
    """Times of one engine: on the clock and of the processor, in seconds a batch."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def add(self, work: Work) -> None:
        """Time work once."""
        begin, begin_processor = time.perf_counter(), time.process_time()
        work()
        self.processor.append(time.process_time() - begin_processor)
        self.clock.append(time.perf_counter() - begin)


def main(
    run: Annotated[Path, typer.Argument(help="A run directory; its archive must be there.")],
    batches: Annotated[str, typer.Option(help="Clips at once, several by commas.")] = "1,8,64",
    threads: Annotated[str, typer.Option(help="Threads, several by commas.")] = "1,2",
    repeats: Annotated[int, typer.Option(min=1, help="Times that each batch is run.")] = 30,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Time logits of test clips by each engine."""
    predictor = load_predictor(run, "cpu")
    rows, clips = [], real_clips(predictor, max(map(int, batches.split(","))))
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.onnx" for name in ("fp32", "int8")}
        accuracies = {
            name: predictor.export(file, precision=name, data=predictor.config.data.archive)
            for name, file in files.items()
        }
        for count in map(int, threads.split(",")):
            for batch in map(int, batches.split(",")):
                engines = engines_of(predictor, files, clips, batch, count)
                rows += rows_of(timed(engines, repeats), batch, count)
    facts = {
        "device": describe_device(torch.device("cpu")),
        "torch": torch.__version__,
        "run": str(run),
        "files": {
            name: {
                "megabytes": round(found.megabytes, 2),
                "difference": found.difference,
                "accuracy": str(found.description.accuracy),
            }
            for name, found in accuracies.items()
        },
        "rows": rows,
    }
    print_rows(f"engines, {run}, {predictor}", rows)
    write_facts(facts, json)


def real_clips(predictor: Predictor, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return test clips of the archive of a run, repeated if there are fewer, and their bodies."""
    model = predictor.torch_models[0]
    loader = model.loader(prepare_dataset(predictor.config.data))
    samples = torch.arange(count) % len(loader.store)
    clips = []
    for sample in samples.split(1):
        batch = next(model.sampler(loader.store).test_batches(sample, 1, 1))
        clips.append(batch_arrays(batch)[0])
    joined = np.concatenate(clips)
    seen = np.asarray(joined.any(axis=(2, 3, 4)))
    seen[:, 0] = True
    return joined, np.flatnonzero(seen)


def engines_of(
    predictor: Predictor,
    files: Mapping[str, Path],
    clips: tuple[np.ndarray, np.ndarray],
    batch: int,
    threads: int,
) -> dict[str, Work]:
    """Return the work of each engine on a batch of clips."""
    torch.set_num_threads(threads)
    joints = clips[0][:batch]
    bodies = clips[1][clips[1] < batch * joints.shape[1]]
    fused = predictor.torch_models[0].fused
    tensors = torch.from_numpy(joints), torch.from_numpy(bodies)

    @torch.inference_mode()
    def in_torch() -> object:
        return fused(*tensors)

    works: dict[str, Work] = {"torch": in_torch}
    for name, file in files.items():
        session = OnnxSession.open(file, threads)
        works[f"onnx {name}"] = lambda session=session: session.run(joints, bodies)  # type: ignore[misc]
    return works


def timed(engines: Mapping[str, Work], repeats: int) -> dict[str, Timed]:
    """Return the times of each engine, timed in turn after one run that does not count."""
    found = {name: Timed() for name in engines}
    for work in engines.values():
        work()
    for _ in range(repeats):
        for name, work in engines.items():
            found[name].add(work)
    return found


def rows_of(times: Mapping[str, Timed], batch: int, threads: int) -> list[dict[str, Any]]:
    """Return a row for each engine: milliseconds a clip, with quartiles."""
    rows = []
    for name, found in times.items():
        processor, clock = (
            Spread.of([seconds / batch for seconds in values]).milliseconds()
            for values in (found.processor, found.clock)
        )
        rows.append(
            {
                "engine": name,
                "threads": threads,
                "clips": batch,
                "CPU ms a clip": processor["median"],
                "quartiles": f"{processor['lower']} to {processor['upper']}",
                "clock ms a clip": clock["median"],
                "clock quartiles": f"{clock['lower']} to {clock['upper']}",
            }
        )
    return rows


if __name__ == "__main__":
    typer.run(main)
