"""HTTP/2 frames (RFC 9113): what a client sends, taken apart and checked; what we send, put together.

`FrameReader` is fed with bytes and gives frames. It knows the form of each frame and nothing of streams. A block of
fields comes whole, its CONTINUATIONs joined; a DATA frame comes in parts as its bytes do, so that nothing has to be
held back. Everything else that is refused here ends the connection, with nginx's codes and words.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final, NamedTuple

from gateway._fast.errors import Http2Error as Http2Error

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9
UNKNOWN: Final = 10  # and whatever is greater

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITIZED: Final = 0x20

NO_ERROR: Final = 0x0
PROTOCOL_ERROR: Final = 0x1
INTERNAL_ERROR: Final = 0x2
FLOW_CONTROL_ERROR: Final = 0x3
STREAM_CLOSED: Final = 0x5
FRAME_SIZE_ERROR: Final = 0x6
REFUSED_STREAM: Final = 0x7
CANCEL: Final = 0x8
COMPRESSION_ERROR: Final = 0x9
ENHANCE_YOUR_CALM: Final = 0xB

ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5

MAX_WINDOW: Final = 2**31 - 1
DEFAULT_WINDOW: Final = 65535
DEFAULT_FRAME_SIZE: Final = 16384
LARGEST_FRAME_SIZE: Final = 2**24 - 1
FRAME_HEAD: Final = 9

_HEAD: Final = Struct(">HBBBI")  # length (16 + 8 bits), type, flags, stream
_SETTING: Final = Struct(">HI")
_WORD: Final = Struct(">I")
_TWO_WORDS: Final = Struct(">II")
_STREAM_BITS: Final = 0x7FFFFFFF


class Frame(NamedTuple):
    """One frame, or a part of a DATA frame."""

    type: int
    flags: int  # END_STREAM stands with the last part of DATA only
    stream: int
    payload: bytes  # without padding; of HEADERS: the whole block of fields
    # Of DATA: the length of the whole frame with its padding, with the first part; 0 with the others.
    # Of HEADERS: the length of the block of fields.
    size: int = 0
    depends_on: int = 0  # of HEADERS


class FrameReader:
    """Bytes in, frames out. `block_limit`: the most that a block of fields may have."""

    def __init__(self, block_limit: int) -> None:
        self.block_limit = block_limit
        self.last_stream = 0  # the last that HEADERS began
        self.refusing = False  # no stream begins any more: GOAWAY was sent
        self._buffer = b""
        self._at = 0
        self._begun = False  # the preface was there
        self._head: tuple[int, int, int] | None = None  # (type, flags, stream) of a frame that is not all here
        self._left = 0  # of its payload
        self._padding = 0  # at the end of a DATA frame under way
        self._in_data = False
        self._block: list[bytes] = []
        self._block_head: Frame | None = None  # HEADERS that go on in CONTINUATIONs
        self._block_size = 0

    @property
    def incomplete(self) -> bool:
        """Whether a frame, or a block of fields, has begun and not ended."""
        return self._at < len(self._buffer) or self._head is not None or self._block_head is not None

    @property
    def block_stream(self) -> int:
        """The stream whose block of fields is under way; 0: none is."""
        if self._block_head is not None:
            return self._block_head.stream
        head = self._head
        return head[2] if head is not None and head[0] == HEADERS and not self.refusing else 0

    def feed(self, data: bytes) -> None:
        self._buffer = self._buffer[self._at :] + data if self._at < len(self._buffer) else data
        self._at = 0

    def next_frame(self) -> Frame | None:
        """The next frame, None if more bytes are needed. Errors: Http2Error."""
        if not self._begun and not self._read_preface():
            return None
        while True:
            if self._head is None and not self._read_head():
                return None
            kind, flags, stream = self._head  # type: ignore[misc]
            if kind == DATA:
                return self._data(flags, stream)
            dropped = kind == GOAWAY or (kind == PING and flags & ACK) or (kind == HEADERS and self.refusing)
            if dropped or kind >= UNKNOWN:
                if not self._skip():
                    return None
                if kind >= UNKNOWN:
                    return Frame(kind, flags, stream, b"")
                continue
            end = self._at + self._left
            if end > len(self._buffer):
                return None
            payload = self._buffer[self._at : end]
            self._at = end
            self._head = None
            if kind in (HEADERS, CONTINUATION):
                block = self._headers(kind, flags, stream, payload)
                if block is None:
                    continue
                return block
            return Frame(kind, flags, stream, payload)

    def _read_preface(self) -> bool:
        here = self._buffer[: len(PREFACE)]
        if not PREFACE.startswith(here):
            raise Http2Error(PROTOCOL_ERROR, "invalid connection preface")
        if len(here) < len(PREFACE):
            return False
        self._begun = True
        self._at = len(PREFACE)
        return True

    def _read_head(self) -> bool:
        buffer = self._buffer
        at = self._at
        if len(buffer) - at < FRAME_HEAD:
            return False
        high, low, kind, flags, stream = _HEAD.unpack_from(buffer, at)
        self._at = at + FRAME_HEAD
        length = high << 8 | low
        stream &= _STREAM_BITS
        if self._block_head is not None:
            if kind != CONTINUATION:
                raise Http2Error(PROTOCOL_ERROR, "client sent inappropriate frame while CONTINUATION was expected")
            if stream != self._block_head.stream:
                raise Http2Error(PROTOCOL_ERROR, "client sent CONTINUATION frame with incorrect identifier")
        elif kind < UNKNOWN:
            _check(kind, flags, stream, length)
        if kind == HEADERS and not self.refusing:
            # before its block is here, which may never be
            if stream % 2 == 0 or stream <= self.last_stream:
                raise Http2Error(
                    PROTOCOL_ERROR,
                    f"client sent HEADERS frame with incorrect identifier {stream}, the last was {self.last_stream}",
                )
            self.last_stream = stream
        if kind == CONTINUATION or (kind == HEADERS and not self.refusing):
            self._block_size += length
            if self._block_size > self.block_limit:
                raise Http2Error(ENHANCE_YOUR_CALM, "client sent too large header")
        self._head = kind, flags, stream
        self._left = length
        return True

    def _skip(self) -> bool:
        """Drop the payload; True once all of it is gone."""
        here = min(len(self._buffer) - self._at, self._left)
        self._at += here
        self._left -= here
        if self._left:
            return False
        self._head = None
        return True

    def _data(self, flags: int, stream: int) -> Frame | None:
        size = 0
        if not self._in_data:
            size = length = self._left
            if flags & PADDED:
                if self._at >= len(self._buffer):
                    return None
                self._padding = self._buffer[self._at]
                self._at += 1
                if self._padding >= length:
                    raise Http2Error(
                        PROTOCOL_ERROR,
                        f"client sent padded DATA frame with incorrect length: {length}, padding: {self._padding}",
                    )
                self._left -= 1
            self._in_data = True
        here = min(len(self._buffer) - self._at, self._left)
        if not here and self._left and not size:
            return None
        body = min(here, max(self._left - self._padding, 0))
        payload = self._buffer[self._at : self._at + body]
        self._at += here
        self._left -= here
        if self._left:
            return Frame(DATA, flags & ~END_STREAM, stream, payload, size)
        self._head = None
        self._in_data = False
        self._padding = 0
        return Frame(DATA, flags, stream, payload, size)

    def _headers(self, kind: int, flags: int, stream: int, payload: bytes) -> Frame | None:
        depends_on = 0
        if kind == HEADERS:
            payload, depends_on = _field_block(flags, payload)
        if not flags & END_HEADERS:
            if self._block_head is None:
                self._block_head = Frame(HEADERS, flags, stream, b"", 0, depends_on)
            self._block.append(payload)
            return None
        first = self._block_head
        if first is not None:
            flags |= first.flags
            depends_on = first.depends_on
            payload = b"".join((*self._block, payload))
            self._block_head = None
            self._block = []
        self._block_size = 0
        return Frame(HEADERS, flags, stream, payload, len(payload), depends_on)


# A frame of settings is read as a whole; there are six of them, and no client that means it sets one so often.
_MOST_SETTINGS: Final = 6 * 1000
_NAMES: Final = {
    DATA: "DATA",
    HEADERS: "HEADERS",
    PRIORITY: "PRIORITY",
    RST_STREAM: "RST_STREAM",
    SETTINGS: "SETTINGS",
    PING: "PING",
    GOAWAY: "GOAWAY",
    WINDOW_UPDATE: "WINDOW_UPDATE",
}
_LENGTHS: Final = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}


def _check(kind: int, flags: int, stream: int, length: int) -> None:
    """What the head of a frame says wrong by itself. Errors: Http2Error."""
    if kind == PUSH_PROMISE:
        raise Http2Error(PROTOCOL_ERROR, "client sent PUSH_PROMISE frame")
    if kind == CONTINUATION:
        raise Http2Error(PROTOCOL_ERROR, "client sent unexpected CONTINUATION frame")
    name = _NAMES[kind]
    if length != _LENGTHS.get(kind, length) or (kind == GOAWAY and length < 8):
        raise Http2Error(FRAME_SIZE_ERROR, f"client sent {name} frame with incorrect length {length}")
    if kind == HEADERS:
        least = (1 if flags & PADDED else 0) + (5 if flags & PRIORITIZED else 0)
        if length < least:
            raise Http2Error(FRAME_SIZE_ERROR, f"client sent HEADERS frame with incorrect length {length}")
        if length == least:
            raise Http2Error(FRAME_SIZE_ERROR, "client sent HEADERS frame with empty header block")
        return
    if kind == DATA and flags & PADDED and not length:
        raise Http2Error(FRAME_SIZE_ERROR, "client sent padded DATA frame with incorrect length: 0")
    if kind == SETTINGS and flags == ACK:
        if length:
            raise Http2Error(FRAME_SIZE_ERROR, "client sent SETTINGS frame with the ACK flag and nonzero length")
    elif kind == SETTINGS and (length % 6 or length > _MOST_SETTINGS) and not stream:
        raise Http2Error(FRAME_SIZE_ERROR, f"client sent SETTINGS frame with incorrect length {length}")
    if stream != 0 if kind in (SETTINGS, PING, GOAWAY) else stream == 0 and kind != WINDOW_UPDATE:
        raise Http2Error(PROTOCOL_ERROR, f"client sent {name} frame with incorrect identifier")


def _field_block(flags: int, payload: bytes) -> tuple[bytes, int]:
    """A HEADERS frame's own part of the block of fields, and what its stream depends on."""
    at, end, depends_on = 0, len(payload), 0
    if flags & PADDED:
        at = 1
    if flags & PRIORITIZED:
        depends_on = _WORD.unpack_from(payload, at)[0] & _STREAM_BITS
        at += 5
    if flags & PADDED:
        padding = payload[0]
        if padding > end - at:
            raise Http2Error(
                PROTOCOL_ERROR,
                f"client sent padded HEADERS frame with incorrect length: {end - at}, padding: {padding}",
            )
        end -= padding
    return payload[at:end], depends_on


def settings_of(payload: bytes) -> list[tuple[int, int]]:
    return list(_SETTING.iter_unpack(payload))


def word_of(payload: bytes) -> int:
    """The number that a RST_STREAM, WINDOW_UPDATE or PRIORITY frame begins with."""
    word: int = _WORD.unpack_from(payload)[0]
    return word


def frame_head(length: int, kind: int, flags: int, stream: int) -> bytes:
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream)


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    payload = b"".join([_SETTING.pack(*setting) for setting in values])
    return frame_head(len(payload), SETTINGS, 0, 0) + payload


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
