"""Claims about classes, and how far they count beside what training samples say."""

from __future__ import annotations

import numpy as np
import torch
from tests.small_run import CLASSES, samples

from skeletonagent.agents.evidence.claim_prior import ClaimPrior
from skeletonagent.agents.evidence.motion_features import measure_motion
from skeletonagent.core.claims import parse_claims
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.experiments.described_classes import claims_of_classes
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.experiments.kernel_ridge_fit import solve_kernel_ridge
from skeletonagent.llm.class_notes import bundled_class_notes


def test_claims_are_those_of_the_notes_with_most_of_the_classes() -> None:
    names = [notes.action for notes in bundled_class_notes("nw_ucla").classes]
    claims = claims_of_classes(["No such action", *names, "Sit_Down"])
    assert claims[0] == ()
    for found, notes in zip(claims[1:], bundled_class_notes("nw_ucla").classes, strict=False):
        assert found == parse_claims(notes.claims)
        assert found
    assert claims[-1] == claims[1 + names.index("sit down")]


def test_claims_of_whoever_was_asked_come_first() -> None:
    own = parse_claims(["head speed more", "hand speed less"])
    rival = parse_claims(["foot speed more"], rival="throw")
    guidance = Guidance(
        COCO_17,
        (
            ClassGuidance("throw", (), "", claims=own + rival),
            ClassGuidance("sit down", (), "", claims=rival),
        ),
    )
    asked = claims_of_classes(["throw", "sit down"], guidance)
    assert asked == (own, claims_of_classes(["sit down"])[0])


def test_the_weight_of_a_prior_is_that_of_the_least_loss_of_left_out_samples() -> None:
    rng = np.random.default_rng(5)
    points = rng.normal(size=(15, 4))
    kernel = torch.from_numpy(points @ points.T + np.eye(15))
    labels = torch.arange(15) % 3
    targets = 2.0 * torch.nn.functional.one_hot(labels, 3).double() - 1
    groups = list(torch.arange(15).split(5))
    plain = solve_kernel_ridge(kernel, targets, groups)
    right = 3 * targets + torch.from_numpy(rng.normal(size=(15, 3)))
    for prior, expected in ((right, 1.0), (-right, 0.0)):
        fit = solve_kernel_ridge(kernel, targets, groups, prior)
        assert fit.prior_weight == expected
        assert fit.sharpness == plain.sharpness
        torch.testing.assert_close(fit.dual, plain.dual)


def test_one_sample_of_a_class_leaves_nothing_to_choose_by() -> None:
    kernel = torch.eye(3, dtype=torch.float64) + 0.5
    targets = 2.0 * torch.eye(3, dtype=torch.float64) - 1
    alone = list(torch.arange(3).split(1))
    fit = solve_kernel_ridge(kernel, targets, alone, targets)
    assert (kernel @ fit.dual).argmax(dim=1).tolist() == [0, 1, 2]
    assert fit.prior_weight == 1.0
    assert solve_kernel_ridge(kernel, targets, alone).prior_weight == 0
    wrong = solve_kernel_ridge(kernel, targets, alone, targets.roll(1, dims=0))
    assert wrong.prior_weight == 0


def test_claims_help_where_samples_are_few_and_wrong_ones_do_no_harm() -> None:
    store = Preprocessor()(ClipStore.from_sequences(samples(90), COCO_17, CLASSES))
    few, test = torch.arange(6), torch.arange(6, 90)
    measured = scores_of_everything(store)
    claims = tuple(parse_claims(lines) for lines in measured)
    wrong = (*claims[1:], claims[0])
    losses = {}
    for name, of_classes in (("none", ()), ("right", claims), ("wrong", wrong)):
        classifier = KernelRidge.fit(store, few, 0, of_classes)
        logs = classifier.log_probabilities(store.subset(test))
        losses[name] = float(torch.nn.functional.nll_loss(logs, store.labels[test]))
    assert losses["right"] < losses["none"]
    assert losses["wrong"] <= losses["none"] + 1e-6


def scores_of_everything(store: ClipStore) -> list[list[str]]:
    """Return, for each class, the three claims about it that hold best of all clips."""
    lines = [
        f"{part} {feature} {direction}"
        for part in ("right hand", "left hand", "right foot", "head")
        for feature in ("height", "speed", "vertical range")
        for direction in ("more", "less")
    ]
    features = measure_motion(store, torch.arange(len(store)))
    prior = ClaimPrior.fit(tuple(parse_claims([line]) for line in lines), store.layout, features)
    held = prior.scores(store.layout, features)
    means = [held[store.labels == label].mean(dim=0) for label in range(len(CLASSES))]
    return [
        [lines[place] for place in mean.argsort(descending=True)[:3].tolist()] for mean in means
    ]
