"""Data remarks: what preprocessing leaves out of samples, and what is odd about a split."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.data.settings import AbsentRule, ClipSettings, Scale
from skeletonagent.data.stored_bodies import body_chunks

_NAMED = 5
"""Samples and classes that a remark names."""


def preprocessing_remarks(
    stored: ClipStore, prepared: ClipStore, rule: AbsentRule, scale: Scale
) -> list[str]:
    """Return a line for each thing that preprocessing left out or decided.

    Args:
        stored: Samples as stored.
        prepared: The same samples, preprocessed.
        rule: What an absent joint counts as.
        scale: Size that coordinates were divided by.
    """
    lines = []
    lost = stored.lengths.cpu() - prepared.lengths.cpu()
    if int(lost.sum()):
        whose = "nobody" if rule is AbsentRule.MASKED else "not the first body"
        lines.append(
            f"{int(lost.sum())} of {int(stored.lengths.sum())} frames are left out, since {whose} "
            f"is seen in them: {_named(stored, lost > 0)}"
        )
    if rule is AbsentRule.MASKED and int(stored.persons.max()) > 1:
        before, after = _frames_seen(stored), _frames_seen(prepared)
        bodies = before.gt(0).sum(dim=1), after.gt(0).sum(dim=1)
        joined, led = bodies[0] > bodies[1], before.argmax(dim=1) > 0
        if bool(joined.any()):
            lines.append(
                "bodies that follow one another in the same place are one person, whom a tracker "
                f"numbered anew: {_named(stored, joined)}"
            )
        if bool(led.any()):
            lines.append(
                "another than the first stored body is seen in most frames, and is taken for the "
                f"first: {_named(stored, led)}"
            )
    if scale is Scale.NONE and stored.image_sizes is not None:
        sizes = sorted({(round(w), round(h)) for w, h in stored.image_sizes.tolist()})
        if len(sizes) > 1:
            lines.append(
                f"joints are pixels of images of {len(sizes)} sizes, from {_size(sizes[0])} to "
                f"{_size(sizes[-1])}, and data.scale is none, so that the same pose has other "
                "numbers in each; set data.scale=body or data.scale=image"
            )
    return lines


def split_remarks(data: SkeletonData, name: str, split: Split, clips: ClipSettings) -> list[str]:
    """Return a line for each thing about a split that makes its accuracy say less.

    Args:
        data: Data set.
        name: Name of the split.
        split: Its training and test set.
        clips: Clips that are made of the samples.
    """
    lines, store = [], data.store
    shared = sorted(set(split.train) & set(split.test))
    if shared:
        lines.append(
            f"{len(shared)} sample(s) are in both parts of split {name}, so that its accuracy says "
            f"less about new ones: {_some(shared)}"
        )
    lines += one_class_remarks(data, name, split)
    learned, tested = (
        set(store.labels[store.indices(part)].tolist()) for part in (split.train, split.test)
    )
    never = [store.class_names[label] for label in sorted(tested - learned)]
    if never:
        lines.append(
            f"{len(never)} class(es) of the test set of {name} have no training sample, so that "
            f"they are never recognized: {_some(never)}"
        )
    still = store.lengths[store.indices([*split.train, *split.test])].eq(1)
    if clips.stream.is_motion and bool(still.any()):
        lines.append(
            f"{int(still.sum())} of {len(still)} samples are a single frame, whose motion is zero: "
            f"the stream {clips.stream.value} shows nothing of them"
        )
    return lines


def one_class_remarks(data: SkeletonData, name: str, split: Split) -> list[str]:
    """Return a line if all training samples of a split are of one class."""
    labels = data.store.labels[data.store.indices(split.train)].unique().tolist()
    if len(labels) != 1:
        return []
    only = data.store.class_names[labels[0]]
    line = f"all training samples of split {name} are of the class {only!r}: nothing can be "
    return [line + "told apart, and accuracy says nothing"]


def _frames_seen(store: ClipStore) -> Int[Tensor, "s m"]:
    """Return the number of frames in which each body of each sample is seen."""
    counts = torch.zeros(len(store), int(store.persons.max()), dtype=torch.long)
    row = 0
    for chunk in body_chunks(store):
        numbers = torch.arange(len(chunk.body_samples)) - chunk.first_bodies[chunk.body_samples]
        seen = chunk.body_sums(chunk.present.any(dim=1)).long()
        counts[row + chunk.body_samples, numbers] = seen
        row += len(chunk.lengths)
    return counts


def _named(store: ClipStore, chosen: Tensor) -> str:
    """Return the number of samples that were chosen, and some of their names."""
    names = [store.sample_ids[index] for index in chosen.nonzero()[:, 0].tolist()]
    return f"{len(names)} of {len(store)} samples: {_some(names)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
