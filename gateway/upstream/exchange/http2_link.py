"""A connection to an upstream that speaks HTTP/2: its frames, windows and table of fields, which outlive a request."""

from __future__ import annotations

from typing import Any, Final

from gateway._fast.errors import Http2Error
from gateway._fast.hpack import Decoder
from gateway._fast.http2_reader import (
    BLOCK_BEGINS,
    DATA,
    GOAWAY,
    NOTHING,
    PING,
    SETTINGS,
    WINDOW_UPDATE,
    FrameReader,
)
from gateway._fast.http2_writer import FrameWriter
from gateway.http.module import Count
from gateway.protocol import http2_frames as wire

# Of an answer's head: what nginx's buffer for one may be at most, its decoded text.
_HEAD_LIMIT: Final = 1 << 20
# What is answered again and again is no conversation.
MOST_CONTROL_FRAMES: Final = 1000

_MAX_WINDOW: Final = wire.MAX_WINDOW
_DEFAULT_WINDOW: Final = wire.DEFAULT_WINDOW


class Link:
    """What both ends of a connection know of each other. Compiled with the types of http2_link.pxd."""

    def __init__(self, shared: Count = -1) -> None:
        """`shared`: the window that a stream begins with, on a connection that a Carrier looks after."""
        self.reader = FrameReader(Decoder(_HEAD_LIMIT, _HEAD_LIMIT, 0), True)
        self.out = FrameWriter()
        self.send_window = _DEFAULT_WINDOW
        self.initial_window = _DEFAULT_WINDOW
        self.frame_size = wire.DEFAULT_FRAME_SIZE
        self.recv_window = _MAX_WINDOW
        self.last_id = -1  # the first stream is 1
        self.control_frames = 0
        self.goaway = False
        if shared >= 0:
            self.initial_window = shared
            self.send_window = _MAX_WINDOW
            return
        # The peer sends as fast as we read: its socket, not its windows, tells it how fast that is.
        self.out.put(wire.PREFACE)
        self.out.put(
            wire.settings(
                ((wire.HEADER_TABLE_SIZE, 0), (wire.ENABLE_PUSH, 0), (wire.INITIAL_WINDOW_SIZE, _MAX_WINDOW))
            )
        )
        self.out.window_update(0, _MAX_WINDOW - _DEFAULT_WINDOW)

    def hears(self, data: bytes, stream: Any) -> bool:
        """What came while no request is under way; whether the connection is good for another one."""
        reader = self.reader
        reader.feed(data)
        try:
            while True:
                event = reader.next()
                if event == NOTHING:
                    break
                if event in (DATA, BLOCK_BEGINS, GOAWAY):
                    return False
                if event == WINDOW_UPDATE and not reader.stream:
                    self.send_window += reader.value
                elif event == SETTINGS:
                    self.control_frames += 1
                    self.initial_window = reader.window if reader.window >= 0 else self.initial_window
                    self.out.settings_ack()
                elif event == PING:
                    self.control_frames += 1
                    self.out.ping_ack(reader.part())
        except Http2Error:
            return False
        if self.out.waiting():
            stream.send(self.out.take())
        return self.send_window <= _MAX_WINDOW and self.control_frames <= MOST_CONTROL_FRAMES
