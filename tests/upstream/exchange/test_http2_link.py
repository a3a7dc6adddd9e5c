"""A connection between two requests: what an upstream says then, and what is answered."""

from __future__ import annotations

import pytest

from gateway.upstream.exchange.http2_link import MOST_CONTROL_FRAMES, Link
from tests import http2_frames as wire
from tests.upstream.exchange.test_http2 import Socket

PING = wire.frame_head(8, wire.PING, 0, 0) + b"12345678"


def idle() -> tuple[Link, Socket]:
    """As it is when its first request is over."""
    link = Link()
    link.out.take()
    return link, Socket()


def test_windows_settings_and_pings() -> None:
    link, stream = idle()
    data = wire.window_update(0, 5) + wire.settings([(4, 10)]) + wire.rst_stream(1, 0) + PING
    assert link.hears(data, stream)
    assert stream.data == wire.SETTINGS_ACK + wire.ping_ack(b"12345678")
    assert link.send_window == 65540 and link.initial_window == 10


@pytest.mark.parametrize(
    "data",
    [
        wire.goaway(1, 0),
        b"HTTP/1.1 408 ",
        wire.frame_head(0, wire.DATA, 0, 1),
        wire.headers(1, b"\x88", 0, 99),
        wire.window_update(0, wire.MAX_WINDOW),
        PING * (MOST_CONTROL_FRAMES + 1),
        wire.settings([(4, 2**31)]),
    ],
    ids=["goaway", "HTTP/1", "DATA", "HEADERS", "window", "pings", "settings"],
)
def test_what_makes_it_useless(data: bytes) -> None:
    link, stream = idle()
    assert not link.hears(data, stream)


def test_pings_between_requests_are_counted() -> None:
    link, stream = idle()
    for _ in range(MOST_CONTROL_FRAMES):
        assert link.hears(PING, stream)
    assert not link.hears(PING, stream)
