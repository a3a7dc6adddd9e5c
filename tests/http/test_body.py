"""Request bodies: what is read, what is thrown away, and what is no body at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.engine import read_reply, serving
from tests.fakes import answer, farm
from tests.http2_client import http2, request
from tests.lanes import until
from tests.speeches import HTTP

PLAIN = """
server {
    listen 127.0.0.1:8080;
    location /text { return 200 ok; }
    location /to { return 302 /there; }
    location /gone { return 410; }
    location /reads { client_max_body_size 8; uwsgi_pass 127.0.0.1:1; }
}
"""
CHUNKED = b"Host: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
EXPECT = b"Host: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_a_chunked_body_that_is_none_is_400_even_where_nobody_wants_it() -> None:
    async with serving(PLAIN) as engine:
        for target in (b"/text", b"/to"):
            data = await engine.raw(b"POST %s HTTP/1.1\r\n" % target + CHUNKED + b"4\r\nSEE-THIS\r\n0\r\n\r\n")
            assert read_reply(data).status == 400
        assert any("[error]" in line and "client sent invalid chunked body" in line for line in engine.log.lines)


async def test_an_error_page_is_sent_whatever_follows_the_head() -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(b"POST /gone HTTP/1.1\r\n" + CHUNKED + b"x\r\n")
        assert read_reply(data).status == 410


async def test_who_throws_a_body_away_lets_it_come_first() -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(b"POST /text HTTP/1.1\r\n" + EXPECT + b"ab")
        assert data.startswith(CONTINUE + b"HTTP/1.1 200 OK\r\n")
        data = await engine.raw(b"POST /gone HTTP/1.1\r\n" + EXPECT + b"ab")
        assert data.startswith(b"HTTP/1.1 410 Gone\r\n")
        data = await engine.raw(b"POST /text HTTP/1.0\r\n" + EXPECT + b"ab")
        assert data.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_static_files_refuse_a_wrong_body_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    async with serving(f"server {{ listen 127.0.0.1:8080; root {tmp_path}; }}") as engine:
        data = await engine.raw(b"GET /file HTTP/1.1\r\n" + CHUNKED + b"zz\r\n")
        assert read_reply(data).status == 400
        data = await engine.raw(b"GET /file HTTP/1.1\r\n" + CHUNKED + b"1\r\na\r\n0\r\n\r\n")
        assert read_reply(data).body == b"content"


async def test_a_chunked_body_that_came_with_the_head_may_be_too_large() -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(b"POST /reads HTTP/1.1\r\n" + CHUNKED + b"9\r\n123456789\r\n0\r\n\r\n")
        assert read_reply(data).status == 413
        assert any("client intended to send too large chunked body" in line for line in engine.log.lines)


@pytest.mark.parametrize("fails", ["pwrite", "open"])
async def test_a_full_disk(fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """500, and a line as nginx has it; the next request is served when there is room again."""
    full = True

    def failing(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            if full and (fails != "open" or str(tmp_path) in os.fsdecode(arguments[0])):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **named)

        return call

    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(HTTP.ok, speech=HTTP))
        text = f"""client_body_temp_path {tmp_path}; server {{ listen 127.0.0.1:80; client_body_buffer_size 1k;
            location / {{ proxy_pass http://{address}; }} }}"""
        async with serving(text) as engine:
            # one part, or several that are written together
            for name in ("open",) if fails == "open" else ("pwrite", "pwritev"):
                monkeypatch.setattr(os, name, failing(getattr(os, name)))
            assert (await engine.request("POST", "/", {}, b"x" * 30000)).status == 500
            (line,) = [line for line in engine.log.lines if "[crit]" in line]
            assert f"{fails}" in line and "failed (28: No space left on device), client: " in line
            assert not [line for line in engine.log.lines if "Traceback" in line]
            full = False
            assert (await engine.request("POST", "/", {}, b"x" * 30000)).status == 200


@pytest.mark.parametrize("chunks", [b"9\r\nx", b"4\r\nabcd\r\n5\r\nx", b"9;ext\r\nx", b"7ffffffffffffff\r\nx"])
async def test_a_chunk_above_the_limit_is_refused_at_its_size(chunks: bytes) -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(b"POST /reads HTTP/1.1\r\n" + CHUNKED + chunks, end=False)
        assert data.startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n")
        size = "4+5" if b"abcd" in chunks else f"0+{int(chunks.split(b';')[0].split()[0], 16)}"
        assert any(f"client intended to send too large chunked body: {size} bytes" in line for line in engine.log.lines)


BUFFERED = """
    client_body_buffer_size 100; client_body_temp_path %s;
    server { listen 127.0.0.1:80; location / { mirror /m; add_header X "[$request_body]"; return 200 x; }
        location /b { mirror /m; add_header X "[$request_body]"; root /usr; error_page 404 =200 @n; }
        location @n { add_header X "[$request_body]"; return 200 x; } location /m { return 204; } }
"""


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ([(150, 150)], True),  # all of it came with the head
        ([(900, 900)], True),
        ([(150, 130), (0, 20)], True),  # what is left fits beside the head
        ([(90, 0), (0, 90)], True),
        ([(124, 0), (0, 124)], True),  # a quarter more than the buffer
        ([(125, 0), (0, 125)], False),
        ([(2000, 2000)], False),
    ],
)
async def test_what_stays_in_memory(parts: list[tuple[int, int]], kept: bool, tmp_path: Path) -> None:
    async with serving(BUFFERED % tmp_path) as engine:
        client = engine.connect()
        async with client:
            head = b"POST /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % parts[0][0]
            await client.send_all(head + b"y" * parts[0][1])
            for _, size in parts[1:]:
                await trio.sleep(0.02)
                await client.send_all(b"y" * size)
            data = b"".join([chunk async for chunk in client])
        assert (b"\r\nX: [" + b"y" * parts[0][0] + b"]\r\n" in data) is kept


async def test_an_empty_body_that_was_read_is_an_empty_value(tmp_path: Path) -> None:
    async with serving(BUFFERED % tmp_path) as engine:
        assert (await engine.request("POST", "/b", {"Content-Length": "0"})).header("x") == b"[]"


async def test_an_empty_body_behind_an_exchange_is_an_empty_value(tmp_path: Path) -> None:
    text = """server { listen 127.0.0.1:80; location / { proxy_pass http://127.0.0.1:1;
        add_header X "[$request_body]" always; } }"""
    async with serving(text) as engine:
        assert (await engine.request("POST", "/", {"Content-Length": "0"})).header("x") == b"[]"


EARLY = """
server {
    listen 127.0.0.1:8080; http2 on; client_max_body_size 8; client_body_early_read $arg_early $http_x_early;
    location / { return 200 "[$request_body]"; }
    location /large { client_max_body_size 100; return 200 "[$request_body]"; }
    rewrite ^/rewritten$ /?$request_body;
}
"""


@pytest.mark.parametrize(
    ("target", "fields", "body", "status", "found"),
    [
        ("/", {}, b"abc", 200, b"[]"),
        ("/?early=0", {}, b"abc", 200, b"[]"),
        ("/?early=1", {}, b"abc", 200, b"[abc]"),
        ("/", {"X-Early": "yes"}, b"abc", 200, b"[abc]"),
        ("/?early=1", {"Transfer-Encoding": "chunked"}, b"3\r\nabc\r\n0\r\n\r\n", 200, b"[abc]"),
        ("/?early=1", {"Transfer-Encoding": "chunked"}, b"9\r\nabcdefghi\r\n0\r\n\r\n", 413, None),
        ("/?early=1", {}, b"", 200, b"[]"),
        ("/large", {}, b"123456789", 200, b"[]"),
        ("/large?early=1", {}, b"123456789", 413, None),  # the server's limit: no location is chosen yet
        ("/rewritten?early=1", {}, b"early=no", 200, b"[early=no]"),
    ],
)
async def test_a_body_that_is_read_before_all(
    target: str, fields: dict[str, str], body: bytes, status: int, found: bytes | None
) -> None:
    if "Transfer-Encoding" in fields:
        head = b"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" % target.encode()
        async with serving(EARLY) as engine:
            reply = read_reply(await engine.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + body))
    else:
        async with serving(EARLY) as engine:
            reply = await engine.request("POST", target, fields, body)
    assert reply.status == status and (found is None or reply.body == found)


async def test_a_body_that_is_read_before_all_over_http2() -> None:
    async with serving(EARLY) as engine, http2(engine) as client:
        number = await client.begin(request("/?early=1", method="POST"), end=False)
        await client.send(number, b"ab")
        await client.send(number, b"cd", end=True)
        assert (await client.answer(number)).body == b"[abcd]"
        assert (await client.post("/?early=1", b"123456789", (b"content-length", b"9"))).status == 413


async def test_a_body_that_is_read_before_all_is_asked_for() -> None:
    async with serving(EARLY) as engine, engine.connect() as stream:
        await stream.send_all(b"POST /?early=1 HTTP/1.1\r\n" + EXPECT)
        assert await stream.receive_some() == CONTINUE
        await stream.send_all(b"ok")
        data = b""
        async for part in stream:
            data += part
    assert read_reply(data).body == b"[ok]"


async def test_the_end_of_a_stream_is_awaited_however_empty_its_body(tmp_path: Path) -> None:
    """As in nginx: with `*_request_buffering off` the end is passed on when it comes, else nothing is sent before."""
    heard = b""

    async def application(stream: trio.SocketStream) -> None:
        nonlocal heard
        async for data in stream:
            heard += data
            if heard.endswith(b"\1\5\0\1" + bytes(4)):
                await stream.send_all(FASTCGI_OK)

    async with farm(tmp_path) as peers:
        address = await peers.tcp(application)
        text = f"""server {{ listen 127.0.0.1:8080; http2 on;
            location / {{ fastcgi_request_buffering off; fastcgi_pass {address}; }}
            location /whole {{ fastcgi_pass {address}; }} }}"""
        async with serving(text) as engine, http2(engine) as client:
            number = await client.begin(request("/", (b"content-length", b"0"), method="POST"), end=False)
            await until(lambda: b"\1\4\0\1" in heard)
            assert not heard.endswith(b"\1\5\0\1" + bytes(4))
            await client.send(number, b"", end=True)
            assert (await client.answer(number)).body == b"ok"
            heard = b""
            number = await client.begin(request("/whole", (b"content-length", b"0"), method="POST"), end=False)
            assert (await client.get("/none", method="HEAD")).status == 200
            before, heard = heard, b""
            assert before.count(b"\1\1\0\1") == 1  # HEAD's alone
            await client.send(number, b"", end=True)
            assert (await client.answer(number)).body == b"ok"


FASTCGI_OK = b"\1\6\0\1\0\x14\0\0Status: 200 OK\r\n\r\nok" + b"\1\3\0\1\0\x08\0\0" + bytes(8)
