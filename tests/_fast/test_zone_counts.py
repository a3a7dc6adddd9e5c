"""zone_counts: what a status_zone counts, beside its words."""

from __future__ import annotations

import pytest

from gateway._fast.zone_counts import ZoneCounts, nonzero, sums
from gateway._fast.zones import Words

TIMES, SUM = 5, 2
CODES = 8
COUNT = CODES + 500


def made() -> tuple[Words, ZoneCounts]:
    words = Words(bytearray(8 * COUNT), 0, COUNT)
    return words, ZoneCounts(words, CODES, TIMES, SUM)


def test_requests() -> None:
    words, counts = made()
    counts.begins()
    counts.begins()
    counts.leaves()
    counts.ended(200, 10, 100, 3)
    counts.ended(404, 1, 2, 4)
    counts.ended(599, 1, 2, -1)
    assert [words.load(index) for index in range(5)] == [1, 3, 0, 12, 104]
    assert [words.load(CODES + status - 100) for status in (200, 404, 599, 201)] == [1, 1, 1, 0]
    assert (words.load(TIMES), words.load(TIMES + SUM)) == (2, 7)


@pytest.mark.parametrize("status", [0, 99, 600, -1])
def test_a_status_that_is_none(status: int) -> None:
    words, counts = made()
    counts.ended(status, 5, 7, 0)
    assert [words.load(index) for index in range(5)] == [0, 1, 1, 5, 0]
    assert sum(words.load(index) for index in range(CODES, COUNT)) == 0


def test_histograms() -> None:
    words, counts = made()
    counts.took(5, 6, 30)
    counts.took(5, 6, 12)
    assert (words.load(5), words.load(6)) == (2, 42)
    with pytest.raises(IndexError):
        counts.took(COUNT, 6, 1)


def test_too_few_words() -> None:
    with pytest.raises(IndexError):
        ZoneCounts(Words(bytearray(8 * 20), 0, 20), CODES, TIMES, SUM)


def test_sums() -> None:
    rows = [Words(bytearray(8 * 6), 0, 6) for _ in range(3)]
    for number, row in enumerate(rows):
        row.store(2, 1)
        row.store(3, number - 1)
        row.store(5, -number)
    assert sums(rows, 0, 6) == [0, 0, 3, 0, 0, -3]
    assert sums(rows[1:], 2, 4) == [2, 1]
    assert nonzero(rows, 1, 6) == {1: 3, 4: -3}
    assert (sums([], 0, 2), nonzero([], 0, 2)) == ([0, 0], {})
    with pytest.raises(IndexError):
        sums(rows, 0, 7)
    with pytest.raises(TypeError):
        nonzero([1], 0, 1)  # type: ignore[list-item]
