"""Names of the six streams."""

from __future__ import annotations

import pytest

from skeletonagent.core.streams import Stream


def test_short_names_in_the_papers_order() -> None:
    assert [stream.short for stream in Stream] == ["j", "b", "k", "jm", "bm", "km"]


def test_motion_and_base() -> None:
    assert [stream for stream in Stream if stream.is_motion] == list(Stream)[3:]
    assert [stream.base for stream in Stream] == [*Stream][:3] * 2


@pytest.mark.parametrize("stream", Stream)
def test_full_and_short_names_are_read(stream: Stream) -> None:
    assert Stream.parse(stream.value) is Stream.parse(stream.short) is stream


@pytest.mark.parametrize("name", ["", "m", "Joint", "bones"])
def test_other_names_are_refused_and_the_known_ones_listed(name: str) -> None:
    with pytest.raises(ValueError, match=r"kbone_motion \(km\)"):
        Stream.parse(name)
