"""The windows of an HTTP/2 connection: how much either side may send (RFC 9113, 5.2 and 6.9).

A stream's window is what all of them begin with, and what it was widened by since. So SETTINGS, which change the first,
cost the same however many streams there are: only those that wait for it are looked at, and only when one may go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import Http2Error
from gateway.http.module import Count
from gateway.protocol import http2_frames as wire

if TYPE_CHECKING:
    from gateway.http.h2_stream import Http2Stream

_FLOW_CONTROL_ERROR: Final = wire.FLOW_CONTROL_ERROR
_MAX_WINDOW: Final = wire.MAX_WINDOW
_DEFAULT_WINDOW: Final = wire.DEFAULT_WINDOW


class Windows:
    """Compiled with the types of h2_windows.pxd."""

    def __init__(self) -> None:
        self.send = _DEFAULT_WINDOW  # of the connection
        self.receive = _MAX_WINDOW  # likewise
        self.initial = _DEFAULT_WINDOW  # of a stream, for what we send
        self.widest = 0  # no stream was widened by more
        self.held: set[Http2Stream] = set()  # those that have data, and no window for it
        self.enough = _MAX_WINDOW  # an initial window below this lets none of them go on

    def take_in(self, size: Count) -> Count:
        """DATA of so many bytes came; what the client has to be told that its window is wider by."""
        if size > self.receive:
            raise Http2Error(
                _FLOW_CONTROL_ERROR,
                "client violated connection flow control: "
                f"received DATA frame length {size}, available window {self.receive}",
            )
        self.receive -= size
        if self.receive >= _MAX_WINDOW // 4:
            return 0
        increment = _MAX_WINDOW - self.receive
        self.receive = _MAX_WINDOW
        return increment

    def widen(self, increment: Count) -> None:
        """WINDOW_UPDATE came, for the connection."""
        if increment > _MAX_WINDOW - self.send:
            raise Http2Error(
                _FLOW_CONTROL_ERROR,
                "client violated connection flow control: received WINDOW_UPDATE frame "
                f"with window increment {increment} not allowed for window {self.send}",
            )
        self.send += increment

    def hold(self, stream: Http2Stream) -> None:
        """The stream waits until its window is wider than nothing."""
        if not stream.held:
            stream.held = True
            self.held.add(stream)
        self.enough = min(self.enough, 1 - stream.widened)

    def let_go(self, stream: Http2Stream) -> None:
        stream.held = False
        self.held.discard(stream)

    def begin_with(self, size: Count, streams: dict[int, Any]) -> None:
        """SETTINGS say how wide a stream's window is at first, and change that of all there are."""
        wider = size > self.initial
        self.initial = size
        if not wider:
            return
        if size + self.widest > _MAX_WINDOW:
            self.widest = 0
            stream: Http2Stream
            for stream in list(streams.values()):
                if size + stream.widened > _MAX_WINDOW:
                    stream.reset(_FLOW_CONTROL_ERROR)
                elif stream.widened > self.widest:
                    self.widest = stream.widened
        if size >= self.enough:
            self.enough = _MAX_WINDOW
            for stream in list(self.held):
                if size + stream.widened > 0:
                    stream.resume()
                else:
                    self.enough = min(self.enough, 1 - stream.widened)
