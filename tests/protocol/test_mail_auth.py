from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.mail_auth import AnswerError, AnswerReader

ANSWER = b"HTTP/1.1 200 OK\r\nAuth-Status: OK\r\nauth-SERVER:  10.0.0.1 \nX-a:b:c\r\nEmpty\r\nX-A: last\r\n\r\nbody"
FIELDS = {b"auth-status": b"OK", b"auth-server": b"10.0.0.1", b"x-a": b"last", b"empty": b""}


def test_any_split() -> None:
    for at in range(len(ANSWER)):
        reader = AnswerReader()
        if not reader.receive_data(ANSWER[:at]):
            assert reader.receive_data(ANSWER[at:])
        assert reader.fields == FIELDS


def test_without_a_status_line() -> None:
    reader = AnswerReader()
    assert reader.receive_data(b"Auth-Status: WAIT\r\n\r\n")
    assert reader.fields == {b"auth-status": b"WAIT"}


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"HTTP/1.1 200\rOK\r\n\r\n", "response"),
        (b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", "header in response"),
        (b"HTTP/1.1 200 OK\r\n: c\r\n\r\n", "header in response"),
        (b"HTTP/1.1 200 OK\r\n-a: c\r\n\r\n", "header in response"),
        (b"HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n", "header in response"),
    ],
)
def test_what_is_no_answer(data: bytes, what: str) -> None:
    with pytest.raises(AnswerError, match=what):
        AnswerReader().receive_data(data)


def test_no_more_than_nginx_reads() -> None:
    reader = AnswerReader()
    assert reader.room == 1024
    assert not reader.receive_data(b"a: " + b"x" * 1021)
    assert reader.room == 0


@given(st.lists(st.binary(max_size=30)))
def test_nothing_else_is_raised(pieces: list[bytes]) -> None:
    reader = AnswerReader()
    try:
        for piece in pieces:
            if reader.receive_data(piece):
                break
    except AnswerError:
        pass
