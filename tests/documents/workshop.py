"""A folder with all that the documents take for granted, in miniature."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
from tests.data.miniature import motion, ntu_annotations, write_finegym, write_ntu60, write_pickle
from tests.data.miniature_raw import person, write_kinetics, write_ntu, write_uav

from skeletonagent.agents import prompts
from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.layout import UAV_17
from skeletonagent.data.archive import write_archive
from skeletonagent.data.benchmarks import BENCHMARKS
from skeletonagent.data.convert.pipeline import DatasetReader, convert_dataset
from skeletonagent.data.readers.kinetics import kinetics_reader
from skeletonagent.data.readers.pyskl import pyskl_reader
from skeletonagent.data.synthetic.generate import synthetic_dataset

ROOT = Path(__file__).resolve().parents[2]

SMALL_SETS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "utd_mhad": (
        ["xsub_odd_even"],
        ["right arm swipe to the left", "draw triangle", "right hand wave", "two hand front clap"],
    ),
    "nw_ucla": (["xview_v12_v3"], ["pick up", "drop trash", "sit down", "throw"]),
    "sbu": (["fold1", "fold2"], ["approaching", "departing", "kicking", "hugging"]),
    "jhmdb": (["split1", "split2", "split3"], ["catch", "clap", "golf", "wave"]),
    "mine": (["main"], [BENCHMARKS["ntu60"].class_names[n] for n in (7, 8, 22, 42)]),
}
"""Splits and classes of the archives that readers are taken to have."""

ANSWERS = (
    "A hand rises.", "\n".join(f"{part}: still." for part in prompts.BODY_PARTS), "8, 12",
    "8-left hand: rises.\n12-right hand: rises.", "It is.",
)  # fmt: skip
"""What a published dialogue says about a class."""


def furnish(folder: Path) -> None:
    """Write downloads, archives and files of every other kind into a folder."""
    downloads, archives = folder / "downloads", folder / "skeletons"
    _download(downloads)
    shutil.copy(downloads / "ntu60_3danno.pkl", folder)
    write_ntu(
        folder / "nturgbd_skeletons",
        actions=(1, 50, 61), subjects=(1, 3, 8), cameras=(1, 2), setups=(1, 2),
    )  # fmt: skip
    write_uav(folder / "uav_skeletons")
    _recordings(folder / "recordings")
    for name, source in _sources(downloads).items():
        convert_dataset(source, archives / name, progress=lambda done, of: None)
    for name, (splits, classes) in SMALL_SETS.items():
        write_archive(small_set(name, splits, classes), archives)
    _dialogues(folder / "gpt4o_dialogues.zip")
    shutil.copytree(ROOT / "docs" / "results", folder / "docs" / "results")
    notes = files("skeletonagent.llm") / "resources"
    shutil.copy(str(notes / "nturgbd_60.yaml"), folder / "labels.yaml")
    counts = np.tile(50 * np.eye(40, dtype=np.int16), (3, 1, 1))
    counts[:, 0, 1] = 5
    np.savez_compressed(folder / "confusions.npz", counts=counts)


def small_set(name: str, splits: Sequence[str], classes: Sequence[str]) -> SkeletonData:
    """Return four classes of four people; in ``sbu`` there are two persons at a time."""
    store = synthetic_dataset(clips_per_class=4, subjects=4).store
    kept = [store.sequence(n) for n in range(len(store)) if store.labels[n] < 4]
    clips = [replace(clip, joints=_together(clip.joints) if name == "sbu" else clip.joints)
             for clip in kept]  # fmt: skip
    return SkeletonData(
        name=name,
        title=name,
        store=ClipStore.from_sequences(clips, store.layout, classes),
        splits={split: _tested_on(clips, number) for number, split in enumerate(splits)},
        default_split=splits[0],
    )


def _tested_on(clips: Sequence[SkeletonSequence], number: int) -> Split:
    tested = sorted({clip.subject or 0 for clip in clips})[number]
    return Split(
        train=tuple(clip.sample_id for clip in clips if clip.subject != tested),
        test=tuple(clip.sample_id for clip in clips if clip.subject == tested),
    )


def _together(joints: np.ndarray) -> np.ndarray:
    return np.concatenate([joints, joints * np.float32([-1, 1, 1]) + np.float32(0.5)])


def _download(folder: Path) -> None:
    write_ntu60(folder / "ntu60_3danno.pkl")
    annotations = ntu_annotations(actions=(1, 61, 120))
    for number, annotation in enumerate(annotations):
        annotation["frame_dir"] = annotation["frame_dir"].replace("S001", f"S{1 + number // 4:03d}")
    names = [annotation["frame_dir"] for annotation in annotations]
    write_pickle(
        folder / "ntu120_3danno.pkl",
        {"split": _parted("ntu120", names), "annotations": annotations},
    )
    write_finegym(folder / "gym_hrnet.pkl")
    _, kpfiles = write_kinetics(folder)
    with zipfile.ZipFile(folder / "kpfiles.zip", "w") as packed:
        for file in kpfiles.iterdir():
            packed.write(file, f"kpfiles/{file.name}")
    _uav(folder / "uav_human.pkl")


def _parted(benchmark: str, names: Sequence[str]) -> dict[str, list[str]]:
    parts = {}
    for name, split in BENCHMARKS[benchmark].splits(names).items():
        parts |= {f"{name}_train": [*split.train], f"{name}_val": [*split.test]}
    return parts


def _uav(path: Path) -> None:
    shown = [(p, a) for p in (0, 1, 2, 3) for a in (0, 7, 154)]
    annotations = [
        {
            "frame_dir": f"P{p:03d}S00G10B10H10UC022000LC021000A{a:03d}R0_08241716",
            "label": a,
            "total_frames": 20,
            "keypoint": 600 + 300 * motion(p, a, 1, 20, 17, 2, UAV_17).astype(float),
            "keypoint_score": np.ones((1, 20, 17)),
        }
        for p, a in shown
    ]
    names = [str(annotation["frame_dir"]) for annotation in annotations]
    write_pickle(path, {"split": _parted("uav-human", names), "annotations": annotations})


def _sources(downloads: Path) -> dict[str, DatasetReader]:
    readers = {
        name: pyskl_reader(downloads / file, benchmark=BENCHMARKS[benchmark])
        for name, file, benchmark in (
            ("ntu60", "ntu60_3danno.pkl", "ntu60"),
            ("ntu120", "ntu120_3danno.pkl", "ntu120"),
            ("finegym", "gym_hrnet.pkl", "finegym"),
            ("uav", "uav_human.pkl", "uav-human"),
        )
    }
    readers["kinetics"] = kinetics_reader(downloads / "k400_hrnet.pkl", downloads / "kpfiles")
    return readers


def _recordings(folder: Path) -> None:
    folder.mkdir()
    for seed, (action, who, take) in enumerate(
        (a, p, t) for a in ("wave", "sit") for p in range(4) for t in range(3)
    ):
        joints = person(3 + len(action), seed, joints=17).reshape(20, -1)
        np.savetxt(folder / f"{action}_p{who:02d}_{take}.csv", joints, fmt="%.4f", delimiter=",")


def _dialogues(path: Path) -> None:
    """Write a zip as the published one: a file for each class, a round for each question."""
    names = BENCHMARKS["ntu60"].class_names
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("label_map/nturgbd_60.txt", "\n".join(names) + "\n")
        for number, name in enumerate(names, start=1):
            packed.writestr(f"nturgbd_60/{number:03d}_action.txt", _said(name))


def _said(action: str) -> str:
    return "".join(
        f"\nRound {n} Question:\n'{action}'?\n\nRound {n} Answer:\n{answer}\n\n{'=' * 80}\n"
        for n, answer in enumerate(ANSWERS, start=1)
    )
