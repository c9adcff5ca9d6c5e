"""Controls of a study: guidance of the same form whose content is another's, or nobody's.

What remains of a gain when every class is given the guidance of another class, or a code that was
drawn at random, is not due to what the guidance says.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.agents.settings import GuidanceControl
from skeletonagent.core.claims import Claim


def another_class(num_classes: int) -> Int[Tensor, " y"]:
    """Return the class whose guidance each class is given: the one half the classes further on.

    Neighbouring classes are often alike.
    """
    return torch.arange(num_classes).roll(num_classes // 2)


def controlled_joints(
    salient: Float[Tensor, "y v"], control: GuidanceControl, seed: int
) -> Float[Tensor, "y v"]:
    """Return salient joints of each class: its own, another's, or as many drawn at random."""
    match control:
        case GuidanceControl.NONE:
            return salient
        case GuidanceControl.SHUFFLED:
            return salient[another_class(len(salient))]
    draws = torch.rand(salient.shape, generator=torch.Generator().manual_seed(seed))
    ranks = draws.argsort(dim=1).argsort(dim=1)
    return (ranks < salient.sum(dim=1, keepdim=True)).to(salient.dtype)


def controlled_sentences(
    table: Float[Tensor, "y d"], control: GuidanceControl, seed: int
) -> Float[Tensor, "y d"]:
    """Return embedded sentences: each class's own, another's, or random ones as far apart.

    Random vectors are the sentences turned by a random rotation, which leaves all products of two
    of them as they are.
    """
    match control:
        case GuidanceControl.NONE:
            return table
        case GuidanceControl.SHUFFLED:
            return table[another_class(len(table))]
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(table.shape[1], table.shape[1], generator=generator)
    rotated: Tensor = table @ torch.linalg.qr(directions).Q
    return rotated


def controlled_claims(
    claims: Sequence[Sequence[Claim]], control: GuidanceControl, seed: int
) -> tuple[tuple[Claim, ...], ...]:
    """Return claims about each class: its own, another's, or as many drawn from those of all.

    A claim that is drawn says more or less as chance will have it.
    """
    match control:
        case GuidanceControl.NONE:
            return tuple(map(tuple, claims))
        case GuidanceControl.SHUFFLED:
            return tuple(tuple(claims[i]) for i in another_class(len(claims)).tolist())
    generator = torch.Generator().manual_seed(seed)
    about = dict.fromkeys((c.part, c.side, c.feature) for of_class in claims for c in of_class)
    subjects = list(about)
    drawn = []
    for of_class in claims:
        places = torch.randperm(len(subjects), generator=generator)[: len(of_class)].tolist()
        signs = torch.randint(2, (len(places),), generator=generator).tolist()
        chosen = (subjects[place] for place in places)
        drawn.append(
            tuple(
                Claim(part, side, feature, more=bool(sign))
                for (part, side, feature), sign in zip(chosen, signs, strict=True)
            )
        )
    return tuple(drawn)
