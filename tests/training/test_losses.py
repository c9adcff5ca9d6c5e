"""The losses against the paper's equations read literally, and what they must do at the ends."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skeletonagent.models.recognizer import Prediction
from skeletonagent.training.losses import (
    GuidanceTensors,
    Losses,
    SkeletonAgentLoss,
    alignment_loss,
    alignment_targets,
    balanced_class_weights,
)
from skeletonagent.training.settings import (
    AlignTargets,
    ClassWeighting,
    LogitScale,
    LossSettings,
)

CLASSES, WIDTH = 5, 7

labels_of_batches = st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=6)
seeds = st.integers(0, 9999)


def random_prediction(n: int, seed: int = 0) -> Prediction:
    generator = torch.Generator().manual_seed(seed)
    return Prediction(
        logits=torch.randn(n, CLASSES, generator=generator),
        joint_logits=torch.randn(n, CLASSES, generator=generator),
        embedding=3 * torch.randn(n, WIDTH, generator=generator),
    )


def random_texts(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(1000 + seed)
    return F.normalize(torch.randn(CLASSES, WIDTH, generator=generator), dim=1)


def guidance_of(texts: Tensor) -> GuidanceTensors:
    return GuidanceTensors(torch.ones(CLASSES, 1), texts)


def losses_of(prediction: Prediction, labels: list[int], texts: Tensor, **arguments: Any) -> Losses:
    loss = SkeletonAgentLoss(**arguments)
    return loss(prediction, torch.tensor(labels), guidance_of(texts))


def values_of(losses: Losses) -> Tensor:
    return torch.stack([losses.cls, losses.con, losses.align, losses.total])


def literal_alignment(skeletons: Tensor, texts: Tensor, labels: list[int], tau: float) -> float:
    """Return eqs. 6 to 8 clip by clip; ``texts`` has the sentence of each clip of the batch."""

    def cosine(a: Tensor, b: Tensor) -> float:
        return float(a @ b) / (float(a.norm()) * float(b.norm()))

    def divergence(anchors: Tensor, others: Tensor) -> float:
        total = 0.0
        for i, anchor in enumerate(anchors):
            weights = [math.exp(cosine(anchor, other) / tau) for other in others]
            positives = [j for j in range(len(labels)) if labels[j] == labels[i]]
            for j in positives:
                p, q = weights[j] / sum(weights), 1 / len(positives)
                total += q * math.log(q / p)
        return total / len(labels)

    return (divergence(skeletons, texts) + divergence(texts, skeletons)) / 2


@given(labels=labels_of_batches, seed=seeds, tau=st.floats(0.05, 2))
def test_alignment_equals_the_papers_equations(labels: list[int], seed: int, tau: float) -> None:
    prediction, texts = random_prediction(len(labels), seed), random_texts(seed)
    expected = literal_alignment(prediction.embedding, texts[labels], labels, tau)
    align = losses_of(prediction, labels, texts, temperature=tau).align
    assert float(align) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@given(labels=labels_of_batches)
def test_targets_are_shared_among_the_clips_of_a_class(labels: list[int]) -> None:
    q = alignment_targets(torch.tensor(labels))
    for i, own in enumerate(labels):
        for j, other in enumerate(labels):
            expected = 1 / labels.count(own) if own == other else 0.0
            assert float(q[i, j]) == pytest.approx(expected)
    torch.testing.assert_close(q, q.T)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0, 0, 1, 2], [4, 4, 4], [2]])
def test_embeddings_that_tell_nothing_apart_are_at_chance(labels: list[int]) -> None:
    """All similarities are equal: the divergence of a share of positives from 1 / n."""
    n = len(labels)
    prediction = random_prediction(n)._replace(embedding=torch.ones(n, WIDTH))
    texts = F.normalize(torch.ones(CLASSES, WIDTH), dim=1)
    chance = sum(math.log(n / labels.count(own)) for own in labels) / n
    assert float(losses_of(prediction, labels, texts).align) == pytest.approx(chance, abs=1e-5)


def test_one_positive_each_at_chance_is_the_logarithm_of_the_batch() -> None:
    loss = alignment_loss(torch.full((16, 16), 0.3), torch.eye(16))
    assert float(loss) == pytest.approx(math.log(16), rel=1e-5)


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 1, 0, 0], [3, 3]])
def test_embeddings_that_are_their_sentences_cost_nothing(labels: list[int]) -> None:
    texts = torch.eye(CLASSES, WIDTH)
    prediction = random_prediction(len(labels))._replace(embedding=5 * texts[labels])
    assert float(losses_of(prediction, labels, texts, temperature=0.02).align) < 1e-5


@given(labels=labels_of_batches, seed=seeds)
def test_losses_depend_neither_on_order_nor_on_the_length_of_embeddings(
    labels: list[int], seed: int
) -> None:
    prediction, texts = random_prediction(len(labels), seed), random_texts(seed)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    stretched = prediction._replace(
        embedding=prediction.embedding * torch.linspace(0.5, 9, len(labels))[:, None]
    )
    shuffled = Prediction(*(part[order] for part in stretched))
    before = losses_of(prediction, labels, texts)
    after = losses_of(shuffled, [labels[i] for i in order.tolist()], texts)
    torch.testing.assert_close(values_of(after), values_of(before), atol=1e-5, rtol=1e-5)
    assert float(before.align) >= -1e-6


def literal_cross_entropy(logits: Tensor, labels: list[int], smoothing: float = 0.0) -> float:
    total = 0.0
    for row, label in zip(logits.tolist(), labels, strict=True):
        normaliser = math.log(sum(math.exp(value) for value in row))
        for y, value in enumerate(row):
            target = smoothing / len(row) + (1 - smoothing) * (y == label)
            total -= target * (value - normaliser)
    return total / len(labels)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_class_and_constraint_are_cross_entropies(smoothing: float) -> None:
    labels = [3, 0, 0, 4]
    prediction = random_prediction(4)
    losses = losses_of(prediction, labels, random_texts(), label_smoothing=smoothing)
    expected = literal_cross_entropy(prediction.logits, labels, smoothing)
    assert float(losses.cls) == pytest.approx(expected, rel=1e-5)
    expected = literal_cross_entropy(prediction.joint_logits, labels)
    assert float(losses.con) == pytest.approx(expected, rel=1e-5)


@given(alpha=st.floats(0, 2), beta=st.floats(0, 2), seed=seeds)
def test_the_total_is_weighted(alpha: float, beta: float, seed: int) -> None:
    losses = losses_of(
        random_prediction(4, seed), [0, 1, 1, 4], random_texts(seed), alpha=alpha, beta=beta
    )
    expected = float(losses.cls) + alpha * float(losses.con) + beta * float(losses.align)
    assert float(losses.total) == pytest.approx(expected, rel=1e-5)


def test_the_default_weights_are_the_papers() -> None:
    settings = LossSettings()
    assert (settings.alpha, settings.beta, settings.temperature) == (0.2, 0.5, 0.1)


def test_the_defaults_are_those_of_the_settings() -> None:
    defaults = vars(SkeletonAgentLoss())
    for settings, arguments in [
        (LossSettings(), {}),
                (LossSettings(0.3, 0.4, 0.5, 0.1, AlignTargets.SOFTMAX, mixup=0.2),
         dict(zip(("alpha", "beta", "temperature", "label_smoothing", "align_targets", "mixup"),
                  (0.3, 0.4, 0.5, 0.1, "softmax", 0.2), strict=True))),
    ]:  # fmt: skip
        made = vars(SkeletonAgentLoss.from_settings(settings))
        own = {name: value for name, value in made.items() if not name.startswith("_")}
        assert own == {name: arguments.get(name, defaults[name]) for name in own}
    learned = SkeletonAgentLoss.from_settings(LossSettings(logit_scale=LogitScale.LEARNED))
    assert learned.logit_scale is not None


@pytest.mark.parametrize("argument", ["align_targets", "logit_scale"])
def test_unknown_choices_are_refused(argument: str) -> None:
    with pytest.raises(ValueError, match="odd"):
        SkeletonAgentLoss(**{argument: "odd"})


def test_without_guidance_the_loss_is_the_cross_entropy() -> None:
    prediction, labels = random_prediction(4), [2, 0, 2, 1]
    losses = losses_of(prediction, labels, random_texts(), alpha=0.0, beta=0.0)
    expected = F.cross_entropy(prediction.logits, torch.tensor(labels))
    torch.testing.assert_close(losses.total, expected, atol=0, rtol=0)


def gradients(alpha: float, beta: float) -> tuple[Prediction, Prediction]:
    prediction = Prediction(*(part.requires_grad_() for part in random_prediction(4)))
    losses_of(prediction, [0, 1, 1, 4], random_texts(), alpha=alpha, beta=beta).total.backward()
    return prediction, Prediction(*(part.grad for part in prediction))


def test_every_head_learns_from_its_own_loss() -> None:
    for alpha, beta in [(0.2, 0.5), (0.0, 0.5), (0.2, 0.0)]:
        _, grads = gradients(alpha, beta)
        assert grads.logits.any(dim=1).all()
        assert grads.joint_logits.any(dim=1).all() == (alpha > 0)
        assert grads.embedding.any(dim=1).all() == (beta > 0)


def test_an_embedding_is_turned_and_not_stretched() -> None:
    prediction, grads = gradients(0.2, 0.5)
    along = (prediction.embedding * grads.embedding).sum(dim=1)
    torch.testing.assert_close(along, torch.zeros(4), atol=1e-6, rtol=0)


def test_learning_alignment_brings_clips_to_their_sentences() -> None:
    labels, texts = [0, 1, 1, 4, 2, 3], random_texts()
    embedding = torch.nn.Parameter(random_prediction(6).embedding)
    optimizer = torch.optim.Adam([embedding], lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        losses_of(
            random_prediction(6)._replace(embedding=embedding), labels, texts
        ).align.backward()
        optimizer.step()
    nearest = (F.normalize(embedding, dim=1) @ texts.T).argmax(dim=1)
    assert nearest.tolist() == labels


def test_half_precision_embeddings_are_compared_in_single() -> None:
    prediction = random_prediction(4)
    prediction = prediction._replace(embedding=prediction.embedding.bfloat16())
    losses = losses_of(prediction, [0, 1, 1, 4], random_texts())
    expected = literal_alignment(
        prediction.embedding.float(), random_texts()[[0, 1, 1, 4]], [0, 1, 1, 4], 0.1
    )
    assert losses.align.dtype == torch.float32
    assert float(losses.align) == pytest.approx(expected, rel=1e-4)


@given(labels=labels_of_batches)
def test_released_targets_leave_the_others_a_little(labels: list[int]) -> None:
    q = alignment_targets(torch.tensor(labels), AlignTargets.SOFTMAX)
    for i, own in enumerate(labels):
        weights = [math.exp(10 if own == other else 0) for other in labels]
        for j, weight in enumerate(weights):
            assert float(q[i, j]) == pytest.approx(weight / sum(weights), rel=1e-4)


def test_released_targets_by_hand() -> None:
    """Source: spec 2.3."""
    one = alignment_targets(torch.arange(16), AlignTargets.SOFTMAX)
    assert float(one[0, 0]) == pytest.approx(0.99932, abs=1e-5)
    assert float(one[0, 1]) == pytest.approx(4.5e-5, abs=1e-6)
    two = alignment_targets(torch.arange(64) // 2, AlignTargets.SOFTMAX)
    assert float(two[0, 1]) == pytest.approx(0.4993, abs=1e-4)
    chance = alignment_loss(torch.zeros(16, 16), one)
    assert float(chance) == pytest.approx(2.765, abs=1e-3)


@given(seed=seeds, scale=st.floats(0.1, 20))
def test_a_learned_scale_multiplies_where_a_temperature_divides(seed: int, scale: float) -> None:
    prediction, texts, labels = random_prediction(4, seed), random_texts(seed), [0, 1, 1, 4]
    loss = SkeletonAgentLoss(logit_scale=LogitScale.LEARNED)
    with torch.no_grad():
        assert loss.logit_scale is not None
        loss.logit_scale.fill_(scale)
    learned = loss(prediction, torch.tensor(labels), guidance_of(texts))
    fixed = losses_of(prediction, labels, texts, temperature=1 / scale)
    torch.testing.assert_close(learned.align, fixed.align, rtol=1e-4, atol=1e-5)


def test_a_scale_is_learned_only_if_asked_for() -> None:
    assert not list(SkeletonAgentLoss().parameters())
    assert not SkeletonAgentLoss().state_dict()
    loss = SkeletonAgentLoss(logit_scale="learned")
    (scale,) = loss.parameters()
    assert scale.item() == pytest.approx(2.659)
    labels = torch.tensor([0, 1, 1, 4])
    loss(random_prediction(4), labels, guidance_of(random_texts())).total.backward()
    assert scale.grad is not None and scale.grad != 0
    assert list(loss.state_dict()) == ["logit_scale"]


@given(seed=seeds, weight=st.floats(0, 3))
def test_a_mixed_copy_adds_its_soft_cross_entropy_to_the_total_alone(
    seed: int, weight: float
) -> None:
    labels, guidance = torch.tensor([0, 1, 1, 4]), guidance_of(random_texts(seed))
    loss = SkeletonAgentLoss(mixup=weight)
    clean = loss(random_prediction(4, seed), labels, guidance)
    logits = random_prediction(4, seed + 1).logits
    targets = random_prediction(4, seed + 2).logits.softmax(dim=1)
    both = loss.add_mixup(clean, logits, targets)
    soft = 0.0
    for row, target in zip(logits.tolist(), targets.tolist(), strict=True):
        normaliser = math.log(sum(math.exp(value) for value in row))
        soft -= sum(q * (v - normaliser) for q, v in zip(target, row, strict=True)) / 4
    assert float(both.total) == pytest.approx(float(clean.total) + weight * soft, rel=1e-4)
    assert (both.cls, both.con, both.align) == (clean.cls, clean.con, clean.align)


def test_balanced_classes_count_alike() -> None:
    """Each clip weighs in inverse proportion to the clips of its class, one on average."""
    generator = torch.Generator().manual_seed(4)
    train = torch.tensor([0] * 6 + [1] * 3 + [3] * 1)  # no clip of class 2
    weights = balanced_class_weights(train, 4)
    assert weights.tolist() == pytest.approx([10 / 18, 10 / 9, 0, 10 / 3])
    assert float(weights[train].mean()) == pytest.approx(1)
    labels = torch.tensor([0, 0, 1, 3, 0])
    prediction = Prediction(
        torch.randn(5, 4, generator=generator),
        torch.randn(5, 4, generator=generator),
        torch.randn(5, 3, generator=generator),
    )
    guidance = GuidanceTensors(torch.ones(4, 2), torch.eye(4, 3))
    arguments = {"label_smoothing": 0.2, "alpha": 0.3, "beta": 0.6}
    got = SkeletonAgentLoss(**arguments, class_weights=weights)(prediction, labels, guidance)
    plain = SkeletonAgentLoss(**arguments)(prediction, labels, guidance)
    cls = con = 0.0
    for logits, joint_logits, label in zip(
        prediction.logits, prediction.joint_logits, labels, strict=True
    ):
        target = [0.05 + 0.8 * (n == label) for n in range(4)]
        chances = logits.double().exp() / logits.double().exp().sum()
        joint_chances = joint_logits.double().exp() / joint_logits.double().exp().sum()
        weight = float(weights[label])
        cls -= (
            weight * sum(float(t) * math.log(p) for t, p in zip(target, chances, strict=True)) / 5
        )
        con -= weight * math.log(joint_chances[label]) / 5
    assert float(got.cls) == pytest.approx(cls, rel=1e-5)
    assert float(got.con) == pytest.approx(con, rel=1e-5)
    assert got.align == plain.align
    assert float(got.total) == pytest.approx(cls + 0.3 * con + 0.6 * float(got.align), rel=1e-5)


def test_balanced_weights_come_from_the_training_set_and_leave_no_trace() -> None:
    settings = LossSettings(class_weights=ClassWeighting.BALANCED)
    loss = SkeletonAgentLoss.from_settings(settings, torch.tensor([0, 1, 1, 1]), 2)
    assert loss.class_weights.tolist() == pytest.approx([2, 2 / 3])
    assert not loss.state_dict()
    with pytest.raises(ValueError, match="need the classes of the training set"):
        SkeletonAgentLoss.from_settings(settings)
    plain = SkeletonAgentLoss.from_settings(LossSettings(), torch.tensor([0, 1, 1, 1]), 2)
    assert plain.class_weights is None
