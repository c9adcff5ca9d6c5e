"""Files as the programs themselves write them: DeepLabCut by pandas, SLEAP by sleap-io.

They lie beside this file, so that tests need neither. To write them anew, in an environment of its
own with sleap-io 0.9.5, pandas 3.1.1 and tables 3.11.1:

  python tests/data/keypoints/genuine/write_files.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
NODES = ("snout", "leftEar", "rightEar", "tailBase")
EDGES = (("tailBase", "snout"), ("snout", "leftEar"), ("snout", "rightEar"))
TRACKS = ("white", "black")
FRAMES = 8


def mice() -> np.ndarray:
    """Return x, y and score of each node of two mice; (M, T, V, 3).

    A node of the first is not seen in a frame, and the second not in the first two frames.
    """
    m, t, v = np.meshgrid(range(2), range(FRAMES), range(4), indexing="ij")
    values = np.stack([100.125 + 80 * m + t / 3 + 10 * v, 55 + 7 * m - t / 7 + v, 0.9 - v / 10], -1)
    values[0, 3, 1] = values[1, :2] = np.nan
    return values


def write_deeplabcut(folder: Path) -> None:
    """Write tables as DeepLabCut does, of one animal as CSV, of two in both forms of HDF5."""
    import pandas as pd

    parts = ("x", "y", "likelihood")
    one = ("scorer", "bodyparts", "coords")
    several = ("scorer", "individuals", "bodyparts", "coords")
    columns = pd.MultiIndex.from_product([["DLC_net"], NODES, parts], names=one)
    pd.DataFrame(mice()[0].reshape(FRAMES, -1), columns=columns).to_csv(folder / "one_mouse.csv")
    columns = pd.MultiIndex.from_product([["DLC_net"], TRACKS, NODES, parts], names=several)
    table = pd.DataFrame(mice().transpose(1, 0, 2, 3).reshape(FRAMES, -1), columns=columns)
    table.to_csv(folder / "two_mice.csv")
    name: dict[str, Any] = {"key": "df_with_missing", "mode": "w"}
    table.to_hdf(folder / "appendable.h5", format="table", complevel=9, complib="zlib", **name)
    table.to_hdf(folder / "fixed.h5", **name)


def write_sleap(folder: Path) -> None:
    """Write two mice as a project of SLEAP and as the analysis that it exports."""
    import sleap_io as sio

    skeleton = sio.Skeleton(list(NODES), edges=list(EDGES))
    tracks = [sio.Track(name) for name in TRACKS]
    video = sio.Video(filename="two_mice.mp4", open_backend=False)
    video.backend_metadata["shape"] = (FRAMES, 480, 640, 3)
    frames = [
        sio.LabeledFrame(
            video=video,
            frame_idx=t,
            instances=[
                sio.PredictedInstance.from_numpy(
                    mouse[t, :, :2],
                    skeleton=skeleton,
                    point_scores=mouse[t, :, 2],
                    score=0.9,
                    track=track,
                    tracking_score=0.9,
                )
                for mouse, track in zip(mice(), tracks, strict=True)
                if not np.isnan(mouse[t]).all()
            ],
        )
        for t in range(FRAMES)
    ]
    labels = sio.Labels(frames, videos=[video], skeletons=[skeleton], tracks=tracks)
    sio.save_slp(labels, str(folder / "project.slp"), embed=False)
    sio.save_analysis_h5(labels, str(folder / "exported.analysis.h5"))


if __name__ == "__main__":
    write_deeplabcut(HERE)
    write_sleap(HERE)
