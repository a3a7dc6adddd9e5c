"""Requests of the protocols that upstreams speak, whole and in parts."""

from __future__ import annotations

import struct

import pytest

from gateway.dev.explain.packets import ALL, READERS

_LONG = b"v" * 200


def _uwsgi() -> bytes:
    words = b"".join(struct.pack("<H", len(word)) + word for word in (b"A", b"1", b"LONG", _LONG))
    return struct.pack("<BHB", 5, len(words), 7) + words


def _fastcgi() -> bytes:
    params = bytes([1, 1]) + b"A1" + bytes([4]) + struct.pack(">I", 200 | 0x80000000) + b"LONG" + _LONG
    begin = struct.pack(">BBHHBB8x", 1, 1, 1, 8, 0, 0)
    sent = struct.pack(">BBHHBB", 1, 4, 1, len(params), 2, 0) + params + b"\0\0"
    return begin + sent + struct.pack(">BBHHBB", 1, 4, 1, 0, 0, 0) + struct.pack(">BBHHBB", 1, 5, 1, 0, 0, 0)


def _scgi() -> bytes:
    words = b"A\x001\0LONG\0" + _LONG + b"\0"
    return b"%d:%b," % (len(words), words)


WHOLE = {
    "proxy": b"GET /x HTTP/1.1\r\nA: 1\r\nLONG: " + _LONG + b"\r\n\r\n",
    "uwsgi": _uwsgi(),
    "fastcgi": _fastcgi(),
    "scgi": _scgi(),
}


@pytest.mark.parametrize("protocol", WHOLE)
def test_parameters_in_their_order(protocol: str) -> None:
    packet = READERS[protocol](WHOLE[protocol])
    assert packet is not None
    assert packet.pairs == [("A", "1"), ("LONG", _LONG.decode())]
    assert packet.size == len(WHOLE[protocol])


@pytest.mark.parametrize("protocol", WHOLE)
def test_nothing_is_said_of_a_part(protocol: str) -> None:
    data = WHOLE[protocol]
    assert [size for size in range(len(data)) if READERS[protocol](data[:size]) is not None] == []


def test_uwsgi_shows_both_modifiers() -> None:
    packet = READERS["uwsgi"](_uwsgi())
    assert packet is not None
    assert packet.line.startswith("modifier1 5, modifier2 7, ")


def test_memcached() -> None:
    packet = READERS["memcached"](b"get key\r\n")
    assert packet is not None
    assert packet.line == "get key"
    assert READERS["memcached"](b"get key") is None


def test_what_comes_behind_a_request_is_its_body() -> None:
    packet = READERS["proxy"](b"POST / HTTP/1.1\r\ncontent-length: 12\r\n\r\nGET / HT")
    assert packet is not None
    assert packet.body == 12
    chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert READERS["proxy"](chunked + b"1\r\na\r\n0\r\n") is None
    for body in (b"0\r\n\r\n", b"1\r\na\r\n0\r\n\r\n"):
        packet = READERS["proxy"](chunked + body + b"GET")
        assert packet is not None
        assert packet.body == len(body)
    packet = READERS["proxy"](chunked + b"fffffff\r\n" + bytes(2 << 20))
    assert packet is not None
    assert packet.body == ALL


def test_a_fastcgi_request_with_a_large_body() -> None:
    data = _fastcgi()[:-8] + (struct.pack(">BBHHBB", 1, 5, 1, 65535, 0, 0) + bytes(65535)) * 20
    packet = READERS["fastcgi"](data)
    assert packet is not None
    assert packet.pairs == [("A", "1"), ("LONG", _LONG.decode())]
    assert packet.body == ALL
