"""Exported recognizers beside PyTorch on real clips: every backbone, on archives of any layout.

Weights are random; norms have seen the clips. Each recognizer is exported to ONNX and compared on
the first clips of the archive, with one and with two bodies as the archive has them.

Example:
  python -m benchmarks.export_parity skeletons/sbu skeletons/utd_mhad --json parity.json
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from benchmarks.measuring import print_rows, write_facts
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.settings import AugmentSettings, ClipSettings, FrameSampling
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import prepare_dataset
from skeletonagent.export.accuracy import batch_arrays
from skeletonagent.export.graph import export_program, onnx_bytes
from skeletonagent.export.parity import relative_difference
from skeletonagent.export.session import OnnxSession
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.recognizer import Recognizer, build_recognizer

READOUTS = {"joint-cnn": "temporal", "tiny-gcn": "joints"}
"""Readout of each backbone that has another one than the mean here."""

CLASSES = 10


def main(
    archives: Annotated[list[Path], typer.Argument(help="Skeleton archives.")],
    backbones: Annotated[str, typer.Option(help="Backbones by commas.")] = ",".join(BACKBONES),
    clips: Annotated[int, typer.Option(min=2, help="Clips that are compared.")] = 200,
    frames: Annotated[int, typer.Option(min=1, help="T.")] = 32,
    width: Annotated[int, typer.Option(min=8, help="Channels of the first blocks.")] = 16,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Compare exported recognizers with PyTorch on the clips of archives."""
    rows: list[dict[str, Any]] = []
    for archive in archives:
        for backbone in backbones.split(","):
            rows.append(compared(archive, backbone, clips, frames, width))
            print_rows(f"exported, {archive.name}", rows[-1:])
    print_rows("exported recognizers", rows)
    write_facts({"torch": torch.__version__, "rows": rows}, json)


def compared(archive: Path, backbone: str, count: int, frames: int, width: int) -> dict[str, Any]:
    """Return how far an exported recognizer is from PyTorch on the clips of an archive."""
    settings = replace(Config().data, archive=str(archive))
    store = prepare_dataset(settings).store
    sampler = ClipSampler(
        store,
        ClipSettings(frames=frames, test_clips=1, sampling=FrameSampling.LINEAR),
        AugmentSettings(),
    )
    batch = next(sampler.test_batches(torch.arange(min(count, len(store))), count, 1))
    torch.manual_seed(0)
    recognizer = build_recognizer(
        backbone,
        store.layout,
        channels=store.clip_channels,
        persons=store.max_persons,
        num_classes=CLASSES,
        text_dim=8,
        width=width,
        inputs=("position", "motion") if backbone == "joint-cnn" else (),
        readout=READOUTS.get(backbone, "mean"),
    )
    with torch.no_grad():
        recognizer.features(batch.clips, batch.bodies)  # norms see the clips
    joints, bodies = batch_arrays(batch)
    wanted = outputs(recognizer.eval(), joints, bodies)
    begin = time.process_time()
    content = onnx_bytes(export_program(recognizer, joints.shape[1:], None, True))
    seconds = time.process_time() - begin
    found = OnnxSession.of(content, threads=1).run(joints, bodies)
    return {
        "archive": archive.name,
        "layout": f"{store.layout.num_joints} joints",
        "bodies": store.max_persons,
        "backbone": backbone,
        "clips": len(joints),
        "logits differ by": f"{relative_difference(found[0], wanted[0]):.1e}",
        "features by": f"{relative_difference(found[1], wanted[1]):.1e}",
        "same class": int((found[0].argmax(axis=1) == wanted[0].argmax(axis=1)).sum()),
        "megabytes": round(len(content) / 1e6, 2),
        "CPU s of the export": round(seconds, 1),
    }


@torch.inference_mode()
def outputs(
    recognizer: Recognizer, joints: np.ndarray, bodies: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits and features in PyTorch."""
    features = recognizer.features(torch.from_numpy(joints), torch.from_numpy(bodies))
    return recognizer.cls_head(features).numpy(), features.numpy()


if __name__ == "__main__":
    typer.run(main)
