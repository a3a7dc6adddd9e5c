"""Numbers and fields as a stream of HTTP/3 has them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.hpack import Decoder
from gateway.core.piece_queue import PieceQueue
from gateway.http.h3_stream import Http3Stream, _literal, read_varint, varint


@given(st.integers(0, 2**62 - 1), st.binary(max_size=3))
def test_a_number_is_read_as_it_was_written(value: int, behind: bytes) -> None:
    written = varint(value)
    assert read_varint(written + behind, 0) == (value, len(written))
    assert read_varint(written[:-1], 0) is None


@given(st.binary(min_size=1, max_size=300), st.binary(max_size=20000))
def test_fields_reach_the_head_as_they_are(name: bytes, value: bytes) -> None:
    assert Decoder(40000, 80000, 0).decode(_literal(name, value)) == [(name, value)]


class Quic:
    """A connection whose client acknowledges a packet at a time."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.unacknowledged = 0

    def waiting(self, number: int) -> int:
        return self.unacknowledged

    def give(self, number: int, data: bytes, last: bool) -> None:
        self.frames.append(data)
        self.unacknowledged += len(data)


def test_a_body_goes_in_whole_chunks() -> None:
    """Not a frame for each acknowledgement, nor for each piece: their heads count in the client's window."""
    stream: Any = Http3Stream.__new__(Http3Stream)
    quic = stream.http3 = Quic()
    stream.id = stream.sent_bytes = 0
    stream.request = stream.pace = stream.paused = None
    stream.lost = stream.out_closed = False
    stream.ending = True
    stream.queue = PieceQueue()
    for _ in range(100):
        stream.queue.add(bytes(4096))
    while not stream.out_closed:
        stream.pump()
        assert quic.unacknowledged < 65536 + 300  # what waits stays bounded
        quic.unacknowledged = max(0, quic.unacknowledged - 1200)
    assert [len(frame) for frame in quic.frames] == [16384 + 5] * 25
