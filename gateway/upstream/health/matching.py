"""`match` blocks: what an answer to a health check must be like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gateway._fast.http1_response import ResponseHead
    from gateway.core.regex import Regex
    from gateway.http.request import Request

# What of a body is looked at, as in NGINX Plus.
BODY_LIMIT: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came; `request` has it as $upstream_ variables too."""

    head: ResponseHead
    body: bytes
    request: Request


# What is wrong with an answer, as (what was checked, what was found); None if nothing is.
Problem = tuple[bytes, bytes] | None
Condition = Callable[[Answer], Problem]


@dataclass(slots=True)
class Match:
    """All conditions must hold."""

    name: bytes
    conditions: list[Condition] = field(default_factory=list)
    needs_body: bool = False

    def problem(self, answer: Answer) -> Problem:
        for condition in self.conditions:
            problem = condition(answer)
            if problem is not None:
                return problem
        return None


def status(ranges: Sequence[tuple[int, int]], *, negated: bool = False) -> Condition:
    """The status is in one of these ranges, or in none."""

    def check(answer: Answer) -> Problem:
        found = answer.head.status
        if any(low <= found <= high for low, high in ranges) is not negated:
            return None
        return b"checking status code", b"%d" % found

    return check


def header_present(name: bytes, *, negated: bool = False) -> Condition:
    def check(answer: Answer) -> Problem:
        there = answer.head.get(name.lower()) is not None
        if there is not negated:
            return None
        return b'checking header "%b"' % name, b"it is there" if there else b"it is not there"

    return check


def header(name: bytes, test: Callable[[bytes], Any], *, negated: bool = False) -> Condition:
    """One of the fields of this name passes the test, or none does. A field that is not there passes no test."""

    def check(answer: Answer) -> Problem:
        values = answer.head.get_all(name.lower())
        if any(test(value) for value in values) is not negated:
            return None
        return b'checking header "%b"' % name, b", ".join(values) if values else b"it is not there"

    return check


def body(pattern: Regex, *, negated: bool = False) -> Condition:
    def check(answer: Answer) -> Problem:
        if pattern.test(answer.body[:BODY_LIMIT]) is not negated:
            return None
        return b"checking body", b"%d bytes" % len(answer.body)

    return check


def require(names: Sequence[str], values: Sequence[Callable[[Request], bytes | None]]) -> Condition:
    """Each of the variables has a value that is neither empty nor "0"."""

    def check(answer: Answer) -> Problem:
        for name, value in zip(names, values, strict=True):
            found = value(answer.request)
            if not found or found == b"0":
                return b"checking variable $%b" % name.encode(), b'"%b"' % (found or b"")
        return None

    return check


def default_match() -> Match:
    """Without `match=`: a status of 2xx or 3xx."""
    return Match(b"", [status([(200, 399)])])
