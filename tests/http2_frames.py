"""HTTP/2 frames as bytes, for tests that send or expect them: the numbers of protocol/http2_frames, and more frames."""

from __future__ import annotations

from struct import Struct
from typing import Final

from gateway.protocol.http2_frames import *  # noqa: F403
from gateway.protocol.http2_frames import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame_head,
)

_WORD: Final = Struct(">I")
_TWO_WORDS: Final = Struct(">II")

SETTINGS_ACK: Final = frame_head(0, SETTINGS, ACK, 0)


def ping_ack(payload: bytes) -> bytes:
    return frame_head(8, PING, ACK, 0) + payload


def window_update(stream: int, increment: int) -> bytes:
    return frame_head(4, WINDOW_UPDATE, 0, stream) + _WORD.pack(increment)


def rst_stream(stream: int, code: int) -> bytes:
    return frame_head(4, RST_STREAM, 0, stream) + _WORD.pack(code)


def goaway(last_stream: int, code: int) -> bytes:
    return frame_head(8, GOAWAY, 0, 0) + _TWO_WORDS.pack(last_stream, code)


def headers(stream: int, block: bytes, flags: int, frame_size: int) -> bytes:
    """A block of fields in a HEADERS frame and as many CONTINUATIONs as it takes."""
    if len(block) <= frame_size:
        return frame_head(len(block), HEADERS, flags | END_HEADERS, stream) + block
    parts = [block[at : at + frame_size] for at in range(0, len(block), frame_size)]
    frames = [frame_head(frame_size, HEADERS, flags, stream) + parts[0]]
    frames += [frame_head(len(part), CONTINUATION, 0, stream) + part for part in parts[1:-1]]
    frames.append(frame_head(len(parts[-1]), CONTINUATION, END_HEADERS, stream) + parts[-1])
    return b"".join(frames)
