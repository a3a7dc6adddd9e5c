from __future__ import annotations

import errno

from gateway.upstream.exchange import attempt
from gateway.upstream.exchange.attempt import Attempt, error_words, join


def made(name: bytes | None, **fields: float) -> Attempt:
    one = Attempt(name, 100.0)
    for key, value in fields.items():
        setattr(one, key, value)
    return one


def test_join() -> None:
    first, second, third = made(b"a", status=502), made(b"b", status=200), made(b"c")
    assert join([], attempt.addr) is None
    assert join([first], attempt.addr) == b"a"
    assert join([first, second], attempt.status) == b"502, 200"
    assert join([first, second, made(None), third], attempt.addr) == b"a, b : c"
    assert join([first, made(None), third], attempt.status) == b"502 : -"


def test_times() -> None:
    one = made(b"a", connected=100.0016, head_read=-1, ended=103.25)
    assert attempt.connect_time(one) == b"0.001"
    assert attempt.header_time(one) == b"-"
    assert attempt.response_time(one) == b"3.250"


def test_lengths() -> None:
    one = made(b"a", sent=1, received=2, body_received=3)
    assert (attempt.bytes_sent(one), attempt.bytes_received(one), attempt.response_length(one)) == (b"1", b"2", b"3")


def test_error_words() -> None:
    assert error_words(OSError(errno.ECONNREFUSED, "")) == b"111: Connection refused"
