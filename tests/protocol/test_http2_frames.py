"""HTTP/2's numbers and frames, beside the h2 package's."""

from __future__ import annotations

import h2.errors
import h2.settings
from hyperframe import frame as hyperframe

from gateway.protocol import http2_frames as wire


def test_numbers_are_those_of_the_rfc() -> None:
    for code in h2.errors.ErrorCodes:
        assert getattr(wire, code.name, code.value) == code.value
    kinds: tuple[type[hyperframe.Frame], ...] = (
        hyperframe.DataFrame,
        hyperframe.HeadersFrame,
        hyperframe.RstStreamFrame,
        hyperframe.SettingsFrame,
    )
    assert [kind.type for kind in kinds] == [wire.DATA, wire.HEADERS, wire.RST_STREAM, wire.SETTINGS]
    kinds = (hyperframe.PingFrame, hyperframe.GoAwayFrame, hyperframe.WindowUpdateFrame, hyperframe.ContinuationFrame)
    assert [kind.type for kind in kinds] == [wire.PING, wire.GOAWAY, wire.WINDOW_UPDATE, wire.CONTINUATION]


def test_a_settings_frame() -> None:
    data = wire.settings([(wire.INITIAL_WINDOW_SIZE, 7), (wire.MAX_FRAME_SIZE, 20000)])
    frame, size = hyperframe.Frame.parse_frame_header(memoryview(data)[:9])
    frame.parse_body(memoryview(data)[9:])
    assert isinstance(frame, hyperframe.SettingsFrame) and size == len(data) - 9
    assert frame.settings == {4: 7, 5: 20000}
