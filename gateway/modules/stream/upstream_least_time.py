"""stream_upstream_least_time: `least_time connect | first_byte | last_byte [inflight]`."""

from __future__ import annotations

from typing import Final

from gateway.config.directive import Context, Directive, take
from gateway.modules.http.upstream_least_time import time_setter
from gateway.stream.module import StreamModule
from gateway.upstream.peers.least_time import CONNECT, FIRST_BYTE, LAST_BYTE

_MODES: Final = {"connect": CONNECT, "first_byte": FIRST_BYTE, "last_byte": LAST_BYTE}

module = StreamModule(
    name="stream_upstream_least_time",
    directives=(Directive("least_time", Context.STREAM_UPSTREAM, take(1, 2), time_setter(_MODES)),),
)
