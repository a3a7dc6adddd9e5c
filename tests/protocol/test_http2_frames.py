"""HTTP/2 frames: any split of the bytes gives the same ones, and what is refused is refused with nginx's code."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol import http2_frames as wire
from tests.http2_client import request


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_any_split_gives_the_same_frames(sizes: list[int]) -> None:
    block = hpack.Encoder().encode(request("/"))
    padded = wire.frame_head(len(block) + 6, wire.HEADERS, 0x8 | 0x4, 3) + b"\x05" + block + bytes(5)
    data = (
        wire.PREFACE
        + wire.settings([(4, 1000)])
        + wire.headers(1, block, 0, 7)
        + wire.frame_head(12, wire.DATA, 0x8, 1)
        + b"\x03abcdefgh\0\0\0"
        + padded
        + wire.frame_head(0, wire.DATA, 1, 1)
        + wire.window_update(1, 5)
    )
    assert frames(data, [len(data)]) == frames(data, sizes)


def frames(data: bytes, sizes: list[int]) -> list[tuple[object, ...]]:
    """What a reader makes of data in parts of these sizes, over and over; parts of a DATA frame are put together."""
    reader = wire.FrameReader(65536)
    found: list[tuple[object, ...]] = []
    at = turn = 0
    pending = b""
    size = 0
    while at < len(data):
        step = sizes[turn % len(sizes)]
        turn += 1
        reader.feed(data[at : at + step])
        at += step
        while (frame := reader.next_frame()) is not None:
            if frame.type == wire.DATA:
                pending += frame.payload
                size += frame.size
                if reader._in_data:
                    continue
                found.append((wire.DATA, frame.flags, frame.stream, pending, size))
                pending, size = b"", 0
            else:
                found.append(tuple(frame))
    assert not reader.incomplete
    return found


@given(st.binary(max_size=200))
def test_no_input_raises_anything_but_the_declared_error(data: bytes) -> None:
    reader = wire.FrameReader(65536)
    reader.feed(wire.PREFACE + data)
    try:
        while reader.next_frame() is not None:
            pass
    except wire.Http2Error as error:
        assert error.code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (wire.frame_head(0, wire.DATA, 8, 1), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(2, wire.DATA, 8, 1) + b"\x02a", wire.PROTOCOL_ERROR),
        (wire.frame_head(0, wire.HEADERS, 4, 1), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(4, wire.HEADERS, 0x24, 1) + bytes(4), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(3, wire.HEADERS, 0xC, 1) + b"\x05ab", wire.PROTOCOL_ERROR),
        (wire.frame_head(5, wire.SETTINGS, 0, 0) + bytes(5), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(6, wire.SETTINGS, 1, 0) + bytes(6), wire.FRAME_SIZE_ERROR),
        (wire.frame_head(0, wire.SETTINGS, 0, 1), wire.PROTOCOL_ERROR),
        (wire.frame_head(70000, wire.HEADERS, 4, 1), wire.ENHANCE_YOUR_CALM),
        (wire.headers(1, bytes(20), 0, 5)[:14] + wire.window_update(0, 1), wire.PROTOCOL_ERROR),
        (wire.headers(1, bytes(20), 0, 5)[:14] + wire.frame_head(1, 9, 4, 3) + b"a", wire.PROTOCOL_ERROR),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\n", wire.PROTOCOL_ERROR),
    ],
)
def test_what_is_refused(data: bytes, code: int) -> None:
    reader = wire.FrameReader(65536)
    reader.feed(data if data.startswith(b"PRI") else wire.PREFACE + data)
    with pytest.raises(wire.Http2Error) as raised:
        while reader.next_frame() is not None:
            pass
    assert raised.value.code == code


def test_a_block_larger_than_a_frame_goes_on_in_continuations() -> None:
    reader = wire.FrameReader(65536)
    reader.feed(wire.PREFACE + wire.headers(3, bytes(range(100)), wire.END_STREAM, 30))
    frame = reader.next_frame()
    assert frame is not None and frame.payload == bytes(range(100)) and frame.size == 100
    assert frame.flags & wire.END_STREAM and not reader.incomplete
