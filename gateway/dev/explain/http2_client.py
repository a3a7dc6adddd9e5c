"""explain's client where HTTP/2 is spoken: what the server sends, as the head of an answer, and how much it takes."""

from __future__ import annotations

from typing import Final

from gateway._fast.hpack import Decoder
from gateway.dev.explain.packets_h2 import fragment
from gateway.protocol import http2_frames as wire

_MOST: Final = 1 << 20


class Http2Answer:
    """Frames in, and the answer as HTTP/1 would have its head; windows of the request's body."""

    def __init__(self) -> None:
        self.head = b""  # of the final answer, once it is here
        self.refused = ""  # why there is none
        self.room = wire.DEFAULT_WINDOW  # of the connection
        self.stream_room = wire.DEFAULT_WINDOW
        self._initial = wire.DEFAULT_WINDOW
        self._buffer = b""
        self._block = b""
        self._decoder = Decoder(_MOST, _MOST, 4096)

    def feed(self, data: bytes) -> bytes:
        """Take what came; what is to be sent for it."""
        self._buffer += data
        out = b""
        while len(self._buffer) >= wire.FRAME_HEAD:
            end = wire.FRAME_HEAD + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < end:
                break
            frame, self._buffer = self._buffer[:end], self._buffer[end:]
            out += self._take(frame[3], frame[4], int.from_bytes(frame[5:9], "big"), frame[wire.FRAME_HEAD :])
        return out

    @property
    def may_send(self) -> int:
        """Bytes of the body that the windows let go."""
        return max(0, min(self.room, self.stream_room))

    def sent(self, count: int) -> None:
        self.room -= count
        self.stream_room -= count

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        if kind == wire.SETTINGS and not flags & wire.ACK:
            self._settings(payload)
            return wire.frame_head(0, wire.SETTINGS, wire.ACK, 0)
        if kind == wire.PING and not flags & wire.ACK:
            return wire.frame_head(8, wire.PING, wire.ACK, 0) + payload
        if kind == wire.WINDOW_UPDATE:
            more = int.from_bytes(payload, "big")
            if stream:
                self.stream_room += more
            else:
                self.room += more
        elif kind in (wire.HEADERS, wire.CONTINUATION):
            self._block += fragment(kind, flags, payload)
            if flags & wire.END_HEADERS:
                self._fields()
        elif kind == wire.RST_STREAM and not self.head:
            self.refused = f"the stream is reset, error {int.from_bytes(payload, 'big')}"
        elif kind == wire.GOAWAY and int.from_bytes(payload[4:8], "big") and not self.head:
            self.refused = f"the connection is closed, error {int.from_bytes(payload[4:8], 'big')}"
        return b""

    def _settings(self, payload: bytes) -> None:
        for at in range(0, len(payload) - 5, 6):
            if int.from_bytes(payload[at : at + 2], "big") == wire.INITIAL_WINDOW_SIZE:
                value = int.from_bytes(payload[at + 2 : at + 6], "big")
                self.stream_room += value - self._initial
                self._initial = value

    def _fields(self) -> None:
        fields, self._block = self._decoder.decode(self._block), b""
        status = next((value for name, value in fields if name == b":status"), b"")
        if self.head or status.startswith(b"1") or not status:
            return  # what comes before the answer, and behind it
        lines = [b"HTTP/2 " + status]
        lines += [name + b": " + value for name, value in fields if not name.startswith(b":")]
        self.head = b"\r\n".join(lines)
