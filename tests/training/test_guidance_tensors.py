"""What the losses take of the guidance."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.training.emphasis import JointWeights, Schedule
from skeletonagent.training.guidance_tensors import GuidanceTensors, centred, rivalry
from skeletonagent.training.settings import LossSettings

ARM = SkeletonLayout("arm", ("chest", "shoulder", "elbow", "hand"), ((1, 0), (2, 1), (3, 2)))
GUIDANCE = Guidance(
    ARM,
    (
        ClassGuidance("lift", (1, 2), "up", rivals=("rest", "swing")),
        ClassGuidance("swing", (3,), "round", rivals=("swing", "lift")),
        ClassGuidance("rest", (), "still"),
    ),
)
TABLE = torch.nn.functional.normalize(torch.tensor([[1.0, 2.0], [1.0, 3.0], [1.0, 0.0]]), dim=1)


def embedded(sentences: Sequence[str]) -> Tensor:
    assert sentences == ("up", "round", "still")
    return TABLE


def test_the_paper_takes_all_as_it_is() -> None:
    signals = GuidanceTensors.of(GUIDANCE, Stream.JOINT, embedded, torch.device("cpu"))
    assert torch.equal(signals.salient, GUIDANCE.salient().float())
    assert torch.equal(signals.text_table, TABLE)
    assert torch.equal(signals.rivals, rivalry(GUIDANCE))
    assert signals.weight.tolist() == 1.0


def test_a_schedule_changes_the_weight_alone() -> None:
    signals = GuidanceTensors.of(GUIDANCE, Stream.JOINT, embedded, torch.device("cpu"))
    later = signals.at(0.25, Schedule.FADING)
    assert later.weight.tolist() == 1.5
    assert all(map(torch.equal, later.tensors[:-1], signals.tensors[:-1]))
    again = GuidanceTensors(*later.tensors)
    assert all(map(torch.equal, again.tensors, later.tensors))


def test_settings_weight_the_joints_and_centre_the_sentences() -> None:
    settings = LossSettings(centred=True, joints=JointWeights.MEAN)
    signals = GuidanceTensors.of(GUIDANCE, Stream.BONE, embedded, torch.device("cpu"), settings)
    assert signals.salient.sum(dim=1).tolist() == pytest.approx([1, 1, 1])
    assert torch.equal(signals.salient > 0, GUIDANCE.salient(Stream.BONE))
    assert torch.equal(signals.text_table, centred(TABLE))


def test_swapped_guidance_is_that_of_another_class() -> None:
    device = torch.device("cpu")
    told = GuidanceTensors.of(GUIDANCE, Stream.JOINT, embedded, device)
    settings = LossSettings(shuffle_guidance=True)
    swapped = GuidanceTensors.of(GUIDANCE, Stream.JOINT, embedded, device, settings)
    others = [2, 0, 1]
    assert torch.equal(swapped.salient, told.salient[others])
    assert torch.equal(swapped.text_table, told.text_table[others])
    assert torch.equal(swapped.rivals, told.rivals)


def test_nobody_is_a_rival_of_itself() -> None:
    told = {(0, 2), (0, 1), (1, 0)}
    expected = [[(row, column) in told for column in range(3)] for row in range(3)]
    assert rivalry(GUIDANCE).tolist() == expected


@given(y=st.integers(1, 6), seed=st.integers(0, 99), common=st.floats(-5, 5))
def test_what_sentences_have_in_common_is_taken_out(y: int, seed: int, common: float) -> None:
    table = torch.randn(y, 3, generator=torch.Generator().manual_seed(seed))
    apart = centred(table)
    lengths = apart.norm(dim=1).tolist()
    assert lengths == pytest.approx([1.0 if y > 1 else 0.0] * y, abs=1e-4)
    torch.testing.assert_close(centred(table + common), apart, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(centred(apart + 0 * table), centred(apart))


def test_two_sentences_become_opposites_and_equal_ones_nothing() -> None:
    pair = centred(torch.tensor([[1.0, 0.1], [1.0, 0.0]]))
    torch.testing.assert_close(pair, torch.tensor([[0.0, 1.0], [0.0, -1.0]]))
    assert centred(torch.ones(3, 2)).tolist() == [[0.0, 0.0]] * 3
