"""A request of HTTP/2 in memory, as the h2 package reads it."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events

from gateway.upstream.exchange.http2_whole import data_frames, request_frames


def _read(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes, bool]:
    """The fields, the body, and whether it has ended."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    server.initiate_connection()
    fields: list[tuple[bytes, bytes]] = []
    body = b""
    ended = False
    for event in server.receive_data(data):
        if isinstance(event, h2.events.RequestReceived):
            fields = [(bytes(name), bytes(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.DataReceived):
            body += event.data
        elif isinstance(event, h2.events.StreamEnded):
            ended = True
    return fields, body, ended


def test_fields() -> None:
    given = [
        ("Host", "none"),
        ("X-A", "ü"),
        ("Connection", "close"),
        ("Transfer-Encoding", "chunked"),
        ("Cookie", "a=1"),
    ]
    fields, body, ended = _read(request_frames("GET", "/a?b", "a.example:8443", given, secure=True))
    assert fields[:4] == [
        (b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/a?b"), (b":authority", b"a.example:8443"),
    ]  # fmt: skip
    assert fields[4:] == [(b"x-a", "ü".encode()), (b"cookie", b"a=1")]
    assert (body, ended) == (b"", True)


def test_more_than_a_frame() -> None:
    fields, _, ended = _read(request_frames("PUT", "/", "a", [("X-Long", "l" * 40_000)], secure=False))
    assert dict(fields)[b"x-long"] == b"l" * 40_000 and dict(fields)[b":scheme"] == b"http" and ended


def test_bodies() -> None:
    head = request_frames("POST", "/", "a", [], secure=True, ends=False)
    assert not _read(head)[2]
    data = bytes(range(256)) * 100
    assert _read(head + data_frames(data, ends=True))[1:] == (data, True)
    assert _read(head + data_frames(data, ends=False))[1:] == (data, False)
    assert _read(head + data_frames(b"", ends=True))[1:] == (b"", True)
    assert data_frames(b"", ends=False) == b""
