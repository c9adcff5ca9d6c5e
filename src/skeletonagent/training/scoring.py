"""Scoring that the processes of a run share."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.scores import Scores
from skeletonagent.data.prefetch import ClipSource
from skeletonagent.evaluation.evaluate import score
from skeletonagent.training.learner import Learner


def score_shared(
    learner: Learner,
    source: ClipSource,
    samples: Int[Tensor, " n"],
    *,
    batch_size: int,
    clips: int | None = None,
) -> Scores:
    """Return the scores of all samples, in all processes; each scores an equal part of them.

    Args:
        learner: Whose recognizer scores: the averaged one, if an average is kept.
        source: Where the clips come from.
        samples: Which samples.
        batch_size: Clips scored at once by each process.
        clips: Clips of a sample, if not as many as the source's settings say.
    """
    engine = learner.engine
    own = samples[engine.process :: engine.processes]
    part = score(
        learner.evaluated,
        source,
        own,
        batch_size=batch_size,
        clips=clips,
        autocast=engine.autocast,
    )
    return Scores.dealt(engine.gather(part))
