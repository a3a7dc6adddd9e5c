"""An HTTP/2 connection: its beginning, its limits, its end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import h2.exceptions
import h2.settings
import hpack
import pytest
import trio

from tests import certificates
from tests import http2_frames as wire
from tests.engine import serving
from tests.http2_client import Http2Client, http2, request, speaking

SERVER = 'server { listen 127.0.0.1:8080; http2 on; %s location / { return 200 "text"; } }'


async def test_a_port_speaks_both() -> None:
    async with serving(SERVER % "") as engine:
        assert (await engine.get("/")).body == b"text"
        async with http2(engine) as client:
            assert (await client.get("/")).body == b"text"


async def test_the_parameter_of_listen_is_enough() -> None:
    async with speaking('server { listen 127.0.0.1:8080 http2; location / { return 200 "text"; } }') as client:
        assert (await client.get("/")).body == b"text"


async def test_without_http2_the_preface_is_no_request() -> None:
    async with serving('server { listen 127.0.0.1:8080; location / { return 200 "text"; } }') as engine:
        assert b" 400 " in await engine.raw(wire.PREFACE)


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_a_preface_that_comes_in_pieces(size: int) -> None:
    async with serving(SERVER % "") as engine, engine.connect() as stream:
        data = wire.PREFACE + wire.settings(())
        for at in range(0, len(data), size):
            await stream.send_all(data[at : at + size])
            await trio.sleep(0)
        received = b""
        while wire.SETTINGS_ACK not in received:
            received += await stream.receive_some()


@pytest.mark.parametrize(
    ("frame", "code", "words"),
    [
        (wire.frame_head(0, wire.CONTINUATION, 4, 1), wire.PROTOCOL_ERROR, "unexpected CONTINUATION"),
        (wire.frame_head(0, wire.PUSH_PROMISE, 4, 1), wire.PROTOCOL_ERROR, "client sent PUSH_PROMISE frame"),
        (wire.frame_head(3, wire.PING, 0, 0) + b"abc", wire.FRAME_SIZE_ERROR, "PING frame with incorrect length 3"),
        (wire.frame_head(1, wire.DATA, 0, 0) + b"a", wire.PROTOCOL_ERROR, "DATA frame with incorrect identifier"),
        (wire.window_update(0, 0), wire.PROTOCOL_ERROR, "incorrect window increment 0"),
        (wire.window_update(0, wire.MAX_WINDOW), wire.FLOW_CONTROL_ERROR, "violated connection flow control"),
        (wire.settings([(4, 2**31)]), wire.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE value 2147483648"),
        (wire.settings([(5, 1)]), wire.PROTOCOL_ERROR, "MAX_FRAME_SIZE value 1"),
        (wire.settings([(2, 2)]), wire.PROTOCOL_ERROR, "ENABLE_PUSH value 2"),
        (wire.headers(2, b"\x82", 1, 16384), wire.PROTOCOL_ERROR, "HEADERS frame with incorrect identifier 2"),
        (wire.headers(0, b"\x82", 1, 16384), wire.PROTOCOL_ERROR, "HEADERS frame with incorrect identifier 0"),
        (wire.headers(1, b"\xff\xff\xff\xff\x0f", 1, 16384), wire.COMPRESSION_ERROR, "too long header index value"),
    ],
)
async def test_errors_of_the_connection(frame: bytes, code: int, words: str) -> None:
    async with serving(SERVER % "") as engine:
        async with http2(engine) as client:
            await client.raw(frame)
            await client.until_closed()
            assert client.goaway == code
        assert [line for line in engine.log.lines if words in line and "[info]" in line]


async def test_unknown_frames_are_skipped() -> None:
    async with serving(SERVER % "") as engine, http2(engine) as client:
        await client.raw(wire.frame_head(5, 77, 0, 3) + b"abcde")
        assert (await client.get("/")).status == 200


async def test_keepalive_requests_end_the_connection() -> None:
    async with serving(SERVER % "keepalive_requests 2;") as engine, http2(engine) as client:
        assert (await client.get("/")).status == 200
        assert client.goaway is None
        assert (await client.get("/")).status == 200
        await client.until_closed()
        assert client.goaway == 0


async def test_an_idle_connection_ends() -> None:
    async with serving(SERVER % "keepalive_timeout 50ms;") as engine, http2(engine) as client:
        assert (await client.get("/")).status == 200
        await client.until_closed()
        assert client.goaway == 0


async def test_an_idle_connection_that_was_never_used_ends_without_an_error() -> None:
    async with serving(SERVER % "client_header_timeout 50ms;") as engine:
        async with http2(engine) as client:
            await client.until_closed()
            assert client.goaway == 0
        assert not [line for line in engine.log.lines if "timed out" in line]


async def test_a_frame_that_does_not_end_in_time_is_an_error() -> None:
    async with serving(SERVER % "client_header_timeout 50ms;") as engine:
        async with http2(engine) as client:
            await client.raw(wire.frame_head(8, wire.PING, 0, 0) + b"abc")
            await client.until_closed()
            assert client.goaway == wire.PROTOCOL_ERROR
        assert [line for line in engine.log.lines if "client timed out (110: Connection timed out)" in line]


async def test_a_stream_that_is_open_does_not_begin_again() -> None:
    """Also when the block of its second beginning never ends: its request must not be forgotten."""
    zone = "limit_req_zone $uri zone=one:1m rate=1r/m;"
    slow = SERVER % "client_header_timeout 50ms; location /slow { limit_req zone=one burst=5; }"
    async with serving(zone + slow) as engine:
        async with http2(engine) as client:
            await client.get("/slow")
            number = await client.begin(request("/slow"))
            await client.raw(wire.frame_head(1, wire.HEADERS, 0, number) + b"\x82")
            await client.until_closed()
            assert client.goaway == wire.PROTOCOL_ERROR
        assert [line for line in engine.log.lines if f"incorrect identifier {number}, the last was {number}" in line]


async def test_a_block_of_fields_that_does_not_end_in_time_ends_its_stream() -> None:
    async with serving(SERVER % "client_header_timeout 50ms;") as engine, engine.connect() as stream:
        await stream.send_all(wire.PREFACE + wire.settings(()) + wire.frame_head(1, wire.HEADERS, 1, 1) + b"\x82")
        received = b""
        while not received.endswith(wire.rst_stream(1, wire.PROTOCOL_ERROR)):
            received += await stream.receive_some()


async def test_events_of_an_idle_connection_are_counted() -> None:
    async with serving(SERVER % "keepalive_requests 2;") as engine:
        async with http2(engine) as client:
            with contextlib.suppress(trio.BrokenResourceError):
                for _ in range(40):
                    await client.raw(wire.window_update(0, 1))
                    await trio.sleep(0)
            await client.until_closed()
            assert client.goaway == 0
        assert [line for line in engine.log.lines if "http2 flood detected" in line]


async def test_a_worker_that_ends_says_so_and_serves_what_has_begun() -> None:
    zone = "limit_req_zone $uri zone=one:1m rate=10r/s;"
    slow = SERVER % "location /slow { limit_req zone=one burst=5; }"
    async with serving(zone + slow) as engine, http2(engine) as client:
        await client.get("/slow")
        number = await client.begin(request("/slow"))
        await client.until(lambda: client.connection.remote_settings.max_concurrent_streams == 128)
        await trio.sleep(0.01)
        engine.worker.close_idle()
        assert (await client.answer(number)).status == 404
        await client.until_closed()
        assert client.goaway == 0


async def test_too_many_streams_are_refused() -> None:
    zone = "limit_req_zone $uri zone=one:1m rate=1r/s;"
    slow = SERVER % "http2_max_concurrent_streams 1; location /slow { limit_req zone=one burst=5; }"
    async with serving(zone + slow) as engine, http2(engine) as client:
        await client.get("/slow")
        first = await client.begin(request("/slow"))
        client.connection.remote_settings = h2.settings.Settings(client=False)  # h2 would not send more
        second = await client.begin(request("/"))
        assert (await client.answer(second)).reset == wire.REFUSED_STREAM
        client.connection.reset_stream(first)
        await client.flush()
        assert (await client.get("/")).status == 200


async def test_a_flood_of_pings_that_nobody_reads_ends_the_connection() -> None:
    async with serving(SERVER % "") as engine, http2(engine) as client:
        ping = wire.frame_head(8, wire.PING, 0, 0) + bytes(8)
        with pytest.raises(trio.BrokenResourceError):
            with trio.fail_after(20):
                while True:
                    await client.raw(ping * 1000)


async def test_rapid_resets_end_the_connection() -> None:
    async with serving(SERVER % "") as engine:
        async with http2(engine) as client:
            block = hpack.Encoder().encode(request("/"))
            pairs = [wire.headers(n, block, 1, 16384) + wire.rst_stream(n, 8) for n in range(1, 2001, 2)]
            await client.raw(b"".join(pairs))
            with contextlib.suppress(h2.exceptions.ProtocolError):  # answers to what h2 has not asked
                await client.until_closed()
        assert [line for line in engine.log.lines if "client sent too many refused streams" in line]


async def test_over_tls_by_alpn(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    text = f"""
        server {{
            listen 127.0.0.1:8443 ssl; http2 on; server_name localhost;
            ssl_certificate {chain}; ssl_certificate_key {key};
            location / {{ return 200 "$http2 $scheme $ssl_alpn_protocol $ssl_server_name"; }}
            location /moved {{ return 302 /x; }}
        }}"""
    context = certificates.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with serving(text) as engine:
        stream = trio.SSLStream(engine.connect(), context, server_hostname="localhost", https_compatible=True)
        async with stream:
            client = Http2Client(stream)
            await client.flush()
            assert (await client.get("/")).body == b"h2 https h2 localhost"
            assert (await client.get("/moved")).fields[b"location"] == b"https://localhost/x"


async def test_one_that_has_said_goodbye_is_closed_when_connections_run_short() -> None:
    async with serving(SERVER % "lingering_timeout 60s;") as engine, http2(engine) as client:
        assert (await client.get("/")).status == 200
        connection: Any
        (connection,) = engine.worker.connections
        connection.reuse()  # the first time the client is told
        await client.until(lambda: client.goaway == 0)
        if engine.worker.connections:
            assert connection.over
            connection.reuse()
        assert not engine.worker.connections
        await client.until_closed()
