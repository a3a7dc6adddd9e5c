"""What explain's client understands of a server that speaks HTTP/2: the h2 package is the server."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.settings

from gateway.dev.explain.http2_client import Http2Answer
from gateway.protocol import http2_frames as wire
from gateway.upstream.exchange.http2_whole import request_frames


def _server() -> h2.connection.H2Connection:
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    server.initiate_connection()
    server.receive_data(request_frames("GET", "/", "a", [], secure=True))
    return server


def test_the_final_answer() -> None:
    server, answer = _server(), Http2Answer()
    server.send_headers(1, [(":status", "103"), ("link", "</a>")])
    server.send_headers(1, [(":status", "404"), ("content-type", "text/html"), ("x-long", "l" * 40_000)])
    server.send_data(1, b"none")
    server.send_headers(1, [("x-behind", "1")], end_stream=True)
    data = server.data_to_send()
    sent = b"".join(answer.feed(data[at : at + 7]) for at in range(0, len(data), 7))
    assert answer.head == b"HTTP/2 404\r\ncontent-type: text/html\r\nx-long: " + b"l" * 40_000
    assert not answer.refused
    assert wire.frame_head(0, wire.SETTINGS, wire.ACK, 0) in sent
    server.receive_data(sent)


def test_windows() -> None:
    server, answer = _server(), Http2Answer()
    assert answer.may_send == 65535
    answer.sent(65535)
    assert answer.may_send == 0
    server.increment_flow_control_window(1000)
    answer.feed(server.data_to_send())
    assert answer.may_send == 0
    server.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 65535 + 300})
    answer.feed(server.data_to_send())
    assert answer.may_send == 300
    answer.feed(wire.frame_head(4, wire.WINDOW_UPDATE, 0, 1) + (200).to_bytes(4, "big"))
    assert answer.may_send == 500


def test_no_answer() -> None:
    answer = Http2Answer()
    answer.feed(wire.frame_head(4, wire.RST_STREAM, 0, 1) + (7).to_bytes(4, "big"))
    assert answer.refused == "the stream is reset, error 7" and not answer.head
    answer = Http2Answer()
    answer.feed(wire.frame_head(8, wire.GOAWAY, 0, 0) + bytes(7) + b"\1")
    assert answer.refused == "the connection is closed, error 1"
    assert answer.feed(wire.frame_head(8, wire.PING, 0, 0) + b"12345678")[9:] == b"12345678"
