from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.proxy_protocol import (
    SIGNATURE,
    V1_MAX,
    V2_MAX,
    ProxyHeader,
    crc32c,
    parse,
    parse_tlvs,
    write,
    write_v2,
)

V4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + struct.pack("!HH", 1000, 80)
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(socket.AF_INET6, "::1") + V4[-4:]


def v2(payload: bytes, *, family: int = 0x11, command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(payload)) + payload


FOUR = ProxyHeader(b"192.0.2.1", 1000, b"192.0.2.2", 80)
HEADERS = {
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n": FOUR,
    b"PROXY TCP6 2001:db8::1 ::1 1000 80\r\n": ProxyHeader(b"2001:db8::1", 1000, b"::1", 80),
    b"PROXY TCP6 2001:DB8:0::1 ::FFFF:1.2.3.4 1000 080\r\n": ProxyHeader(b"2001:DB8:0::1", 1000, b"::FFFF:1.2.3.4", 80),
    b"PROXY TCP4 010.0.0.1 192.0.2.0.2.2 1000 80\r\n": ProxyHeader(b"010.0.0.1", 1000, b"192.0.2.0.2.2", 80),
    b"PROXY UNKNOWN\r\n": ProxyHeader(),
    b"PROXY UNKNOWNS\r\n": ProxyHeader(),
    b"PROXY UNKNOWN what ever it is\r\n": ProxyHeader(),
    v2(V4): FOUR,
    v2(V6, family=0x21): ProxyHeader(b"2001:db8::1", 1000, b"::1", 80),
    v2(V4 + b"\x02\x00\x03abc\x21\x00\x00"): ProxyHeader(b"192.0.2.1", 1000, b"192.0.2.2", 80, {2: b"abc", 0x21: b""}),
    v2(b""): None,  # too short for the addresses that it promises
    v2(b"", command=0x20): ProxyHeader(),  # LOCAL
    v2(V4, command=0x20): ProxyHeader(),
    v2(V4, command=0x2F): ProxyHeader(),
    v2(V4, family=0x12): ProxyHeader(),  # UDP
    v2(b"/a" + bytes(214), family=0x31): ProxyHeader(),  # unix sockets
}


@pytest.mark.parametrize("data", [data for data, header in HEADERS.items() if header is not None])
def test_headers(data: bytes) -> None:
    for count in range(len(data)):
        assert parse(data[:count]) is None
    assert parse(data) == (HEADERS[data], len(data))
    assert parse(data + b"GET / HTTP/1.1\r\n\r\n") == (HEADERS[data], len(data))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 'broken header: "GET / HTTP/1.1"'),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000\r\n", 'broken header: "PROXY TCP4 192.0.2.1 192.0.2.2 1000"'),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 70000\r\n", 'broken header: "PROXY TCP4'),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 -1\r\n", 'broken header: "PROXY TCP4'),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 \r\n", 'broken header: "PROXY TCP4'),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1000  80\r\n", 'broken header: "PROXY TCP4'),
        (b"PROXY TCP4 here there 1000 80\r\n", 'broken header: "PROXY TCP4 here there 1000 80"'),
        (b"PROXY UDP4 192.0.2.1 192.0.2.2 1000 80\r\n", 'broken header: "PROXY UDP4'),
        (b"PROXY TCP4 " + b"1" * V1_MAX, 'broken header: "PROXY TCP4 111'),
        (b"PROXY \n" + b"x" * V1_MAX, 'broken header: "PROXY "'),
        (v2(V4, command=0x11), "unknown PROXY protocol version: 1"),
        (v2(bytes(V2_MAX)), "header is too large"),
        (v2(V4[:-1]), "truncated PROXY protocol header"),
        (v2(V4, family=0x21), "truncated PROXY protocol header"),
    ],
)
def test_what_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        parse(data)
    assert str(caught.value).startswith(words)


def test_values_behind_the_addresses() -> None:
    assert parse_tlvs(b"") == {}
    assert parse_tlvs(b"\x01\x00\x02h2\x01\x00\x01x") == {1: b"h2"}  # the first of a kind
    assert parse_tlvs(b"\x01\x00\x02h2\x02\x00\x09x") == {1: b"h2"}  # cut


@given(st.binary(max_size=200))
def test_nothing_else_is_raised(data: bytes) -> None:
    for start in (b"", b"PROXY ", SIGNATURE, SIGNATURE + b"\x21"):
        try:
            found = parse(start + data)
        except ValueError:
            continue
        assert found is None or 0 < found[1] <= len(start + data)


def test_write() -> None:
    assert write(b"192.0.2.1", 1, b"192.0.2.2", 2) == b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
    assert write(b"::1", 1, b"::2", 2) == b"PROXY TCP6 ::1 ::2 1 2\r\n"
    assert write(b"unix:", 0, b"unix:/s", 0) == b"PROXY UNKNOWN\r\n"


def test_the_checksum() -> None:
    # RFC 3720, B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize(
    ("source", "destination", "datagram", "family"),
    [
        (b"192.0.2.1", b"192.0.2.2", False, 0x11),
        (b"192.0.2.1", b"192.0.2.2", True, 0x12),
        (b"2001:db8::1", b"::1", False, 0x21),
        (b"::ffff:192.0.2.1", b"::ffff:192.0.2.2", False, 0x11),
        (b"192.0.2.1", b"::1", False, 0x21),
    ],
)
def test_write_version_2(source: bytes, destination: bytes, datagram: bool, family: int) -> None:
    data = write_v2(source, 1, destination, 2, datagram=datagram, tlvs=[(0xE0, b"x")])
    assert data[12:14] == bytes((0x21, family))
    blank = data[:-4] + bytes(4)
    assert int.from_bytes(data[-4:], "big") == crc32c(blank)
    found = parse(data)
    assert found is not None and found[1] == len(data)
    if not datagram:
        assert (found[0].source_port, found[0].destination_port) == (1, 2)
        assert found[0].tlvs[0xE0] == b"x"


def test_version_2_of_a_unix_socket() -> None:
    data = write_v2(b"unix:", 0, b"unix:/a", 0)
    assert data[12:16] == b"\x20\0\0\7"
    assert parse(data) == (ProxyHeader(), len(data))
