"""Warnings that threads collect at once: each has its own, and nothing is changed afterwards."""

from __future__ import annotations

import threading
import warnings

import pytest

from skeletonagent.core.collected_warnings import collected_warnings


def test_threads_collect_their_own_warnings_and_leave_filters_as_they_were() -> None:
    before, shown = list(warnings.filters), warnings.showwarning
    barrier, texts = threading.Barrier(8), {}

    def collect(number: int) -> None:
        for _ in range(20):
            barrier.wait()
            with collected_warnings() as found:
                warnings.warn(f"of {number}", stacklevel=1)
            texts.setdefault(number, []).extend(found)

    threads = [threading.Thread(target=collect, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {number: [f"of {number}"] * 20 for number in range(8)}
    assert (list(warnings.filters), warnings.showwarning) == (before, shown)


def test_inner_collections_take_what_is_said_in_them() -> None:
    with collected_warnings() as outer:
        warnings.warn("first", stacklevel=1)
        with collected_warnings() as inner:
            warnings.warn("second", stacklevel=1)
        warnings.warn("third", stacklevel=1)
    assert (outer, inner) == (["first", "third"], ["second"])


def test_others_still_see_warnings() -> None:
    def warn() -> None:
        warnings.warn("from elsewhere", stacklevel=1)

    def collect_beside() -> list[str]:
        with collected_warnings() as texts:
            thread = threading.Thread(target=warn)
            thread.start()
            thread.join()
        return texts

    with pytest.warns(UserWarning, match="from elsewhere"):
        texts = collect_beside()
    assert texts == []
