"""Lists of the clips of a training and a test set, one name a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.outside_files import read_outside_text
from skeletonagent.core.outside_text import printable_line
from skeletonagent.data.importing.splitting import SplitClip

_SHOWN = 3
_LARGEST = 1 << 28


def parts_from_lists(
    clips: Sequence[SplitClip], train: Path | None, test: Path | None
) -> list[str | None]:
    """Return the set of each clip: ``train``, ``test``, or None if no list names it.

    With one list, all other clips are in the other set.

    Args:
        clips: Clips. A line names a clip, or a recording from which several were cut.
        train: File with the names of the training clips.
        test: File with the names of the test clips.

    Raises:
        ConfigError: If there is no list.
        DataError: If a list cannot be read, or names something that is not there, or both name
            the same clip.
    """
    if train is None and test is None:
        raise ConfigError("a list of training clips or of test clips is needed")
    named = {part: _named(clips, path) for part, path in (("train", train), ("test", test)) if path}
    if len(named) == 1:
        ((part, chosen),) = named.items()
        other = "test" if part == "train" else "train"
        return [part if clip.sample_id in chosen else other for clip in clips]
    both = sorted(named["train"] & named["test"])
    if both:
        raise DataError(f"{len(both)} clip(s) are in both lists", path=test, sample=both[0])
    return [
        next((part for part, chosen in named.items() if clip.sample_id in chosen), None)
        for clip in clips
    ]


def _named(clips: Sequence[SplitClip], path: Path) -> set[str]:
    text = read_outside_text(path, _LARGEST, "a list of clips")
    lines = [line.strip().replace("\\", "/") for line in text.splitlines() if line.strip()]
    members: dict[str, set[str]] = {}
    last = Counter(name.rsplit("/", 1)[-1] for name in {clip.recording for clip in clips})
    for clip in clips:
        names = {clip.sample_id, clip.recording}
        short = clip.recording.rsplit("/", 1)[-1]
        names |= {short} if last[short] == 1 else set()
        for name in names:
            members.setdefault(name, set()).add(clip.sample_id)
    chosen: set[str] = set()
    unknown = []
    for line in lines:
        found = members.get(line) or members.get(str(Path(line).with_suffix("")))
        if found:
            chosen |= found
        else:
            unknown.append(line)
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(lines)} names are no clips: "
            f"{printable_line(', '.join(unknown[:_SHOWN]), 200)}; "
            f"there are {', '.join(clip.sample_id for clip in clips[:_SHOWN])}, ...",
            path=path,
        )
    return chosen
