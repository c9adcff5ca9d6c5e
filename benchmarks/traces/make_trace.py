"""Generate the confusions of a training on NTU RGB+D 60, as they may come before each round.

No such training is at hand here, so this is a model of one, whose assumptions were fixed before
its outcome was known:

- Cross-subject split: 40,091 clips to learn from, 60 classes of equal size, each clip seen once an
  epoch; 150 epochs, and a round before every fifth but the first: 29 rounds.
- The training error falls fast in the first epochs, then with the cosine of the learning rate:
  55 % in epoch 5, about 12 % in epoch 50 and 0.5 % at the end.
- Classes differ in difficulty: their shares of the error are log-normal with a deviation of 0.6,
  so that the hardest class errs about four times as often as the average one.
- Each class has 3 to 6 similar classes, the same throughout; each draws 0.6 times the mistakes of
  the one before it. A tenth of all mistakes goes to any other class alike.
- What a recognizer confuses wavers while it learns: each pair's share is multiplied anew in each
  epoch by a log-normal factor with a deviation of 0.25. Counts are drawn from the shares.

Example:
  python benchmarks/traces/make_trace.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from jaxtyping import Float, Int

TRACE = Path(__file__).with_name("ntu60_confusions.npz")
CLASSES = 60
CLIPS = 40_091
EPOCHS = 150
PERIOD = 5
LAST_ERROR = 0.005
SLOW_ERROR = 0.145
"""Error that goes with the learning rate."""
FAST_ERROR = 0.40
"""Error of epoch 5 that is gone soon."""
FAST_EPOCHS = 8.0
DIFFICULTY = 0.6
SIMILAR = (3, 6)
DECAY = 0.6
BACKGROUND = 0.1
WAVERING = 0.25


def main(
    out: Annotated[Path, typer.Option(help="The npz file to write.")] = TRACE,
    seed: Annotated[int, typer.Option(help="Of all randomness.")] = 0,
) -> None:
    """Write the counts of every round."""
    np.savez_compressed(out, counts=make_trace(seed))


def make_trace(seed: int) -> Int[np.ndarray, "r y y"]:
    """Return counts before each round; ``[r, m, n]`` is clips of class ``m`` taken for ``n``."""
    random = np.random.default_rng(seed)
    difficulty = random.lognormal(0.0, DIFFICULTY, CLASSES)
    difficulty /= difficulty.mean()
    similar = similarity(random)
    rounds = [
        draw(random, np.clip(error(epoch) * difficulty, 0.0, 0.95), similar)
        for epoch in range(PERIOD, EPOCHS, PERIOD)
    ]
    return np.stack(rounds).astype(np.int16)


def error(epoch: int) -> float:
    """Return the share of clips that are mistaken in an epoch."""
    slow = (1 + np.cos(np.pi * epoch / EPOCHS)) / 2
    fast = np.exp((PERIOD - epoch) / FAST_EPOCHS)
    return float(LAST_ERROR + SLOW_ERROR * slow + FAST_ERROR * fast)


def similarity(random: np.random.Generator) -> Float[np.ndarray, "y y"]:
    """Return how a class's mistakes are shared out among the others."""
    shares = np.full((CLASSES, CLASSES), BACKGROUND / (CLASSES - 1))
    for label in range(CLASSES):
        others = np.delete(np.arange(CLASSES), label)
        rivals = random.choice(others, random.integers(SIMILAR[0], SIMILAR[1] + 1), replace=False)
        weights = DECAY ** np.arange(len(rivals))
        shares[label, rivals] += (1 - BACKGROUND) * weights / weights.sum()
    np.fill_diagonal(shares, 0.0)
    return shares


def draw(
    random: np.random.Generator,
    errors: Float[np.ndarray, " y"],
    similar: Float[np.ndarray, "y y"],
) -> Int[np.ndarray, "y y"]:
    """Return one epoch's counts."""
    wavering = similar * random.lognormal(0.0, WAVERING, similar.shape)
    shares = errors[:, None] * wavering / wavering.sum(axis=1, keepdims=True)
    shares[np.diag_indices(CLASSES)] = 1 - errors
    sizes = np.full(CLASSES, CLIPS // CLASSES) + (np.arange(CLASSES) < CLIPS % CLASSES)
    return random.multinomial(sizes, shares)


if __name__ == "__main__":
    typer.run(main)
