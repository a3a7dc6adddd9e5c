from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import HeadError
from gateway.protocol.cgi import PlainReader

BODY = b"0123456789"
WITH_LENGTH = b"Status: 201 Made\r\nContent-Length: 10\r\n\r\n" + BODY
WITHOUT = b"HTTP/1.1 201 Made\r\nX: y\r\n\r\n" + BODY


def read(parts: list[bytes], length: int, method: bytes = b"GET") -> tuple[int, bytes, PlainReader]:
    """(status, body, the reader) of an answer that comes in these parts."""
    reader = PlainReader("uwsgi")
    body = b""
    status = 0
    for part in parts:
        if status:
            body += reader.receive_body(part)
            continue
        head = reader.receive_head(part)
        if head is not None:
            status = head.status
            body += reader.begin_body(method, status, length, chunked=False, close=False)
    return status, body, reader


@given(st.sampled_from([WITH_LENGTH, WITHOUT]), st.lists(st.integers(0, 60)))
def test_any_split(data: bytes, cuts: list[int]) -> None:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    parts = [data[a:b] for a, b in pairwise(places)]
    status, body, reader = read(parts, 10 if data is WITH_LENGTH else -1)
    assert (status, body) == (201, BODY)
    assert reader.done == (data is WITH_LENGTH)
    assert reader.receive_end()
    assert reader.head_received() == data.index(BODY)


def test_end_too_early() -> None:
    _, body, reader = read([WITH_LENGTH[:-1]], 10)
    assert body == BODY[:-1] and not reader.done and not reader.receive_end()


def test_too_much() -> None:
    _, body, reader = read([WITH_LENGTH + b"x"], 10)
    assert body == BODY and reader.done and reader.excess


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_no_body_by_status(status: bytes) -> None:
    _, body, reader = read([b"Status: " + status + b"\r\n\r\n"], -1)
    assert reader.done and not body and not reader.excess


def test_head_request_has_no_length_to_wait_for() -> None:
    _, _, reader = read([WITH_LENGTH[: -len(BODY)]], 10, b"HEAD")
    assert not reader.done and reader.receive_end()


def test_refused() -> None:
    with pytest.raises(HeadError):
        PlainReader("uwsgi").receive_head(b"\0")
