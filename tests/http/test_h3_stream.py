"""How a stream of HTTP/3 hands a body to QUIC."""

from __future__ import annotations

from typing import Any

from gateway.core.piece_queue import PieceQueue
from gateway.http.h3_stream import Http3Stream


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
