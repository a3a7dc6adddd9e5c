"""What a client's frames are read as: any split of the bytes gives the same, and what is refused has nginx's code."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway._fast.errors import Http2Error
from gateway._fast.hpack import Decoder
from gateway._fast.http2_reader import (
    BLOCK_BEGINS,
    BLOCK_ENDS,
    DATA,
    NOTHING,
    PING,
    PRIORITY,
    SETTINGS,
    SETTINGS_ACK,
    UNKNOWN,
    FrameReader,
)
from tests import http2_frames as wire
from tests.http2_client import request

Event = tuple[object, ...]
BLOCK = hpack.Encoder().encode(request("/some/where", (b"x-long", b"y" * 100)))


def events(data: bytes, sizes: list[int]) -> list[Event]:
    """What a reader makes of data in parts of these sizes, over and over; parts of a DATA frame are put together."""
    reader = FrameReader(Decoder(4096, 16384))
    found: list[Event] = []
    at = turn = 0
    body, size = b"", 0
    while at < len(data):
        step = sizes[turn % len(sizes)]
        turn += 1
        reader.feed(data[at : at + step])
        at += step
        while (event := reader.next()) != NOTHING:
            if event == DATA:
                body += reader.part()
                size += reader.size
                if reader.ends or size == len(body):
                    found.append((event, reader.stream, reader.ends, body, size))
                    body, size = b"", 0
            elif event == BLOCK_BEGINS:
                found.append((event, reader.stream, reader.ends, reader.depends_on, reader.exclusive, reader.weight))
            elif event == BLOCK_ENDS:
                found.append((event, reader.stream, tuple(reader.decoder.fields()), reader.size))
            elif event == SETTINGS:
                found.append((event, reader.window, reader.frame_size, reader.table_changed))
            elif event == PING:
                found.append((event, reader.part()))
            elif event == PRIORITY:
                found.append((event, reader.stream, reader.depends_on, reader.exclusive, reader.weight))
            elif event == SETTINGS_ACK:
                found.append((event,))
            else:
                found.append((event, reader.stream, reader.value))
    assert not reader.incomplete()
    return found


ALL = (
    wire.PREFACE
    + wire.settings([(4, 1000), (1, 100), (77, 5), (4, 2000)])
    + wire.SETTINGS_ACK
    + wire.headers(1, BLOCK, 0, 7)
    + wire.frame_head(12, wire.DATA, 0x8 | 1, 1)
    + b"\x03abcdefgh\0\0\0"
    + wire.frame_head(len(BLOCK) + 11, wire.HEADERS, 0x8 | 0x4 | 0x20 | 1, 3)
    + b"\x05\x80\0\0\x01\x0f"
    + BLOCK
    + bytes(5)
    + wire.frame_head(5, wire.PRIORITY, 0, 5)
    + b"\0\0\0\x03\xff"
    + wire.frame_head(8, wire.PING, 0, 0)
    + b"12345678"
    + wire.ping_ack(b"87654321")
    + wire.frame_head(5, 77, 3, 9)
    + b"abcde"
    + wire.goaway(0, 0)
    + wire.frame_head(3, wire.DATA, 0, 1)
    + b"xyz"
    + wire.frame_head(0, wire.DATA, 1, 1)
    + wire.window_update(1, 5)
    + wire.rst_stream(1, 8)
)


def test_what_frames_mean() -> None:
    fields = (*request("/some/where", (b"x-long", b"y" * 100)),)
    assert events(ALL, [len(ALL)]) == [
        (SETTINGS, 2000, -1, True),
        (SETTINGS_ACK,),
        (BLOCK_BEGINS, 1, False, 0, False, 16),
        (BLOCK_ENDS, 1, fields, len(BLOCK)),
        (DATA, 1, True, b"abcdefgh", 12),
        (BLOCK_BEGINS, 3, True, 1, True, 16),
        (BLOCK_ENDS, 3, fields, len(BLOCK)),
        (PRIORITY, 5, 3, False, 256),
        (PING, b"12345678"),
        (UNKNOWN, 9, 77),
        (DATA, 1, False, b"xyz", 3),
        (DATA, 1, True, b"", 0),
        (wire.WINDOW_UPDATE, 1, 5),
        (wire.RST_STREAM, 1, 8),
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_any_split_gives_the_same_events(sizes: list[int]) -> None:
    assert events(ALL, sizes) == events(ALL, [len(ALL)])


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_input_raises_anything_but_the_declared_error(data: bytes, place: int) -> None:
    outcomes = []
    for parts in ([data], [data[:place], data[place:]]):
        reader = FrameReader(Decoder(4096, 16384))
        reader.feed(wire.PREFACE)
        seen = []
        try:
            for part in parts:
                reader.feed(part)
                while (event := reader.next()) != NOTHING:
                    if event != DATA:
                        seen.append((event, reader.stream))
        except Http2Error as error:
            seen.append((error.code, -1))
        outcomes.append(seen)
    assert [event for event, _ in outcomes[0]] == [event for event, _ in outcomes[1]]


FRAMES = st.builds(
    lambda kind, flags, stream, payload: wire.frame_head(len(payload), kind, flags, stream) + payload,
    st.integers(0, 11),
    st.sampled_from([0, 1, 4, 5, 8, 0x2D, 0xFF]),
    st.integers(0, 9),
    st.binary(max_size=20) | st.sampled_from([BLOCK, bytes(4), bytes(8), b"\0\x04\0\0\x10\0"]),
)


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=12))
def test_no_sequence_of_frames_does_either(frames: list[bytes]) -> None:
    reader = FrameReader(Decoder(4096, 16384))
    reader.feed(wire.PREFACE + b"".join(frames))
    try:
        while reader.next() != NOTHING:
            assert len(reader.part()) <= 20 + len(BLOCK)
    except Http2Error as error:
        assert 0 < error.code < 14


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (wire.frame_head(0, wire.DATA, 8, 1), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(2, wire.DATA, 8, 1) + b"\x02a", wire.PROTOCOL_ERROR),
        (wire.frame_head(0, wire.DATA, 0, 0), wire.PROTOCOL_ERROR),
        (wire.frame_head(0, wire.HEADERS, 4, 1), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(4, wire.HEADERS, 0x24, 1) + bytes(4), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(3, wire.HEADERS, 0xC, 1) + b"\x05ab", wire.PROTOCOL_ERROR),
        (wire.frame_head(1, wire.HEADERS, 4, 0) + b"\x82", wire.PROTOCOL_ERROR),
        (wire.frame_head(1, wire.HEADERS, 4, 2) + b"\x82", wire.PROTOCOL_ERROR),
        (wire.frame_head(6, wire.HEADERS, 0x24, 1) + b"\0\0\0\x01\0\x82", wire.PROTOCOL_ERROR),
        (wire.headers(3, b"\x82", 0, 9) + wire.headers(3, b"\x82", 0, 9), wire.PROTOCOL_ERROR),
        (wire.headers(3, b"\x82", 0, 9) + wire.headers(1, b"\x82", 0, 9), wire.PROTOCOL_ERROR),
        (wire.frame_head(5, wire.SETTINGS, 0, 0) + bytes(5), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(6, wire.SETTINGS, 1, 0) + bytes(6), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(0, wire.SETTINGS, 0, 1), wire.PROTOCOL_ERROR),
        (wire.settings([(5, 16383)]), wire.PROTOCOL_ERROR),
        (wire.settings([(5, 16384), (2, 2)]), wire.PROTOCOL_ERROR),
        (wire.settings([(4, 2**31)]), wire.FLOW_CONTROL_ERROR),
        (wire.frame_head(7, wire.PING, 0, 0) + bytes(7), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(8, wire.PING, 0, 1) + bytes(8), wire.PROTOCOL_ERROR),
        (wire.frame_head(7, wire.GOAWAY, 0, 0) + bytes(7), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(8, wire.GOAWAY, 0, 1) + bytes(8), wire.PROTOCOL_ERROR),
        (wire.frame_head(5, wire.RST_STREAM, 0, 1) + bytes(5), wire.FRAME_SIZE_ERROR),
        (wire.rst_stream(0, 8), wire.PROTOCOL_ERROR),
        (wire.frame_head(4, wire.PRIORITY, 0, 1) + bytes(4), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(5, wire.PRIORITY, 0, 0) + bytes(5), wire.PROTOCOL_ERROR),
        (wire.frame_head(5, wire.PRIORITY, 0, 1) + b"\0\0\0\x01\0", wire.PROTOCOL_ERROR),
        (wire.window_update(0, 0), wire.PROTOCOL_ERROR),
        (wire.frame_head(5, wire.WINDOW_UPDATE, 0, 1) + bytes(5), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(0, wire.PUSH_PROMISE, 0, 1), wire.PROTOCOL_ERROR),
        (wire.frame_head(0, wire.CONTINUATION, 4, 1), wire.PROTOCOL_ERROR),
        (wire.headers(1, bytes(20), 0, 5)[:14] + wire.window_update(0, 1), wire.PROTOCOL_ERROR),
        (wire.headers(1, bytes(20), 0, 5)[:14] + wire.frame_head(1, 9, 4, 3) + b"a", wire.PROTOCOL_ERROR),
        (wire.frame_head(5, wire.HEADERS, 5, 1) + b"\xff\xff\xff\xff", wire.COMPRESSION_ERROR),  # one byte is not here
        (wire.frame_head(1, wire.HEADERS, 5, 1) + b"\x40", wire.FRAME_SIZE_ERROR),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\n", wire.PROTOCOL_ERROR),
    ],
)
def test_what_is_refused(data: bytes, code: int) -> None:
    reader = FrameReader(Decoder(4096, 16384))
    reader.feed(data if data.startswith(b"PRI") else wire.PREFACE + data)
    with pytest.raises(Http2Error) as raised:
        while reader.next() != NOTHING:
            pass
    assert raised.value.code == code


def test_the_limit_of_a_head_holds_before_its_end() -> None:
    """A block of fields that never ends, each of which is whole."""
    reader = FrameReader(Decoder(4096, 16384))
    field = b"\0\x01x\x7f\x81\x07" + bytes(1024)
    reader.feed(wire.PREFACE + wire.frame_head(len(field), wire.HEADERS, 0, 1) + field)
    with pytest.raises(Http2Error, match=r"client sent too large header$"):
        for _ in range(100):
            while reader.next() != NOTHING:
                pass
            reader.feed(wire.frame_head(len(field), wire.CONTINUATION, 0, 1) + field)


def test_after_a_goaway_heads_are_skipped() -> None:
    reader = FrameReader(Decoder(4096, 16384))
    reader.feed(wire.PREFACE)
    reader.refusing = True
    reader.feed(wire.headers(1, b"\xff\xff\xff\xff\xff", 0, 100) + wire.rst_stream(1, 8))
    assert reader.next() == wire.RST_STREAM
