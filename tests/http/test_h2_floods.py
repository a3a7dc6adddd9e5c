"""What is too much on one connection, in numbers: nginx's."""

from __future__ import annotations

import pytest

from gateway._fast.errors import Http2Error
from gateway.http.h2_floods import Floods
from gateway.protocol import http2_frames as wire


def test_bytes_that_are_no_payload_may_be_a_mebibyte_and_seven_eighths() -> None:
    floods = Floods(128, 1000)
    floods.received(8 << 20)
    with pytest.raises(Http2Error, match="http2 flood detected"):
        floods.received(8)
    floods.payload_bytes = 100
    floods.received(792)
    with pytest.raises(Http2Error):
        floods.received(8)


def test_answers_that_wait() -> None:
    floods = Floods(128, 1000)
    floods.answers = 10_000
    assert not floods.too_many_answers()
    floods.answers += 1
    assert floods.too_many_answers()
    floods.sent(wire.FRAME_HEAD * 20)
    assert floods.answers == 20
    floods.sent(0)
    assert floods.answers == 0


def test_events_of_an_idle_connection() -> None:
    floods = Floods(128, 2)
    for _ in range(20):
        floods.event(True)
        floods.event(False)
    with pytest.raises(Http2Error, match="http2 flood detected"):
        floods.event(True)


def test_streams_that_may_not_begin() -> None:
    floods = Floods(2, 1000)
    assert floods.refusal(2, False) == "concurrent streams exceeded 2"
    floods.canceled_streams = 1
    for _ in range(4):
        assert not floods.refusal(2, False)
    assert floods.refusal(0, False) == "client sent too many streams at once"
    floods.event(False)  # in the next event it begins anew
    assert "before settings were acknowledged" in floods.refusal(0, True)
    for _ in range(101):
        floods.refused()
    with pytest.raises(Http2Error, match="too many refused streams"):
        floods.refused()


def test_priorities() -> None:
    floods = Floods(128, 1000)
    for _ in range(127):
        floods.priority()
    floods.stream_begins()
    for _ in range(128):
        floods.priority()
    with pytest.raises(Http2Error, match="too many PRIORITY frames") as caught:
        floods.priority()
    assert caught.value.code == wire.ENHANCE_YOUR_CALM
