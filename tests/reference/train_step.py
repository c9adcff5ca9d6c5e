"""The training step as the released code takes it, slow and literal.

Sentences are read, tokenised and embedded anew for every batch, label matrix and confusions are
filled pair by pair with a look at each value. The losses are the paper's (equations 6 to 9), so
that they and their gradients can be compared with the program's. Text goes through a lookup table
instead of a CLIP tower that learns, and there is no mixed copy of the batch: both make this step
faster than the released one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from benchmarks.generated import LookupEncoder, guidance_of
from jaxtyping import Float, Int
from tests.reference.recognizer import LiteralRecognizer, dense_k, literal_recognizer
from torch import Tensor

from skeletonagent.experiments.build import Experiment
from skeletonagent.training.losses import Losses
from skeletonagent.training.settings import LossSettings

LINES = 5
"""Of a class's file before the sentence that is used."""


@dataclass(frozen=True)
class TextFiles:
    """A file for each class, the last line of which is its sentence.

    Args:
        folder: Where they lie.
        names: Of the files, in label order.
        encoder: Embeds sentences.
    """

    folder: Path
    names: tuple[str, ...]
    encoder: LookupEncoder

    @classmethod
    def written(cls, folder: Path, sentences: Sequence[str], encoder: LookupEncoder) -> TextFiles:
        """Return files that hold these sentences, each after some others."""
        names = tuple(f"{label:03d}.txt" for label in range(len(sentences)))
        for name, sentence in zip(names, sentences, strict=True):
            (folder / name).write_text("\n".join([sentence] * (LINES + 1)), encoding="utf-8")
        return cls(folder, names, encoder)

    def of_batch(self, labels: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Return the vector of each clip's sentence; every file is read and tokenised anew."""
        tokens = []
        for name in self.names:
            sentence = (self.folder / name).read_text(encoding="utf-8").splitlines()[LINES]
            tokens.append(self.encoder.tokens(sentence))
        rows = [self.encoder.embedded(tokens[int(label.item())]) for label in labels]
        return torch.stack(rows).to(labels.device)


def label_matrix(labels: Int[Tensor, " n"]) -> Float[Tensor, "n n"]:
    """Return which clips are of the same class, pair by pair, each row summing to one (eq. 8)."""
    n = len(labels)
    same = torch.zeros(n, n, device=labels.device)
    for i in range(n):
        label = labels[i].item()
        for j in range(n):
            if labels[j].item() == label:
                same[i, j] = 1
    shares: Tensor = same / same.sum(dim=1, keepdim=True)
    return shares


def count_confusions(
    counts: Int[Tensor, "y y"], labels: Int[Tensor, " n"], predictions: Int[Tensor, " n"]
) -> None:
    """Add a batch to the statistics, pair by pair.

    Besides the counts of eq. 3, the clips of other classes that were taken for a clip's class are
    added to its row, as the released code does. Source: spec 2.3, row Eq. 3.
    """
    for i in range(len(labels)):
        label = int(labels[i].item())
        counts[label, int(predictions[i].item())] += 1
        for j in range(len(labels)):
            if predictions[j].item() == label and labels[j].item() != label:
                counts[label, int(labels[j].item())] += 1


def alignment(
    embedding: Float[Tensor, "n d"],
    texts: Float[Tensor, "n d"],
    targets: Float[Tensor, "n n"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Return the mean divergence of both directions, sum over q (log q - log p) (eqs. 6 to 8)."""
    clips = embedding.float() / embedding.float().norm(dim=1, keepdim=True)
    cosine = clips @ (texts / texts.norm(dim=1, keepdim=True)).T / temperature
    total: Tensor = cosine.new_zeros(())
    for scores in (cosine, cosine.T):
        p = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
        terms = targets * (targets.clamp(min=1e-30).log() - p.log())  # 0 log 0 is 0
        total = total + terms.sum() / len(scores) / 2
    return total


@dataclass(frozen=True)
class LiteralStep:
    """Everything the released loop does with a batch that is on the device.

    Args:
        model: What learns.
        k: The dense matrix K of all classes.
        texts: The sentences' files.
        settings: Weights of the losses.
        optimizer: Of the model's parameters.
        counts: The statistics of the confusions.
        autocast: Context in which the model runs, for lower precision.
    """

    model: LiteralRecognizer
    k: Float[Tensor, "y v v"]
    texts: TextFiles
    settings: LossSettings
    optimizer: torch.optim.Optimizer
    counts: Int[Tensor, "y y"]
    autocast: Callable[[], AbstractContextManager[object]]

    def __call__(self, clips: Float[Tensor, "n m t v c"], labels: Int[Tensor, " n"]) -> None:
        """Learn from a batch and count what it was taken for."""
        logits, losses = self.losses(clips, labels)
        self.optimizer.zero_grad()
        losses.total.backward()
        self.optimizer.step()
        count_confusions(self.counts, labels, logits.argmax(dim=1))

    def losses(
        self, clips: Float[Tensor, "n m t v c"], labels: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, "n y"], Losses]:
        """Return class scores and losses of a batch (paper eq. 9)."""
        with self.autocast():
            logits, joint_logits, embedding = self.model(clips, self.k)
        targets, texts = label_matrix(labels), self.texts.of_batch(labels)
        cls = F.cross_entropy(logits.float(), labels)
        con = F.cross_entropy(joint_logits.float(), labels)
        align = alignment(embedding, texts, targets, self.settings.temperature)
        total = cls + self.settings.alpha * con + self.settings.beta * align
        return logits.detach(), Losses(cls, con, align, total)


def literal_step(experiment: Experiment, folder: Path) -> LiteralStep:
    """Return the literal step that starts from the weights a training has at present.

    Args:
        experiment: The training.
        folder: Where the sentences' files are written.
    """
    recognizer, store, settings = (
        experiment.state.recognizer,
        experiment.data.store,
        experiment.config.training,
    )
    device, guidance = experiment.state.context.device, guidance_of(experiment.data)
    model = literal_recognizer(recognizer, store).to(device)
    return LiteralStep(
        model=model,
        k=dense_k(guidance.salient(experiment.config.clips.stream)).to(device),
        texts=TextFiles.written(folder, guidance.sentences, LookupEncoder()),
        settings=experiment.config.loss,
        optimizer=torch.optim.SGD(
            model.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=True,
        ),
        counts=torch.zeros(store.num_classes, store.num_classes, dtype=torch.long, device=device),
        autocast=experiment.state.context.autocast,
    )
