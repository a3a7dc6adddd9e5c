"""exchange.carrier: many requests over one HTTP/2 connection to an upstream, which is a server of the h2 package."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from tests import certificates
from tests import http2_frames as wire
from tests.engine import serving
from tests.http2_server import Call, Server, http2_server

COUNT = 100
NO_CONTENT = b"\x89"  # :status 204, of the static table
CONF = """
upstream u {{ server 127.0.0.1:{port}; keepalive {keepalive}; {more} }}
server {{
    listen 127.0.0.1:8080;
    location / {{ proxy_pass http://u; proxy_http_version 2; proxy_buffer_size 8k; {location} }}
    location /grpc/ {{ grpc_pass grpc://u; {location} }}
}}
"""


def conf(server: Server, location: str = "", *, keepalive: str = "4 multiplex", more: str = "") -> str:
    return CONF.format(port=server.port, keepalive=keepalive, more=more, location=location)


class Together:
    """Answers when so many requests are there."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.here = trio.Event()

    async def __call__(self, call: Call) -> None:
        self.count -= 1
        if not self.count:
            self.here.set()
        await self.here.wait()
        if call.reset is not None:
            return
        await call.head([(b":status", b"200")])
        await call.data(call.get(b":path") or b"", end=True)


async def all_at_once(ask: Callable[[int], Awaitable[Any]], count: int = COUNT) -> list[Any]:
    replies: list[Any] = [None] * count

    async def one(number: int) -> None:
        replies[number] = await ask(number)

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(one, number)
    return replies


async def until(condition: Callable[[], object], limit_s: float = 30) -> None:
    with trio.fail_after(limit_s):
        while not condition():
            await trio.sleep(0.01)


def connections(server: Server) -> list[int]:
    """How many requests each connection had."""
    return [len(one.calls) for one in server.conversations if one.calls]


async def test_a_hundred_requests_share_a_connection() -> None:
    async with http2_server(Together(COUNT)) as server, serving(conf(server)) as engine:
        replies = await all_at_once(lambda i: engine.get(f"/{i}"))
        assert [reply.body for reply in replies] == [b"/%d" % i for i in range(COUNT)]
        assert connections(server) == [COUNT]
        server.conversations[0].handler = Together(1)
        assert (await engine.get("/again")).body == b"/again" and connections(server) == [COUNT + 1]
        numbers = [call.number for call in server.calls]
        assert sorted(numbers) == numbers == list(range(1, 2 * COUNT + 2, 2))


async def test_grpc_calls_share_a_connection_as_well() -> None:
    async with http2_server(Together(COUNT)) as server, serving(conf(server)) as engine:
        replies = await all_at_once(lambda i: engine.request("POST", f"/grpc/{i}", {}, b"call"))
        assert [reply.body for reply in replies] == [b"/grpc/%d" % i for i in range(COUNT)]
    assert connections(server) == [COUNT] and {call.body for call in server.calls} == {b"call"}


async def test_no_more_share_it_than_are_allowed() -> None:
    async with http2_server(Together(20)) as server:
        async with serving(conf(server, keepalive="4 multiplex=10")) as engine:
            await all_at_once(lambda i: engine.get(f"/{i}"), 20)
        assert sorted(connections(server)) == [10, 10]


async def test_the_peers_limit_holds() -> None:
    async with http2_server(Together(20), most=8) as server:
        async with serving(conf(server)) as engine:
            replies = await all_at_once(lambda i: engine.request("POST", f"/{i}", {}, b"x"), 20)
            assert {reply.status for reply in replies} == {200}
        assert sorted(connections(server)) == [4, 8, 8]


async def test_a_reset_stream_leaves_the_others() -> None:
    together = Together(10)

    async def handler(call: Call) -> None:
        if call.get(b":path") == b"/3":
            await call.refuse(2)
        else:
            await together(call)

    together.count = 9
    async with http2_server(handler) as server, serving(conf(server)) as engine:
        replies = await all_at_once(lambda i: engine.get(f"/{i}"), 10)
        assert [reply.status for reply in replies] == [502 if i == 3 else 200 for i in range(10)]
        assert any("upstream rejected request with error 2" in line for line in engine.log.lines)
    assert connections(server) == [10]


async def test_a_refused_stream_is_asked_anew_whatever_the_method() -> None:
    refused: list[int] = []

    async def handler(call: Call) -> None:
        body = await call.whole()
        if not refused:
            refused.append(call.number)
            await call.refuse(7)
        else:
            await call.head([(b":status", b"200")])
            await call.data(body, end=True)

    async with http2_server(handler) as server, serving(conf(server)) as engine:
        reply = await engine.request("POST", "/", {}, b"body")
        assert reply.status == 200 and reply.body == b"body" and refused == [1]
    assert len(server.calls) == 2


async def test_a_peer_that_refuses_for_ever_is_left() -> None:
    async def handler(call: Call) -> None:
        await call.whole()
        await call.refuse(7)

    async with http2_server(handler) as server, serving(conf(server)) as engine:
        assert (await engine.request("POST", "/", {}, b"body")).status == 502
    assert 1 < len(server.calls) < 20


async def test_after_goaway_streams_are_ended_or_asked_elsewhere() -> None:
    async def handler(call: Call) -> None:
        connection = call.server.connection
        first = call.server is server.conversations[0]
        if first and call.number == 7:
            connection.close_connection(0, last_stream_id=3)
            await call.server.flush()
            # h2 has no way to go on, so its answers are written as they stand
            for number in (1, 3):
                await call.server.stream.send_all(wire.headers(number, NO_CONTENT, wire.END_STREAM, 16384))
        elif not first:
            await call.head([(b":status", b"200")], end=True)

    async with http2_server(handler) as server, serving(conf(server)) as engine:
        replies = await all_at_once(lambda i: engine.request("POST", f"/{i}", {}, b"x"), 4)
        assert sorted(reply.status for reply in replies) == [200, 200, 204, 204]
        assert connections(server) == [4, 2]
        await until(lambda: server.conversations[0].ended)


async def test_a_connection_that_breaks_fails_each_of_its_streams() -> None:
    here = Together(10)

    async def handler(call: Call) -> None:
        if call.server is server.conversations[0]:
            here.count -= 1
            if not here.count:
                await call.server.stream.aclose()
        else:
            await call.head([(b":status", b"200")], end=True)

    async with http2_server(handler) as server:
        text = conf(server, "proxy_next_upstream error;", more=f"server 127.0.0.1:{server.port} max_fails=2;")
        text = text.replace("; keepalive", " max_fails=2; keepalive", 1)  # of which it is one
        async with serving(text) as engine:
            replies = await all_at_once(lambda i: engine.request("GET" if i % 2 else "POST", f"/{i}"), 10)
            # a POST may have been done by the first
            assert sorted(reply.status for reply in replies) == [200] * 5 + [502] * 5
            assert sum("prematurely closed" in line for line in engine.log.lines) == 10


async def test_a_client_that_takes_nothing_stops_nobody_else() -> None:
    size = 20_000_000
    sent: list[int] = []

    async def handler(call: Call) -> None:
        await call.head([(b":status", b"200")])
        if call.get(b":path") != b"/big":
            await call.data(b"small", end=True)
            return
        connection = call.server.connection
        left = size
        while left:
            room = min(connection.local_flow_control_window(call.number), 16384, left)
            if not room:
                await trio.sleep(0.01)
                continue
            await call.data(bytes(room))
            sent.append(room)
            left -= room
        await call.data(b"", end=True)

    async with (
        http2_server(handler) as server,
        serving(conf(server, "proxy_buffering off;")) as engine,
        engine.connect() as slow,
    ):
        await slow.send_all(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        before = -1
        while sum(sent) != before or not before:
            before = sum(sent)
            await trio.sleep(0.3)
        assert before < 4_000_000
        for _ in range(20):
            assert (await engine.get("/small")).body == b"small"
        assert sum(sent) == before and connections(server) == [21]
        got = 0
        with trio.fail_after(60):
            while data := await slow.receive_some(65536):
                got += len(data)
        assert got > size and sum(sent) == size


async def test_bodies_go_both_ways_through_small_windows() -> None:
    async def handler(call: Call) -> None:
        body = await call.whole()
        await call.head([(b":status", b"200")])
        connection = call.server.connection
        at = 0
        while at < len(body):
            room = min(connection.local_flow_control_window(call.number), 16384)
            await call.data(body[at : at + room]) if room else await trio.sleep(0.001)
            at += room
        await call.data(b"", end=True)

    bodies = [bytes([i]) * (100_000 + i * 7919) for i in range(20)]
    own = "client_max_body_size 0; client_body_buffer_size 1m;"
    async with http2_server(handler) as server, serving(own + conf(server)) as engine:
        replies = await all_at_once(lambda i: engine.request("POST", f"/{i}", {}, bodies[i]), 20)
        assert [reply.body for reply in replies] == bodies
    assert connections(server) == [20]


async def test_a_client_that_goes_cancels_its_stream_alone() -> None:
    together = Together(3)
    async with (
        http2_server(together) as server,
        serving(conf(server, keepalive="4 multiplex=3")) as engine,
        trio.open_nursery() as nursery,
    ):
        replies: list[Any] = []

        async def ask(path: str) -> None:
            replies.append(await engine.get(path))

        nursery.start_soon(ask, "/stays")
        await until(lambda: len(server.calls) == 1)
        async with engine.connect() as goes:
            await goes.send_all(b"GET /goes HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: len(server.calls) == 2)
        await until(lambda: server.calls[1].reset == 8)
        assert server.calls[0].reset is None
        # its place is free again
        nursery.start_soon(ask, "/2")
        await until(lambda: len(server.calls) == 3)
    assert [reply.status for reply in replies] == [200, 200] and connections(server) == [3]


async def test_an_idle_connection_ends_in_time() -> None:
    async with (
        http2_server(Together(1)) as server,
        serving(conf(server, more="keepalive_timeout 200ms;")) as engine,
    ):
        assert (await engine.get("/")).status == 200
        await until(lambda: server.conversations[0].ended)
        server.handler = Together(1)
        assert (await engine.get("/")).status == 200
    assert connections(server) == [1, 1]


async def test_no_more_than_keepalive_stay_idle() -> None:
    async with http2_server(Together(9)) as server, serving(conf(server, keepalive="1 multiplex=3")) as engine:
        await all_at_once(lambda i: engine.get(f"/{i}"), 9)
        await until(lambda: [one.ended for one in server.conversations].count(True) == 2)
    assert connections(server) == [3, 3, 3]


async def test_keepalive_requests_and_time_hold() -> None:
    async with http2_server(Together(1)) as server, serving(conf(server, more="keepalive_requests 3;")) as engine:
        for _ in range(7):
            server.handler = Together(1)
            assert (await engine.get("/")).status == 200
    assert connections(server) == [3, 3, 1]


async def test_nobody_joins_a_connection_that_is_silent() -> None:
    async def handler(call: Call) -> None:
        if call.server is not server.conversations[0] or call.number == 1:
            await call.head([(b":status", b"200")], end=True)

    async with (
        http2_server(handler) as server,
        serving(conf(server, "proxy_read_timeout 300ms; proxy_next_upstream off;")) as engine,
    ):
        assert [(await engine.get("/")).status for _ in range(3)] == [200, 504, 200]
    assert connections(server) == [2, 1]


async def test_max_conns_counts_requests() -> None:
    together = Together(COUNT)  # never so many
    async with http2_server(together) as server:
        text = conf(server).replace("; keepalive", " max_conns=3; keepalive", 1)
        async with serving(text) as engine, trio.open_nursery() as nursery:
            for i in range(2):
                nursery.start_soon(engine.get, f"/{i}")
            await until(lambda: len(server.calls) == 2)
            nursery.start_soon(engine.get, "/2")
            await until(lambda: len(server.calls) == 3)
            assert (await engine.get("/no")).status == 502
            together.here.set()


async def test_nobody_is_there() -> None:
    async with http2_server(Together(1)) as server:
        text = conf(server)
    async with serving(text) as engine:
        replies = await all_at_once(lambda i: engine.get(f"/{i}"), 10)
        assert {reply.status for reply in replies} == {502}
        assert any("connect() failed (111: Connection refused)" in line for line in engine.log.lines)


TLS = """
upstream u {{ server 127.0.0.1:{port}; keepalive 4 multiplex; {more} }}
server {{
    listen 127.0.0.1:8080;
    location / {{
        proxy_pass https://u; proxy_http_version 2; proxy_ssl_name $arg_name; proxy_ssl_server_name on;
        proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem;
    }}
}}
"""


def http2_context(*names: str) -> ssl.SSLContext:
    context = certificates.server_context(*names)
    context.set_alpn_protocols(["h2"])
    return context


async def test_one_handshake_is_for_all_of_a_name(tmp_path: Path) -> None:
    certificates.write_authority(tmp_path)
    async with http2_server(Together(20), tls=http2_context("one", "two")) as server:
        text = TLS.format(port=server.port, more="")
        async with serving(text, f"{tmp_path}/") as engine:
            replies = await all_at_once(lambda i: engine.get(f"/{i}?name={('one', 'two')[i % 2]}"), 20)
            assert {reply.status for reply in replies} == {200}
    assert connections(server) == [10, 10]
    for one in server.conversations:
        assert len({(call.get(b":path") or b"")[-3:] for call in one.calls.values()}) == 1


async def test_a_handshake_that_fails_fails_for_all(tmp_path: Path) -> None:
    certificates.write_authority(tmp_path)
    async with (
        http2_server(Together(1), tls=http2_context("other")) as server,
        serving(TLS.format(port=server.port, more=""), f"{tmp_path}/") as engine,
    ):
        replies = await all_at_once(lambda i: engine.get(f"/{i}?name=one"), 10)
        assert {reply.status for reply in replies} == {502} and not server.calls
        words = 'upstream SSL certificate does not match "one" while SSL handshaking to upstream'
        assert sum(words in line for line in engine.log.lines) == 10


async def test_who_is_connected_to_may_go_before_it_answers() -> None:
    """The first request's client gives up while the connection is being made; the others have it all the same."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    text = CONF.format(port=port, keepalive="4 multiplex", more="", location="")
    async with serving(text) as engine, trio.open_nursery() as nursery:
        replies: list[Any] = []

        async def ask() -> None:
            replies.append(await engine.get("/"))

        async with engine.connect() as first:
            await first.send_all(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
            stream = await listener.accept()
            nursery.start_soon(ask)
            # it has its first stream, and the second waits for SETTINGS
            data = b""
            while b"\0\0\0\1" not in data:
                data += await stream.receive_some()
        while wire.rst_stream(1, 8) not in data:
            data += await stream.receive_some()
        await stream.send_all(wire.settings(()))
        while wire.frame_head(0, wire.SETTINGS, wire.ACK, 0) not in data:
            data += await stream.receive_some()
        while b"\0\0\0\3" not in data:
            data += await stream.receive_some()
        await stream.send_all(wire.headers(3, NO_CONTENT, wire.END_STREAM, 16384))
        await until(lambda: replies)
        await stream.aclose()
    assert [reply.status for reply in replies] == [204]
    await listener.aclose()


async def test_silence_before_settings_is_a_timeout_for_each() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    location = "proxy_connect_timeout 300ms; proxy_read_timeout 300ms; proxy_next_upstream off;"
    async with serving(CONF.format(port=port, keepalive="4 multiplex", more="", location=location)) as engine:
        replies = await all_at_once(lambda i: engine.get(f"/{i}"), 5)
        assert {reply.status for reply in replies} == {504}
    await listener.aclose()
