"""Where data sets and weights can be had: a table of files that are downloaded by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from skeletonagent.core.errors import DataError
from skeletonagent.data.download import download


@dataclass(frozen=True)
class Download:
    """A file that data sets or weights come in.

    Args:
        url: Where it is, or the page that leads to it.
        file_name: What to call it; empty if there is only a page, to be used by hand.
        title: Name for people.
        note: What to know before or do after.
        sha256: Its checksum, where it was published.
    """

    url: str
    file_name: str
    title: str
    note: str = ""
    sha256: str | None = None


def _pyskl(file: str, title: str, note: str = "") -> Download:
    address = "https://download.openmmlab.com/mmaction/pyskl/data"
    return Download(f"{address}/{file}", file.rpartition("/")[2], title, note)


_DRIVE = "https://drive.google.com"
_UAV = "1wsejIXMCh9Ip0V_6KdZnajF4LcZos-Y5"
_CLIP = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"

DOWNLOADS: Mapping[str, Download] = {
    "ntu60": _pyskl("nturgbd/ntu60_3danno.pkl", "NTU RGB+D 60, 3D skeletons"),
    "ntu120": _pyskl("nturgbd/ntu120_3danno.pkl", "NTU RGB+D 120, 3D skeletons"),
    "finegym": _pyskl("gym/gym_hrnet.pkl", "FineGYM, 2D skeletons"),
    "kinetics-skeleton": _pyskl(
        "k400/k400_hrnet.pkl",
        "Kinetics 400, table of contents",
        "the skeletons themselves are kinetics-kpfiles",
    ),
    "kinetics-kpfiles": Download(
        "https://www.dropbox.com/scl/fi/5phx0m7bok6jkphm724zc/kpfiles.zip"
        "?rlkey=sz26ljvlxb6gwqj5m9jvynpg8&st=47vcw2xb&dl=1",
        "kpfiles.zip",
        "Kinetics 400, 2D skeletons",
        "unpack it and convert kinetics-skeleton with --kpfiles",
    ),
    "uav-human": Download(
        f"https://drive.usercontent.google.com/download?id={_UAV}&export=download&confirm=t",
        "uav_human.pkl",
        "UAV-Human, 2D skeletons",
        f"should Google Drive refuse, open {_DRIVE}/file/d/{_UAV}/view in a browser",
    ),
    "ntu-raw": Download(
        "https://rose1.ntu.edu.sg/dataset/actionRecognition",
        "",
        "NTU RGB+D, raw .skeleton files",
        "open the page in a browser and ask for access there",
    ),
    "checkpoints": Download(
        "https://huggingface.co/firework8/SkeletonAgent",
        "",
        "The authors' checkpoints",
        f"also at {_DRIVE}/drive/folders/1CFMuBrJGktxHfv2GeX8bbgnDuINVrC08",
    ),
    "clip-vit-b-32": Download(
        f"https://openaipublic.azureedge.net/clip/models/{_CLIP}/ViT-B-32.pt",
        "ViT-B-32.pt",
        "CLIP ViT-B/32, the paper's text encoder",
        sha256=_CLIP,
    ),
}
"""What can be downloaded, by name. Source: spec section 4, addresses as the authors print them."""


def fetch(
    name: str, folder: Path, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Return the file of :data:`DOWNLOADS` of that name, downloaded into a folder.

    Raises:
        DataError: If there is none of that name, it can only be fetched by hand, or as
            :func:`download` does.
    """
    if name not in DOWNLOADS:
        raise DataError(f"nothing called {name!r} to download; there are {', '.join(DOWNLOADS)}")
    wanted = DOWNLOADS[name]
    if not wanted.file_name:
        raise DataError(f"{wanted.title} can only be fetched by hand: {wanted.url} ({wanted.note})")
    return download(wanted.url, folder / wanted.file_name, sha256=wanted.sha256, progress=progress)
