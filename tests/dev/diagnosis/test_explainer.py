"""The diagnosis at work: once a minute for each cause, few of a family, and never a failure of its own."""

from __future__ import annotations

from typing import Any

from gateway.dev.diagnosis.explainer import Explainer
from gateway.dev.diagnosis.failure import Failure, Family
from gateway.dev.diagnosis.heard import Heard


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def said(explainer: Explainer, message: bytes = b"bad x") -> bytes | None:
    request: Any = None
    return explainer.explain(request, message, None)


def test_a_cause_is_named_again_after_a_minute() -> None:
    clock = Clock()
    explainer = Explainer((Family((b"bad",), lambda failure: 1, lambda failure: "why"),), Heard(clock))
    assert said(explainer) == b"why"
    clock.now = 59.0
    assert said(explainer) is None
    clock.now = 61.0
    assert said(explainer) == b"why"


def test_a_family_speaks_ten_times_a_minute() -> None:
    clock = Clock()
    asked: list[bytes] = []

    def key(failure: Failure) -> bytes:
        asked.append(failure.message)
        return failure.message

    explainer = Explainer((Family((b"bad",), key, lambda failure: "why"),), Heard(clock))
    assert [said(explainer, b"bad %d" % number) for number in range(20)] == [b"why"] * 10 + [None] * 10
    assert len(asked) == 10  # not even the key is made after that
    clock.now = 61.0
    assert said(explainer, b"bad 30") == b"why"


def test_the_first_family_that_knows_the_line() -> None:
    families = (
        Family((b"a",), lambda failure: 1, lambda failure: "one"),
        Family((b"a b",), lambda failure: 1, lambda failure: "two"),
    )
    explainer = Explainer(families, Heard(Clock()))
    assert said(explainer, b"a b") == b"one"
    assert said(explainer, b"b") is None


def test_a_mistake_in_a_family_fails_nothing() -> None:
    def text(failure: Failure) -> str:
        raise KeyError("x")

    explainer = Explainer((Family((b"bad",), lambda failure: 1, text),), Heard(Clock()))
    assert said(explainer) == b"not found out (KeyError: 'x')"


def test_nothing_to_say() -> None:
    assert said(Explainer((Family((b"bad",), lambda failure: 1, lambda failure: None),), Heard(Clock()))) is None
