"""Generated data as large as NTU RGB+D 60, and guidance for them: nothing has to be downloaded."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional

from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import KINECT_25
from skeletonagent.data.benchmarks import BENCHMARKS

SEQUENCES = 56_880
"""Of NTU RGB+D 60."""
MEAN_FRAMES = 70
SHORTEST = 20
SECOND_BODY = 0.2
"""Share of sequences with two persons."""
SUBJECTS = 40
TESTED = (2, 5, 9)
"""Last digits of the subjects who are tested on, about as large a part as the benchmark's."""
TEXT_WIDTH = 512
"""D of the paper's text encoder."""
WORDS = 4096
SALIENT = 8
"""Salient joints of a class."""
ROWS = 200_000
"""Frames that are made at once."""


class Persons(StrEnum):
    """How many bodies the sequences have: ``full``, two each; ``ntu``, every fifth has two."""

    FULL = "full"
    NTU = "ntu"


def generated(
    sequences: int, persons: Persons = Persons.NTU, classes: int = 60, seed: int = 0
) -> SkeletonData:
    """Return people who sway, each class with limbs of its own that sway most.

    Only sizes are those of NTU RGB+D 60: what is learned from them says nothing.

    Args:
        sequences: How many, at least three of each class, so that there are subjects to test on.
        persons: How many bodies they have.
        classes: Y; more than NTU RGB+D 60 has are named as those of Kinetics.
        seed: Of the draw.

    Raises:
        ValueError: If there are too few sequences or too many classes.
    """
    few = BENCHMARKS["ntu60"].class_names
    names = few if classes <= len(few) else BENCHMARKS["kinetics-skeleton"].class_names
    if sequences < 3 * classes or classes > len(names):
        raise ValueError(
            f"got {sequences} sequences of {classes} classes; at least {3 * classes} sequences "
            f"and at most {len(names)} classes are possible"
        )
    generator = torch.Generator().manual_seed(seed)
    number = torch.arange(sequences)
    groups = (number // classes % min(SUBJECTS, sequences // classes)).tolist()
    ids = tuple(f"G{group:02d}N{n:06d}" for n, group in enumerate(groups))
    lengths = SHORTEST + _gamma(sequences, MEAN_FRAMES - SHORTEST, generator)
    bodies = torch.ones(sequences, dtype=torch.long)
    second = torch.rand(sequences, generator=generator) < SECOND_BODY
    bodies[second | (persons is Persons.FULL)] = 2
    labels = number % classes
    rows = (bodies * lengths).cumsum(0)
    store = ClipStore(
        frames=_frames(lengths, bodies, labels, max(classes, len(few)), generator),
        starts=rows - bodies * lengths,
        lengths=lengths,
        persons=bodies,
        labels=labels,
        sample_ids=ids,
        subjects=tuple(groups),
        layout=KINECT_25,
        class_names=names[:classes],
        person_slots=2,
    )
    tested = {sample for sample, group in zip(ids, groups, strict=True) if group % 10 in TESTED}
    split = Split(
        train=tuple(sample for sample in ids if sample not in tested),
        test=tuple(sample for sample in ids if sample in tested),
    )
    return SkeletonData("generated", f"Generated, {persons}", store, {"xsub": split}, "xsub")


def _gamma(number: int, mean: float, generator: torch.Generator) -> Tensor:
    """Return whole numbers, spread as the sum of four exponentials is."""
    uniform = torch.rand(4, number, generator=generator).clamp(min=1e-6)
    return (-uniform.log().sum(0) * mean / 4).long()


def _frames(
    lengths: Tensor, bodies: Tensor, labels: Tensor, classes: int, generator: torch.Generator
) -> Tensor:
    """Return the frames of all bodies one after another, some sequences at a time."""
    rest = 0.2 * (2 * torch.rand(25, 3, generator=generator) - 1)
    rest[:, 1] = torch.linspace(0.9, -0.9, 25)
    sway = 0.15 * torch.rand(classes, *rest.shape, generator=generator) ** 4
    speed = 0.05 + 0.2 * torch.rand(len(lengths), generator=generator)
    frames = torch.empty(int((lengths * bodies).sum()), *rest.shape)
    step, done = max(1, ROWS // int(2 * lengths.max())), 0
    for part in torch.arange(len(lengths)).split(step):
        body = part.repeat_interleave(bodies[part])  # the sequence of each body
        second = torch.cat([body.new_zeros(1), (body[1:] == body[:-1]).long()])
        row = torch.arange(len(body)).repeat_interleave(lengths[body])  # the body of each frame
        first = (lengths[body].cumsum(0) - lengths[body])[row]
        time = torch.arange(len(row)) - first + 20.0 * second[row]
        swing = (speed[body][row] * time)[:, None, None].sin() * sway[labels[body][row]]
        made = frames[done : done + len(row)]
        torch.add(rest, swing, out=made)
        made[..., 0] += second[row][:, None]  # a metre beside the first
        made += 0.005 * torch.randn(made.shape, generator=generator)
        done += len(row)
    return frames


def guidance_of(data: SkeletonData) -> Guidance:
    """Return salient joints and a sentence for each class, drawn by chance."""
    store = data.store
    generator = torch.Generator().manual_seed(1)
    classes = tuple(
        ClassGuidance(
            name,
            tuple(sorted(torch.randperm(25, generator=generator)[:SALIENT].tolist())),
            f"In {name} the limbs named {name} move first and the rest of the body follows them.",
        )
        for name in store.class_names
    )
    return Guidance(store.layout, classes)


class LookupEncoder:
    """A text encoder as wide as the paper's: the mean of its words' vectors, drawn by chance.

    It stands in for CLIP, whose arithmetic it does not have.
    """

    name = "benchmark-lookup"
    dim = TEXT_WIDTH
    max_tokens = 77

    def __init__(self) -> None:
        self.table = torch.randn(WORDS, TEXT_WIDTH, generator=torch.Generator().manual_seed(2))

    def count_tokens(self, sentence: str) -> int:
        """Return the number of words."""
        return len(self.tokens(sentence))

    def tokens(self, sentence: str) -> list[int]:
        """Return a number for each word."""
        words = re.findall(r"\w+|[^\w\s]", sentence.lower())
        return [zlib.crc32(word.encode()) % WORDS for word in words]

    def embedded(self, tokens: Sequence[int]) -> Tensor:
        """Return the unit vector of a sentence."""
        return functional.normalize(self.table[list(tokens)].mean(dim=0), dim=0)

    def encode(self, sentences: Sequence[str]) -> Tensor:
        """Return a unit vector of each sentence."""
        return torch.stack([self.embedded(self.tokens(sentence)) for sentence in sentences])
