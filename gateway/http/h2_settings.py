"""What a server says of HTTP/2; nginx's http2_* directives."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.protocol import http2_frames as wire


@dataclass(frozen=True, slots=True)
class Http2Settings:
    concurrent_streams: int = 128
    preread_size: int = 65536  # of a body that nobody has asked for yet: a stream's window at its beginning

    def greeting(self) -> bytes:
        """What a connection begins with."""
        return wire.settings(
            (
                (wire.MAX_CONCURRENT_STREAMS, self.concurrent_streams),
                (wire.INITIAL_WINDOW_SIZE, self.preread_size),
                (wire.MAX_FRAME_SIZE, wire.LARGEST_FRAME_SIZE),
            )
        )


DEFAULT = Http2Settings()
