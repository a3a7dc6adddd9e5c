"""Times in buckets."""

from __future__ import annotations

import time

import pytest

from gateway.core import histogram
from gateway.core.zones import Words


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0, 0), (0.005, 0), (0.0054, 0), (0.006, 1), (0.01, 1), (0.2, 5), (1, 7), (10, 10), (10.1, 11),
     (1e6, 11), (-1, 0)],
)  # fmt: skip
def test_buckets(seconds: float, bucket: int) -> None:
    words = Words(bytearray(8 * (histogram.WORDS + 3)), 0, histogram.WORDS + 3)
    histogram.observe(words, 3, seconds)
    shown = histogram.show(list(words.view)[3:], [words.view], 3)
    assert [number for number, count in enumerate(shown.counts) if count] == [bucket]
    assert shown.sum_s == pytest.approx(max(0, seconds), abs=0.001)
    assert list(words.view[:3]) == [0, 0, 0]


def test_the_last_example_of_a_bucket() -> None:
    words = Words(bytearray(8 * histogram.WORDS), 0, histogram.WORDS)
    before = time.time()
    for id in (b"00000000000000010000000000000002", b"f" * 32, None, b"short"):
        histogram.observe(words, 0, 0.3, id)
    shown = histogram.show(list(words.view), [words.view], 0)
    (example,) = [each for each in shown.examples if each is not None]
    assert (example.id, example.seconds) == ("f" * 32, 0.3)
    assert before - 0.01 <= example.at <= time.time()
    assert shown.counts[6] == 4


def test_the_last_example_of_all_rows() -> None:
    rows = [Words(bytearray(8 * histogram.WORDS), 0, histogram.WORDS) for _ in range(3)]
    for number, row in enumerate(rows[:2], 1):
        histogram.observe(row, 0, 0.3, b"%032x" % number)
        row.store(histogram.SUM + 1 + 4 * 6 + 3, 10 * number)
    histogram.observe(rows[0], 0, 20, b"%032x" % 9)
    shown = histogram.show([0] * histogram.WORDS, [row.view for row in rows], 0)
    found = {number: each.id for number, each in enumerate(shown.examples) if each is not None}
    assert found == {6: f"{2:032x}", 11: f"{9:032x}"}
    for row in rows:
        histogram.forget(row, 0)
    assert not any(histogram.show([0] * histogram.WORDS, [row.view for row in rows], 0).examples)
    assert rows[0].load(6) == 1
