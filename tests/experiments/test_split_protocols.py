"""Splits that may be averaged, and splits whose training set lacks classes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from skeletonagent.core.clips import Split
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments.split_protocols import is_one_protocol, missing_classes_remarks


@pytest.mark.parametrize(
    ("names", "one"),
    [
        (["fold1", "fold2", "fold10"], True),
        (["split1", "split2", "split3"], True),
        (["subjects-1-of-3", "subjects-2-of-3"], True),
        (["xsub", "xview"], False),
        (["csv1", "csv2"], False),
        (["fold1", "split1"], False),
        (["main"], True),
    ],
)
def test_folds_share_a_name_and_protocols_do_not(names: list[str], one: bool) -> None:
    assert is_one_protocol({name: {"a", name} for name in names}) is one


def test_test_sets_that_share_no_sample_are_folds() -> None:
    assert is_one_protocol({"north": {"a"}, "south": {"b", "c"}})


def test_classes_that_a_split_does_not_train_are_said() -> None:
    data = synthetic_dataset(clips_per_class=2, subjects=2)
    labels, ids = data.store.labels, data.store.sample_ids
    few = tuple(ids[n] for n in torch.nonzero(labels < 8).flatten().tolist())
    data = replace(data, splits={"all": Split(ids, ids), "few": Split(few, few)})
    (remark,) = missing_classes_remarks(data, ["all", "few"])
    classes = data.store.num_classes
    assert f"'few' trains 8 of the {classes} classes" in remark
    assert f"{classes - 8} outputs that are never right" in remark
