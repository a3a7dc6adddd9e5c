from __future__ import annotations

from typing import Any

from gateway._fast.http1_response import parse_response_head
from gateway.core.regex import Regex
from gateway.upstream.health.matching import BODY_LIMIT, Answer, Match, body, default_match, header, require, status


def answer(head: bytes = b"", content: bytes = b"", code: int = 200) -> Answer:
    parsed = parse_response_head(b"HTTP/1.1 %d X\r\n%b\r\n" % (code, head))
    assert parsed is not None
    request: Any = None
    return Answer(parsed, content, request)


def test_the_default_is_2xx_and_3xx() -> None:
    match = default_match()
    assert [code for code in range(100, 600) if match.problem(answer(code=code)) is None] == list(range(200, 400))


def test_the_first_problem_is_told() -> None:
    match = Match(b"m", [status([(200, 200)]), status([(201, 201)]), status([(202, 202)])])
    assert match.problem(answer()) == (b"checking status code", b"200")


def test_one_of_several_fields_is_enough() -> None:
    two = answer(b"A: 1\r\na: 2\r\n")
    assert header(b"A", b"2".__eq__)(two) is None
    assert header(b"A", b"3".__eq__)(two) == (b'checking header "A"', b"1, 2")
    assert header(b"A", b"2".__eq__, negated=True)(two) is not None
    assert header(b"B", b"2".__eq__, negated=True)(two) is None


def test_the_body_is_looked_at_up_to_a_limit() -> None:
    long = answer(content=b"x" * BODY_LIMIT + b"end")
    assert body(Regex("x"))(long) is None
    assert body(Regex("end"))(long) == (b"checking body", b"%d bytes" % (BODY_LIMIT + 3))


def test_required_values() -> None:
    for value, good in ((b"1", True), (b"00", True), (b"0", False), (b"", False), (None, False)):
        assert (require(["a"], [lambda _, value=value: value])(answer()) is None) == good  # type: ignore[misc]
