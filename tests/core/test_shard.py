"""Shares of the parts: each part is of one, and arrays of SLURM say which."""

from __future__ import annotations

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.shard import Shard


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_part_is_of_one_share(count: int) -> None:
    parts = [part for index in range(count) for part in Shard(index + 1, count).parts(11)]
    assert sorted(parts) == list(range(11))


def array(**values: object) -> dict[str, str]:
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


def test_a_share_is_named_or_that_of_an_array() -> None:
    assert Shard.parse("2/4") == Shard(2, 4) and str(Shard(2, 4)) == "2/4"
    assert Shard.parse("auto", array(ID=0, MIN=0, MAX=7, COUNT=8)) == Shard(1, 8)
    assert Shard.parse("auto", array(ID=8, MIN=1, MAX=8, COUNT=8)) == Shard(8, 8)
    stepped = array(ID=15, MIN=10, MAX=20, COUNT=3, STEP=5)
    assert Shard.parse("auto", stepped) == Shard(2, 3)


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/0", "-1/4", "a/b", "1/4/2", ""])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--shard takes I/N"):
        Shard.parse(text)


def test_without_an_array_or_with_gaps_nothing_is_guessed() -> None:
    with pytest.raises(ConfigError, match="SLURM array"):
        Shard.parse("auto", {})
    with pytest.raises(ConfigError, match="without gaps"):
        Shard.parse("auto", array(ID=3, MIN=1, MAX=7, COUNT=3))
