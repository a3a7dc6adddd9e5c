from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.client_hello import ClientHello, parse


def hello(name: str | None = "example.com", alpn: tuple[str, ...] = ("h2", "http/1.1")) -> bytes:
    """What OpenSSL sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if alpn:
        context.set_alpn_protocols(list(alpn))
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_what_openssl_sends_is_read_however_it_comes() -> None:
    data = hello()
    found = parse(data)
    assert found is not None
    assert found.server_name == b"example.com"
    assert found.alpn == [b"h2", b"http/1.1"]
    assert found.version == 0x0304  # by its extension: what stands in front is of TLS 1.2
    assert parse(data + b"more") == found
    assert [parse(data[:count]) for count in range(len(data))] == [None] * len(data)


def test_in_several_records() -> None:
    data = hello()
    body = data[5:]
    parts = [body[at : at + 50] for at in range(0, len(body), 50)]
    records = b"".join(data[:3] + len(part).to_bytes(2, "big") + part for part in parts)
    assert parse(records) == parse(data)


def test_without_extensions_that_matter() -> None:
    found = parse(hello(None, ()))
    assert found is not None and found.server_name is None and found.alpn == []


def test_of_ssl_2() -> None:
    found = parse(b"\x80\x1c\x01\x03\x01\x00\x03")
    assert found is not None and found.version == 0x0301 and found.server_name is None
    assert parse(b"\x80\x1c\x01\x00") is None


def test_without_extensions() -> None:
    body = bytes(34) + b"\0" + b"\0\x02\xc0\x2f" + b"\x01\0"
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    assert parse(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message) == ClientHello()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x00",  # an empty record: another may follow
        b"\x16\x03\x01\x50\x00" + bytes(100),  # of a record that is too long: what it is, its end says
    ],
)
def test_what_may_still_be_one(data: bytes) -> None:
    assert parse(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",  # a ServerHello
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",  # a hello that would never end
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",  # one that ends too soon
    ],
)
def test_what_is_no_hello(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse(data)


@given(st.binary(max_size=600), st.integers(0, 500), st.integers(0, 255))
def test_no_input_raises_anything_else(data: bytes, at: int, byte: int) -> None:
    changed = bytearray(hello())
    if at < len(changed):
        changed[at] = byte
    for tried in (data, b"\x16\x03\x01" + data, bytes(changed)):
        with contextlib.suppress(ValueError):
            parse(tried)
