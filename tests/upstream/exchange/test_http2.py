"""exchange.http2: what an upstream may send wrong, frame by frame, in one connection of our own."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import HeadError
from gateway.upstream.exchange import http2_link
from gateway.upstream.exchange.http2 import Http2Reader
from gateway.upstream.exchange.http2_fields import request_block
from gateway.upstream.exchange.keepalive import PeerConnection
from tests import http2_frames as wire


class Socket:
    """Takes what is sent."""

    pending = 0

    def __init__(self) -> None:
        self.data = b""
        self.turn = 1 << 30  # bytes that are left of it

    def spend(self, cost: int) -> bool:
        self.turn -= cost
        return self.turn <= 0

    def send(self, data: bytes) -> int:
        self.data += data
        return 0


class Link:
    """Stands in for a connection."""

    link: http2_link.Link | None = None
    carrier = None

    def __init__(self) -> None:
        self.stream = Socket()


def begun(body: bytes = b"") -> tuple[Http2Reader, Link]:
    connection = Link()
    reader = Http2Reader()
    block = request_block(b"POST", False, b"/", b"a", [(b"X-Y", b"z")])
    as_real: PeerConnection = connection  # type: ignore[assignment]
    reader.begin(as_real, block, [body] if body else [])
    return reader, connection


def block(*fields: tuple[bytes, bytes]) -> bytes:
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return encoder.encode(fields)


HEAD = wire.headers(1, block((b":status", b"200"), (b"x-y", b"z")), 0, 16384)


def read(reader: Http2Reader, data: bytes) -> bytes:
    head = reader.receive_head(data)
    assert head is not None
    length = int(head.get(b"content-length") or -1)
    return reader.begin_body(b"POST", head.status, length, False, False)


def test_the_preface_comes_once() -> None:
    _, connection = begun()
    sent = connection.stream.data
    assert sent.startswith(wire.PREFACE + wire.settings([(1, 0), (2, 0), (4, 2**31 - 1)]))
    assert sent.endswith(wire.headers(1, request_block(b"POST", False, b"/", b"a", [(b"x-y", b"z")]), 1, 16384))
    connection.stream.data = b""
    again = Http2Reader()
    again.begin(connection, b"\x82", [])  # type: ignore[arg-type]
    assert connection.stream.data == wire.headers(3, b"\x82", 1, 16384)


def test_the_head_goes_out_with_the_first_of_a_body_that_comes() -> None:
    connection = Link()
    reader = Http2Reader()
    reader.begin(connection, b"\x82", None)  # type: ignore[arg-type]
    assert not connection.stream.data
    reader.add([b"abc"], True)
    reader.write()
    assert reader.closed and connection.stream.data.endswith(
        wire.headers(1, b"\x82", 0, 16384) + wire.frame_head(3, wire.DATA, 1, 1) + b"abc"
    )


def test_an_answer() -> None:
    reader, connection = begun()
    connection.stream.data = b""
    data = wire.settings([]) + HEAD + wire.frame_head(3, wire.DATA, 1, 1) + b"abc"
    assert read(reader, data) == b"abc"
    assert reader.done and reader.keepalive and connection.stream.data == wire.SETTINGS_ACK


@given(st.lists(st.integers(1, 20), min_size=1, max_size=20))
def test_any_split_gives_the_same_answer(sizes: list[int]) -> None:
    reader, _ = begun()
    data = (
        wire.settings([(4, 5)])
        + HEAD
        + wire.frame_head(5, wire.DATA, 8, 1)
        + b"\x01abc\0"
        + wire.frame_head(8, wire.PING, 0, 0)
        + bytes(8)
        + wire.frame_head(2, wire.DATA, 0, 1)
        + b"de"
        + wire.headers(1, block((b"x-sum", b"1")), 1, 3)  # which ends the stream before its CONTINUATION has come
    )
    head, body, at, turn = None, b"", 0, 0
    while at < len(data):
        step = sizes[turn % len(sizes)]
        part = data[at : at + step]
        at += step
        turn += 1
        if head is None:
            head = reader.receive_head(part)
            if head is not None:
                body += reader.begin_body(b"POST", head.status, -1, False, False)
        else:
            body += reader.receive_body(part)
        assert reader.done is (at >= len(data))
    assert head is not None and head.fields == [(b"x-y", b"z")]
    assert body == b"abcde" and reader.done and reader.get_trailers() == [(b"x-sum", b"1")]


def test_a_body_goes_out_as_windows_open() -> None:
    reader, connection = begun(bytes(70000))
    sent = connection.stream.data
    assert not reader.closed and reader.is_blocked() and sent.endswith(bytes(65535 - 3 * 16384))
    connection.stream.data = b""
    reader.receive_head(wire.window_update(1, 5000) + wire.window_update(0, 4000))
    assert connection.stream.data == wire.frame_head(4000, wire.DATA, 0, 1) + bytes(4000)
    connection.stream.data = b""
    reader.receive_head(wire.window_update(0, 4000))
    assert connection.stream.data == wire.frame_head(465, wire.DATA, 1, 1) + bytes(465)
    assert reader.closed and not reader.is_blocked()


def test_a_body_within_the_windows_goes_on_while_the_socket_takes_it() -> None:
    _, connection = begun()
    assert connection.link is not None
    connection.link.hears(wire.settings([(4, 1 << 30)]) + wire.window_update(0, 1 << 30), connection.stream)
    reader = Http2Reader()
    connection.stream.data = b""
    connection.stream.turn = 200_000
    reader.begin(connection, b"\x82", [bytes(1_000_000)])  # type: ignore[arg-type]
    assert 200_000 <= len(connection.stream.data) < 300_000 and not reader.closed  # it is the others' turn
    connection.stream.turn = 1 << 30
    reader.write()
    assert reader.closed and len(connection.stream.data) > 1_000_000


def test_pings_with_each_request_are_no_flood() -> None:
    _, connection = begun()
    for number in range(3, 9, 2):
        reader = Http2Reader()
        reader.begin(connection, b"\x82", [])  # type: ignore[arg-type]
        pings = (wire.frame_head(8, wire.PING, 0, 0) + bytes(8)) * 900
        head = reader.receive_head(pings + wire.headers(number, block((b":status", b"204")), 1, 16384))
        assert head is not None and head.status == 204


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (wire.headers(1, block((b"x", b"y")), 0, 99), "upstream sent no :status header"),
        (wire.headers(1, block((b":status", b"20")), 0, 99), 'upstream sent invalid :status "20"'),
        (wire.headers(1, block((b":status", b"101")), 0, 99), 'upstream sent unexpected :status "101"'),
        (wire.headers(1, block((b":status", b"200"), (b":status", b"200")), 0, 99), "duplicate :status"),
        (wire.headers(1, block((b":path", b"/")), 0, 99), 'upstream sent invalid header ":path: /"'),
        (wire.headers(1, block((b":status", b"200"), (b"X", b"y")), 0, 99), "upstream sent invalid header"),
        (wire.headers(1, block((b":status", b"200"), (b"x", b"a\r\nb: c")), 0, 99), "upstream sent invalid header"),
        (wire.headers(1, block((b":status", b"103")), 1, 99), "upstream prematurely closed stream"),
        (wire.headers(3, block((b":status", b"200")), 0, 99), "upstream sent frame for unknown stream 3"),
        (wire.frame_head(0, wire.DATA, 0, 1), "upstream sent unexpected http2 frame: 0"),
        (wire.frame_head(4, wire.PUSH_PROMISE, 4, 1) + bytes(4), "upstream sent unexpected push promise frame"),
        (wire.frame_head(16385, wire.DATA, 0, 1), "upstream sent too large http2 frame: 16385"),
        (wire.rst_stream(1, 2), "upstream rejected request with error 2"),
        (wire.goaway(0, 11), "upstream sent goaway with error 11"),
        (wire.headers(1, b"\x3f\x01", 0, 99), "upstream sent invalid table size update"),
        (wire.headers(1, b"\xff\xff\xff\xff\xff", 0, 99), "upstream sent header block"),
        (wire.window_update(1, 2**31 - 1), "upstream sent too large window update"),
        (wire.settings([]) * 1001, "upstream sent too many settings frames"),
        ((wire.frame_head(8, wire.PING, 0, 0) + bytes(8)) * 1001, "upstream sent too many ping frames"),
        (wire.ping_ack(bytes(8)), "upstream sent ping frame with ack flag"),
    ],
)
def test_heads_that_are_refused(data: bytes, words: str) -> None:
    reader, _ = begun()
    with pytest.raises(HeadError, match=words):
        reader.receive_head(data)


LENGTH = wire.headers(1, block((b":status", b"200"), (b"content-length", b"3")), 0, 16384)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (LENGTH + wire.frame_head(4, wire.DATA, 0, 1) + b"abcd", "larger than indicated content length"),
        (LENGTH + wire.frame_head(2, wire.DATA, 1, 1) + b"ab", "upstream prematurely closed stream"),
        (HEAD + wire.headers(1, block((b"x", b"y")), 0, 99), "upstream sent trailer without end stream flag"),
        (HEAD + wire.headers(1, block((b":status", b"200")), 1, 99), "upstream sent invalid trailer"),
        (HEAD + wire.frame_head(0, wire.DATA, 1, 1) * 2, "upstream sent frame for closed stream 1"),
        (HEAD + wire.frame_head(0, wire.DATA, 0, 3), "upstream sent data frame for unknown stream 3"),
        (HEAD + wire.rst_stream(1, 0), "upstream rejected request with error 0"),
        (HEAD + wire.frame_head(0, wire.DATA, 1, 1) + wire.rst_stream(1, 0) * 2, "frame for closed stream 1"),
    ],
)
def test_bodies_that_are_refused(data: bytes, words: str) -> None:
    reader, _ = begun()
    with pytest.raises(HeadError, match=words):
        read(reader, data)


def test_goaway_that_lets_ours_go_on_and_reset_without_an_error_behind_the_end() -> None:
    reader, _ = begun()
    data = wire.goaway(1, 0) + HEAD + wire.frame_head(0, wire.DATA, 1, 1) + wire.rst_stream(1, 0)
    assert read(reader, data) == b"" and reader.done and not reader.keepalive


@given(st.binary(max_size=200))
def test_nothing_but_the_declared_error(data: bytes) -> None:
    reader, _ = begun()
    try:
        reader.receive_head(HEAD + data)
        reader.begin_body(b"POST", 200, -1, False, False)
    except HeadError as error:
        assert "upstream" in str(error)
