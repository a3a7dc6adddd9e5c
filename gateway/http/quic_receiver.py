"""What comes of a QUIC stream, in the pieces that it comes in.

aioquic's own receiver keeps room for what is missing before a piece: one byte at the end of the window costs the whole
window, and many small pieces cost a search through all of them. Here a client pays with what it sends.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final

from aioquic.quic import events
from aioquic.quic.connection import QuicConnectionError
from aioquic.quic.packet import QuicErrorCode, QuicFrameType
from aioquic.quic.stream import FinalSizeError, QuicStreamReceiver

_FEWEST_PIECES: Final = 64
# A window of whole packets has fewer pieces, whatever is lost of them.
_SMALL: Final = 512


class Receiver(QuicStreamReceiver):  # type: ignore[misc]
    """`window` is how much may be under way."""

    def __init__(self, stream_id: int | None, window: int) -> None:
        super().__init__(stream_id, True)
        self.highest_offset: int
        self.is_finished: bool
        self._buffer_start: int
        self._final_size: int | None
        self.most = _FEWEST_PIECES + window // _SMALL
        self.starts: list[int] = []  # of what waits for what is before it; no two of them overlap
        self.waiting: list[bytes] = []

    def handle_frame(self, frame: Any) -> events.StreamDataReceived | None:
        start, data = frame.offset, frame.data
        end = start + len(data)
        final = self._final_size
        if final is not None and (end > final or (frame.fin and end != final)):
            raise FinalSizeError("data beyond the final size")
        if frame.fin:
            if end < self.highest_offset:
                raise FinalSizeError("data beyond the final size")
            self._final_size = end
        self.highest_offset = max(self.highest_offset, end)
        if self.is_finished:
            return None
        at = self._buffer_start
        if start > at:
            if data:
                self._keep(start, data)
            return None
        if start < at:
            data = data[at - start :]
        if self.waiting:
            data = self._joined(at, data)
        self._buffer_start = at + len(data)
        ended = self.is_finished = self._buffer_start == self._final_size
        if not data and not ended:
            return None
        return events.StreamDataReceived(data=data, end_stream=ended, stream_id=self._stream_id)

    def _keep(self, start: int, data: bytes) -> None:
        """Only what is new of it."""
        starts, waiting = self.starts, self.waiting
        at = bisect_right(starts, start)
        if at:
            before = starts[at - 1] + len(waiting[at - 1])
            if before > start:
                data = data[before - start :]
                start = before
        while data and at < len(starts) and starts[at] < start + len(data):
            if starts[at] + len(waiting[at]) > start + len(data):
                data = data[: starts[at] - start]
                break
            del starts[at], waiting[at]
        if not data:
            return
        if len(starts) >= self.most:
            raise QuicConnectionError(
                error_code=QuicErrorCode.INTERNAL_ERROR,
                frame_type=QuicFrameType.STREAM_BASE,
                reason_phrase="too many pieces of a stream",
            )
        starts.insert(at, start)
        waiting.insert(at, data)

    def _joined(self, at: int, data: bytes) -> bytes:
        """The data that stands at `at`, and all that follows it without a gap."""
        parts = [data]
        end = at + len(data)
        count = 0
        for start, part in zip(self.starts, self.waiting, strict=True):
            if start > end:
                break
            count += 1
            parts.append(part[end - start :])
            end = max(end, start + len(part))
        del self.starts[:count], self.waiting[:count]
        return b"".join(parts)

    def handle_reset(self, *, final_size: int, error_code: int = QuicErrorCode.NO_ERROR) -> events.StreamReset | None:
        """Told of also when all had come: what was not looked at yet is not wanted any more."""
        event = super().handle_reset(final_size=final_size, error_code=error_code)
        self.starts.clear()
        self.waiting.clear()
        return event or events.StreamReset(error_code=error_code, stream_id=self._stream_id)
