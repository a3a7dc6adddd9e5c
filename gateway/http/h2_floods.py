"""What a client may do too often on one HTTP/2 connection, counted as nginx counts it.

Each check raises Http2Error, which ends the connection. nginx's words and its limits: whoever keeps below them costs no
more than requests do.
"""

from __future__ import annotations

from typing import Final

from gateway._fast.errors import Http2Error
from gateway.http.module import Count
from gateway.protocol import http2_frames as wire

# Frames that answer the client's (of SETTINGS, PING and the like) and that wait for it to read.
_MOST_ANSWERS: Final = 10_000
# Bytes that are no fields and no bodies: this many are nothing yet, and from then on a share of all.
_OVERHEAD: Final = 1 << 20
_SHARE: Final = 8

_FRAME_HEAD: Final = wire.FRAME_HEAD
_NO_ERROR: Final = wire.NO_ERROR
_ENHANCE_YOUR_CALM: Final = wire.ENHANCE_YOUR_CALM


class Floods:
    """Compiled with the types of h2_floods.pxd."""

    def __init__(self, concurrent_streams: Count, keepalive_requests: Count) -> None:
        self.concurrent_streams = concurrent_streams
        self.idle_limit = 10 * keepalive_requests
        self.most_refused = max(concurrent_streams, 100)
        self.priorities = max(concurrent_streams, 100)  # that may come yet
        self.total_bytes = 0  # received and sent
        self.payload_bytes = 0  # of them, fields and bodies
        self.answers = 0  # frames written that answer the client's, and are not with the kernel as far as is known
        self.idle_events = 0
        self.new_streams = 0  # in this event
        self.canceled_streams = 0  # likewise, by the client: their requests may not know yet
        self.refused_streams = 0

    def event(self, idle: bool) -> None:
        """The lane called; `idle`: no stream was open, and no frame had begun."""
        self.new_streams = self.canceled_streams = 0
        if idle:
            self.idle_events += 1
            if self.idle_events > self.idle_limit:
                raise Http2Error(_NO_ERROR, "http2 flood detected")

    def received(self, size: Count) -> None:
        """Bytes, all of whose frames were looked at."""
        self.total_bytes += size
        if self.total_bytes // _SHARE > self.payload_bytes + _OVERHEAD:
            raise Http2Error(_NO_ERROR, "http2 flood detected")

    def too_many_answers(self) -> bool:
        return self.answers > _MOST_ANSWERS

    def sent(self, pending: Count) -> None:
        """So many bytes wait for the client to read; what was written before them is with the kernel."""
        self.answers = min(self.answers, pending // _FRAME_HEAD)

    def stream_begins(self) -> None:
        self.priorities += self.concurrent_streams

    def refusal(self, open_streams: Count, early: bool) -> str:
        """Why no stream may begin now; "" if one may. `early`: with DATA that no window of ours speaks for yet."""
        under_way = open_streams - self.canceled_streams
        if under_way >= self.concurrent_streams:
            return f"concurrent streams exceeded {under_way}"
        self.new_streams += 1
        if self.new_streams > 2 * self.concurrent_streams:
            return "client sent too many streams at once"
        return "client sent stream with data before settings were acknowledged" if early else ""

    def refused(self) -> None:
        if self.refused_streams > self.most_refused:
            raise Http2Error(_NO_ERROR, "client sent too many refused streams")
        self.refused_streams += 1

    def priority(self) -> None:
        """A PRIORITY frame came."""
        self.priorities -= 1
        if not self.priorities:
            raise Http2Error(_ENHANCE_YOUR_CALM, "client sent too many PRIORITY frames")
