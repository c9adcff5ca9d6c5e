"""The literal step against the program's, and against numbers counted in the released code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from benchmarks.generated import LookupEncoder, generated, guidance_of
from benchmarks.measuring import flops_of
from benchmarks.program import experiment_of, paper_config
from tests.reference.agreement import agreement, move_zeros
from tests.reference.recognizer import LiteralRecognizer, as_literal, literal_recognizer
from tests.reference.train_step import TextFiles, alignment, count_confusions, label_matrix

from skeletonagent.experiments.config import Config
from skeletonagent.training.losses import alignment_loss, alignment_targets

CLASSES = 5


def tiny(precision: str = "32", clips: int = 4, frames: int = 8) -> Config:
    return paper_config("cpu", precision, clips_in_batch=clips, frames=frames, small=True)


def test_the_full_size_is_that_of_the_released_recognizer() -> None:
    """Source of both numbers: spec 1.5, NTU60; the learned scale is one parameter more."""
    with torch.device("meta"):
        model = LiteralRecognizer(25, 3, persons=2, classes=60, text_dim=512, width=96)
        clip, k = torch.zeros(1, 2, 100, 25, 3), torch.zeros(60, 25, 25)
    assert sum(p.numel() for p in model.parameters()) == 3_899_767 - 1
    assert flops_of(lambda: model(clip, k)) / 1e9 == pytest.approx(14.554, abs=5e-4)


def test_losses_and_gradients_are_the_programs(tmp_path: Path) -> None:
    found = agreement(tiny(), tmp_path, CLASSES)
    assert set(found.losses) == {"cls", "con", "align", "total"}
    assert found.relative < 1e-4
    assert found.gradients < 3e-2  # some rectifiers and maxima switch sides in single precision


def test_losses_are_the_programs_in_bfloat16(tmp_path: Path) -> None:
    found = agreement(tiny("bf16", clips=16, frames=32), tmp_path, CLASSES)
    assert found.relative < 1e-2


def test_blocks_and_their_gradients_are_the_programs_to_the_last_digits() -> None:
    experiment = experiment_of(tiny(), generated(3 * CLASSES, classes=CLASSES))
    recognizer = experiment.state.recognizer
    move_zeros(recognizer)
    literal = literal_recognizer(recognizer, experiment.data.store)
    ours, theirs = recognizer.backbone.blocks.double(), literal.blocks.double()
    bodies = torch.randn(3, 16, 8, 25, dtype=torch.double)
    found, expected = ours(bodies), theirs(bodies)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(found)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    mapped = as_literal({f"blocks.{n}": p.grad for n, p in ours.named_parameters()}, literal)
    wanted = {f"blocks.{n}": p.grad for n, p in theirs.named_parameters()}
    assert mapped.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(mapped[name], gradient, msg=name)
    moved = [gradient for name, gradient in wanted.items() if "source" in name]
    assert all(gradient.abs().max() > 1e-6 for gradient in moved if gradient.ndim > 1)


def test_the_alignment_is_the_programs() -> None:
    labels = torch.tensor([0, 2, 0, 1, 2, 0])
    embedding = torch.randn(6, 12)
    texts = torch.nn.functional.normalize(torch.randn(3, 12))[labels]
    targets = label_matrix(labels)
    torch.testing.assert_close(targets, alignment_targets(labels))
    cosine = torch.nn.functional.normalize(embedding) @ texts.T
    torch.testing.assert_close(
        alignment(embedding, texts, targets, 0.1), alignment_loss(cosine / 0.1, targets)
    )


def test_confusions_are_counted_as_the_released_code_counts() -> None:
    """Source: spec 2.3, row Eq. 3, where this batch was counted by that code."""
    counts = torch.zeros(8, 8, dtype=torch.long)
    count_confusions(counts, torch.tensor([3, 3, 3, 7]), torch.tensor([3, 3, 3, 3]))
    assert counts[7, 3] == 1
    assert counts[3, 7] == 3
    assert counts[3, 3] == 3
    assert counts.sum() == 7


def test_texts_read_from_disk_are_the_tables_rows(tmp_path: Path) -> None:
    sentences = guidance_of(generated(3 * CLASSES, classes=CLASSES)).sentences
    encoder, labels = LookupEncoder(), torch.tensor([4, 0, 4])
    table = encoder.encode(sentences)
    files = TextFiles.written(tmp_path, sentences, encoder)
    torch.testing.assert_close(files.of_batch(labels), table[labels])
    assert (table[0] - table[1]).norm() > 0.1
    (tmp_path / files.names[4]).write_text("other words\n" * 6)
    assert (files.of_batch(labels)[0] - table[4]).norm() > 0.1
