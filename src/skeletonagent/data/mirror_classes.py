"""Classes whose actions mirrored clips show, by the sides that the class names name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Int
from torch import Tensor

_OPPOSITES = (
    ("left", "right"),
    ("leftward", "rightward"),
    ("leftwards", "rightwards"),
    ("lefthanded", "righthanded"),
    ("clockwise", "counterclockwise"),
    ("cw", "ccw"),
)
_OPPOSITE = {a: b for pair in _OPPOSITES for a, b in (pair, pair[::-1])}
_COUNTERCLOCKWISE = re.compile(r"\b(?:counter|anti) ?clockwise\b")
_WORD_IN_CAMEL_CASE = re.compile(r"(?<=[^\W_])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])")


def mirror_classes(class_names: Sequence[str]) -> tuple[int | None, ...]:
    """Return the class of the mirrored clips of each class.

    Names are compared word by word, with ``left`` and ``right``, ``clockwise`` and
    ``counterclockwise`` (also ``counter clockwise``, ``anticlockwise``) exchanged. Capitals, marks
    and ``_`` do not count.

    >>> mirror_classes(["wave", "left kick", "right kick", "right arm swipe to the left"])
    (0, 2, 1, None)

    Args:
        class_names: Names of the classes, in label order.

    Returns:
        For each class itself, if its name names no side; the class of the exchanged name, if it
        does; None, if there is no such class, or several: its mirrored clips are of no class.
    """
    names = [_words(name) for name in class_names]
    count, class_of = Counter(names), {words: label for label, words in enumerate(names)}
    mirrored: list[int | None] = []
    for label, words in enumerate(names):
        exchanged = tuple(_OPPOSITE.get(word, word) for word in words)
        if exchanged == words:
            mirrored.append(label)
        else:
            unique = count[exchanged] == 1 and count[words] == 1
            mirrored.append(class_of[exchanged] if unique else None)
    return tuple(mirrored)


NO_CLASS = -1
"""Label of a mirrored clip that shows the action of no class."""


@lru_cache(maxsize=64)
def mirrored_labels(class_names: tuple[str, ...], device: torch.device) -> Int[Tensor, " y"] | None:
    """Return the label of the mirrored clips of each class, None if every class keeps its own.

    Args:
        class_names: Names of the classes, in label order.
        device: Device of the labels, of which :data:`NO_CLASS` stands for no class.
    """
    classes = mirror_classes(class_names)
    if classes == tuple(range(len(class_names))):
        return None
    with torch.inference_mode(False):
        labels = [NO_CLASS if label is None else label for label in classes]
        return torch.tensor(labels, device=device)


def _words(name: str) -> tuple[str, ...]:
    """Return the words of a class name in lower case, counterclockwise always in one word."""
    spaced = _WORD_IN_CAMEL_CASE.sub(" ", name).lower()
    words = " ".join(re.findall(r"[^\W_]+", spaced))
    return tuple(_COUNTERCLOCKWISE.sub("counterclockwise", words).split())
