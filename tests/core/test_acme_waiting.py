"""What is said of a certificate that is waited for."""

from __future__ import annotations

import pytest

from gateway.core.acme_waiting import Waiting, duration


def test_words() -> None:
    assert Waiting(100.0).words(103.4) == "waited for since 3 s"
    assert Waiting(100.0, "it is ordered").words(112) == "waited for since 12 s; it is ordered"
    failed = Waiting(100.0, "it is ordered", "refused", 460.0)
    assert failed.words(400) == "waited for since 5 min; the last try failed: refused; next try in 60 s"
    assert failed.words(500).endswith("next try in 0 s")


def test_it_is_written_down() -> None:
    waiting = Waiting(1.5, "a", "b", 2.5)
    assert Waiting.loaded(waiting.dumped()) == waiting


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"since": 1, "more": 2}'])
def test_what_is_none(text: str) -> None:
    assert Waiting.loaded(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
