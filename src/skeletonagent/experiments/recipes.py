"""Variants of a preset: its size, and whose recipe it follows.

Imports nothing heavy, since the command line names them in its help.
"""

from __future__ import annotations

from enum import StrEnum


class PresetSize(StrEnum):
    """``small`` for a CPU, ``paper`` for a GPU; ``tiny`` for studies of many runs on a CPU."""

    TINY = "tiny"
    SMALL = "small"
    PAPER = "paper"


class Recipe(StrEnum):
    """Whose recipe is followed where they differ.

    ``paper``: the paper's text. ``released``: the released code. ``best``: what was best in the
    study of guidance over ten paired seeds (docs/results/guidance.md).
    """

    PAPER = "paper"
    RELEASED = "released"
    BEST = "best"
