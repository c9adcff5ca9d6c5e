"""Distance of our landmarks to those of MediaPipe, in shares of the body's height.

``mediapipe_reference.py`` writes the reference. Both look at the same frames as single pictures; of
several persons, the one whom MediaPipe has chosen is compared.

Example:
  python -m benchmarks.pose_agreement demo.mp4 reference.npz --json agreement.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.measuring import print_rows, write_facts
from skeletonagent.pose.detector import PersonDetector
from skeletonagent.pose.fetch import find_pose_models
from skeletonagent.pose.landmarks import LandmarkModel
from skeletonagent.pose.runtime import LiteModel
from skeletonagent.video.reading import read_frames


def main(
    video: Annotated[Path, typer.Argument(help="Video with people.")],
    reference: Annotated[Path, typer.Argument(help="Landmarks of MediaPipe.")],
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Print the mean distance of the landmarks by frame."""
    files = find_pose_models()
    detector = PersonDetector(LiteModel(files.detector))
    model = LandmarkModel(LiteModel(files.landmarks))
    with np.load(reference) as stored:
        wanted = dict(zip(stored["frames"].tolist(), stored["landmarks"], strict=True))
    shares, missed = [], 0
    for number, frame in enumerate(read_frames(video)):
        places = wanted.get(number)
        if places is None or np.isnan(places).any():
            continue
        found = [model.locate(frame.image, d.region) for d in detector.detect(frame.image)]
        distances = [
            np.linalg.norm(body.points - places, axis=1).mean() / np.ptp(places[:, 1])
            for body in found
            if body is not None
        ]
        missed += not distances
        shares += [float(min(distances))] if distances else []
    facts = {
        "frames": len(shares) + missed,
        "missed": missed,
        "median_share_of_height": float(np.median(shares)),
        "frames_within_2_percent": int(np.sum(np.array(shares) <= 0.02)),
        "largest_share_of_height": max(shares),
    }
    print_rows(str(video), [{"figure": name, "value": value} for name, value in facts.items()])
    write_facts(facts, json)


if __name__ == "__main__":
    typer.run(main)
