from __future__ import annotations

from gateway.upstream.exchange.next_upstream import BY_STATUS, Condition, outcome_of, status_of
from gateway.upstream.peers.peers import Outcome


def test_statuses() -> None:
    assert status_of(Condition.ERROR) == status_of(Condition.INVALID_HEADER) == status_of(Condition.NO_LIVE) == 502
    assert status_of(Condition.TIMEOUT) == 504
    assert all(status_of(condition) == status for status, condition in BY_STATUS.items())


def test_blame() -> None:
    assert outcome_of(Condition.HTTP_404) == outcome_of(Condition.HTTP_403) == Outcome.NEXT
    assert outcome_of(Condition.HTTP_500) == outcome_of(Condition.TIMEOUT) == Outcome.FAILED


def test_no_directive_can_name_every_condition() -> None:
    assert not Condition.NO_LIVE & (Condition.ERROR | Condition.TIMEOUT | Condition.OFF)
