"""proxy_http_version 2: requests and answers as HTTP/1 has them, against a server of the h2 package."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.engine import serving
from tests.http2_server import Call, http2_server

CONF = "server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://127.0.0.1:{}; proxy_http_version 2; {} }} }}"


async def echo(call: Call) -> None:
    body = await call.whole()
    await call.head([(b":status", b"200"), (b"x-method", call.get(b":method") or b""), (b"connection-x", b"y")])
    await call.data(body + b"!", end=True)


async def test_a_request_and_its_answer() -> None:
    async with http2_server(echo) as server:
        conf = f"upstream u {{ server 127.0.0.1:{server.port}; }}" + CONF.replace("http://127.0.0.1:{}", "http://u").format(
            'proxy_set_header X-Own "$uri"; proxy_set_header Connection close;'
        )
        async with serving(conf) as engine:
            reply = await engine.request("POST", "/a/../b%20c?d", {"X-Client": "z", "Upgrade": "none"}, b"body")
            assert reply.status == 200 and reply.body == b"body!" and reply.header("x-method") == b"POST"
            await engine.get("/again")
    first, second = server.calls
    assert first.fields[:4] == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/a/../b%20c?d"),
        (b":authority", b"u"),
    ]
    assert first.get(b"x-own") == b"/b c" and first.get(b"x-client") == b"z" and first.get(b"content-length") == b"4"
    assert not {b"connection", b"upgrade", b"host", b"transfer-encoding"} & {name for name, _ in first.fields}
    assert (first.number, second.number) == (1, 3) and len(server.conversations) == 1


async def test_method_body_and_uri_are_the_locations() -> None:
    async with http2_server(echo) as server:
        conf = CONF.format(f"{server.port}/base/", 'proxy_method PUT; proxy_set_body "own $arg_x"; ')
        async with serving(conf) as engine:
            assert (await engine.get("/a?x=1")).body == b"own 1!"
    [call] = server.calls
    assert call.get(b":method") == b"PUT" and call.get(b":path") == b"/base/a?x=1"
    assert call.get(b"content-length") == b"5"


async def test_a_chunked_body_has_no_length_while_it_comes() -> None:
    async with http2_server(echo) as server:
        text = CONF.format(server.port, "proxy_request_buffering off;")
        async with serving(text) as engine, engine.connect() as stream:
            await stream.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            while not server.calls or server.calls[0].body != b"abc":
                await trio.sleep(0.01)
            await stream.send_all(b"2\r\nde\r\n0\r\n\r\n")
            data = b""
            while b"!" not in data:
                data += await stream.receive_some()
    assert b"abcde!" in data and server.calls[0].get(b"content-length") is None


async def test_an_answer_is_kept_in_a_cache(tmp_path: Path) -> None:
    async with http2_server(echo) as server:
        conf = f"proxy_temp_path {tmp_path}; proxy_cache_path {tmp_path}/c keys_zone=z:1m;" + CONF.format(
            server.port, "proxy_cache z; proxy_cache_valid 200 1h; add_header X-Cache $upstream_cache_status always;"
        )
        async with serving(conf) as engine:
            first, second = await engine.get("/"), await engine.get("/")
    assert (first.header("x-cache"), second.header("x-cache")) == (b"MISS", b"HIT")
    assert first.body == second.body == b"!" and len(server.calls) == 1


async def test_trailers_are_passed_on_if_wanted() -> None:
    async def with_trailers(call: Call) -> None:
        await call.head([(b":status", b"200")])
        await call.data(b"text")
        await call.trailers([(b"x-sum", b"1")])

    async with (
        http2_server(with_trailers) as server,
        serving(CONF.format(server.port, "proxy_pass_trailers on;")) as engine,
    ):
        assert b"0\r\nx-sum: 1\r\n\r\n" in await engine.raw(
            b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n"
        )


async def nothing(call: Call) -> None:
    await call.whole()
    await call.head([(b":status", b"200")], end=True)


async def test_an_answer_of_nothing_has_no_length_that_the_upstream_did_not_send() -> None:
    async with http2_server(nothing) as server, serving(CONF.format(server.port, "")) as engine:
        got = await engine.get("/")
        asked = await engine.request("HEAD", "/")
    assert got.body == b"" and got.header("transfer-encoding") == b"chunked" and got.header("content-length") is None
    assert asked.header("content-length") is None
