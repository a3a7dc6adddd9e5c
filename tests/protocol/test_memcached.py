from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import HeadError
from gateway.protocol.memcached import MemcachedReader, encode_get

VALUE = b"0\r\nEND\r\n89"
ANSWER = b"VALUE key 3 10\r\n" + VALUE + b"\r\nEND\r\n"


def read(parts: list[bytes], gzip_flag: int = 0) -> tuple[int, bytes, MemcachedReader, list[bytes]]:
    """(status, value, the reader, what it logged) of an answer that comes in these parts."""
    said: list[bytes] = []
    reader = MemcachedReader(b"key", gzip_flag=gzip_flag, log=lambda level, message: said.append(message))
    value = b""
    status = 0
    for part in parts:
        if status:
            value += reader.receive_body(part)
            continue
        head = reader.receive_head(part)
        if head is not None:
            status = head.status
            if status == 200:
                assert head.get(b"content-length") == b"10"
                value += reader.begin_body(b"GET", 200, 10, chunked=False, close=False)
    return status, value, reader, said


def test_asks() -> None:
    assert encode_get(b"a%20b") == b"get a%20b\r\n"


@given(st.lists(st.integers(0, len(ANSWER))))
def test_any_split(cuts: list[int]) -> None:
    places = sorted({*cuts, 0, len(ANSWER)})
    status, value, reader, said = read([ANSWER[a:b] for a, b in pairwise(places)])
    assert (status, value, said) == (200, VALUE, [])
    assert reader.done and reader.keepalive and reader.receive_end()
    assert reader.head_received() == 16


def test_not_found() -> None:
    status, _, reader, said = read([b"EN", b"D\r\n"])
    assert status == 404 and reader.done and reader.keepalive
    assert said == [b'key: "key" was not found by memcached']
    assert not read([b"END\r\nx"])[2].keepalive


@pytest.mark.parametrize(("flag", "compressed"), [(0, False), (1, True), (2, True), (4, False), (7, True)])
def test_flag(flag: int, compressed: bool) -> None:
    head = MemcachedReader(b"key", gzip_flag=flag).receive_head(ANSWER)
    assert head is not None
    assert head.get(b"content-encoding") == (b"gzip" if compressed else None)


@pytest.mark.parametrize("end", [b"\r\nEND\rx", b"xxxxxxx", b"\r\nEND\r\nmore"])
def test_trailer(end: bytes) -> None:
    for parts in ([ANSWER[:-7] + end], [ANSWER[:-7], end], [ANSWER[:-7], end[:3], end[3:]]):
        _, value, reader, said = read(parts)
        assert value == VALUE and reader.done and not reader.keepalive
        assert said == [b"memcached sent invalid trailer"]


def test_end_too_early() -> None:
    for size in range(16, len(ANSWER)):
        reader = read([ANSWER[:size]])[2]
        assert not reader.done and not reader.receive_end()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"\n", 'invalid response: ""'),
        (b"END\n", 'invalid response: "END"'),
        (b"ERROR\r\n", 'invalid response: "ERROR"'),
        (b"VALUE other 0 1\r\n", 'invalid key in response "VALUE other 0 1" for key "key"'),
        (b"VALUE keys 0 1\r\n", 'invalid response: "VALUE keys 0 1"'),
        (b"VALUE key 0\r\n", 'invalid response: "VALUE key 0"'),
        (b"VALUE key x 1\r\n", 'invalid flags in response "VALUE key x 1" for key "key"'),
        (b"VALUE key 0 x\r\n", 'invalid length in response "VALUE key 0 x" for key "key"'),
        (b"VALUE key 0 1 2\r\n", 'invalid length in response "VALUE key 0 1 2" for key "key"'),
    ],
)
def test_refused(line: bytes, message: str) -> None:
    with pytest.raises(HeadError) as caught:
        read([line], gzip_flag=1)
    assert caught.value.message == f"memcached sent {message}"
