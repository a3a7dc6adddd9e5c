"""The exchange with HTTP/1 upstreams: bodies that stream, odd answers, and what the client and the log see of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.engine import serving
from tests.fakes import Peer, farm
from tests.http_peers import OK, Heard, Hearing, answering, closing, proxied, receive_until, talking
from tests.upstream.exchange.test_exchange import lines

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_body_that_is_here_as_a_whole_is_not_streamed(tmp_path: Path) -> None:
    """As nginx: $request_body knows it, a chunked one gets a length, and another peer may be asked."""
    heard: list[Heard] = []
    inside = 'proxy_request_buffering off; add_header X-Body "$request_body";'
    async with proxied(closing(OK, heard), tmp_path, inside) as engine:
        reply = await engine.request("POST", "/", body=b"0123456789" * 128)
        assert reply.header("x-body") == b"0123456789" * 128
        data = await engine.raw(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n")
        assert b"X-Body: hello\r\n" in data
    assert heard[1].fields[b"content-length"] == b"5"
    assert b"transfer-encoding" not in heard[1].fields
    assert [request.body for request in heard] == [b"0123456789" * 128, b"hello"]


async def test_a_body_passes_as_it_comes(tmp_path: Path) -> None:
    parts: list[bytes] = []

    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        for wanted in (b"5\r\nhello\r\n", b"5\r\nworld\r\n", b"0\r\n\r\n"):
            while len(hearing.buffer) < len(wanted):
                assert await hearing.more()
            assert hearing.buffer == wanted
            hearing.buffer = b""
            parts.append(wanted)
            came.set()
        await stream.send_all(OK)

    async with proxied(talking(talk), tmp_path, "proxy_request_buffering off;") as engine:
        client = engine.connect()
        came = trio.Event()
        await client.send_all(CHUNKED + b"5\r\nhello\r\n")
        with trio.fail_after(5):
            await came.wait()
            came = trio.Event()
            await client.send_all(b"5\r\nworld\r\n")
            await came.wait()
        await client.send_all(b"0\r\n\r\n")
        assert (await receive_until(client, b"ok\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        await client.aclose()


async def test_a_body_goes_on_while_the_answer_comes(tmp_path: Path) -> None:
    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        done = 0
        while done < 10:
            while not hearing.buffer:
                assert await hearing.more()
            part, hearing.buffer = hearing.buffer, b""
            done += len(part)
            await stream.send_all(part.upper())

    for buffering in ("on", "off"):
        inside = f"proxy_request_buffering off; proxy_buffering {buffering};"
        async with proxied(talking(talk), tmp_path, inside) as engine:
            client = engine.connect()
            await client.send_all(POST % 10 + b"hello")
            if buffering == "off":
                await receive_until(client, b"\r\n\r\nHELLO")
            await client.send_all(b"world")
            await receive_until(client, b"WORLD")
            await client.aclose()


@pytest.mark.parametrize("buffering", ["on", "off"])
async def test_a_body_that_stops_while_the_answer_comes(
    buffering: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """client_body_timeout, not the longer read_timeout of an upstream that waits for the body as well."""

    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"x" * 5000)
        while await hearing.more():
            pass

    inside = f"proxy_request_buffering off; proxy_buffering {buffering}; client_body_timeout 5s;"
    async with proxied(talking(talk), tmp_path, inside) as engine:
        began = trio.current_time()
        got = b""
        async with engine.connect() as client:
            await client.send_all(POST % 10 + b"hello")
            async for data in client:
                got += data
        assert got.startswith(b"HTTP/1.1 200 OK\r\n") and len(got) < 6000
        assert 5 <= trio.current_time() - began < 10
        (line,) = lines(engine, "info")
        assert "client timed out (110: Connection timed out) while reading upstream" in line


async def test_a_client_that_goes_away_in_its_body(tmp_path: Path) -> None:
    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        while await hearing.more():
            pass

    async with proxied(talking(talk), tmp_path, "proxy_request_buffering off;") as engine:
        data = await engine.raw(POST % 10 + b"hello", end=True)
        assert data == b""
        (line,) = lines(engine, "info")
        assert "client prematurely closed connection while sending request to upstream" in line


async def test_half_a_close_behind_a_body(tmp_path: Path) -> None:
    """The body is whole before its sender ends: with proxy_ignore_client_abort the answer reaches him."""
    inside = "proxy_request_buffering off; proxy_ignore_client_abort on; client_body_buffer_size 1k;"
    async with proxied(closing(), tmp_path, inside) as engine:
        data = await engine.raw(POST % 300_000 + b"x" * 300_000, end=True)
        assert data.endswith(b"\r\n\r\nok\n")


async def test_too_large_a_chunked_body(tmp_path: Path) -> None:
    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        while await hearing.more():
            pass

    inside = "proxy_request_buffering off; client_max_body_size 8; client_body_buffer_size 4;"
    async with proxied(talking(talk), tmp_path, inside) as engine:
        client = engine.connect()
        await client.send_all(CHUNKED + b"5\r\nhello\r\n")
        await client.send_all(b"5\r\nworld\r\n0\r\n\r\n")
        data = await receive_until(client, b"</html>\r\n")
        assert data.startswith(b"HTTP/1.1 413 ")
        await client.aclose()
        assert "client intended to send too large chunked body: 5+5 bytes" in "".join(lines(engine, "error"))


async def test_a_streamed_body_is_not_sent_twice(tmp_path: Path) -> None:
    """The page of an error goes to an upstream as well; what was streamed is gone, and nobody waits for it."""
    heard: list[Heard] = []
    begun = trio.Event()

    async def talk(stream: trio.SocketStream, hearing: Hearing, request: Heard) -> None:
        begun.set()
        await hearing.body(request)
        await stream.send_all(b"HTTP/1.1 404 Nope\r\nContent-Length: 0\r\n\r\n")

    async with farm(tmp_path) as peers:
        page = await peers.tcp(closing(OK, heard))
        inside = "proxy_request_buffering off; proxy_intercept_errors on; client_body_buffer_size 4;"
        outside = f"error_page 404 /page; location /page {{ proxy_pass http://{page}; }}"
        async with proxied(talking(talk), tmp_path, inside, outside) as engine:
            client = engine.connect()
            await client.send_all(POST % 10 + b"hello")
            await begun.wait()  # a body that is here as a whole would not be streamed
            await client.send_all(b"world")
            assert (await receive_until(client, b"ok\n")).startswith(b"HTTP/1.1 404 ")
            await client.aclose()
    assert heard[0].body == b""


async def test_an_answer_without_a_head_goes_to_the_client_as_it_is(tmp_path: Path) -> None:
    inside = "add_header X-Any x; error_page 502 /plain; proxy_intercept_errors on;"
    for text in (b"SSH-2.0-x\r\n", b"x" * 100_000):
        async with proxied(closing(text), tmp_path, inside) as engine:
            assert await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == text
            (line,) = lines(engine, "error")
            assert "upstream sent no valid HTTP/1.0 header while reading response header from upstream" in line


@pytest.mark.parametrize("ask", ["If-None-Match", "If-Modified-Since"])
async def test_conditions_are_the_upstreams_to_judge(ask: str, tmp_path: Path) -> None:
    validator = {"If-None-Match": '"a"', "If-Modified-Since": "Mon, 28 Sep 1970 06:00:00 GMT"}[ask]
    answer = OK.replace(b"Content", b'ETag: "a"\r\nLast-Modified: Mon, 28 Sep 1970 06:00:00 GMT\r\nContent', 1)
    async with proxied(closing(answer), tmp_path) as engine:
        assert (await engine.get("/", {ask: validator})).status == 200
        assert (await engine.get("/", {"If-Match": '"b"'})).status == 200


async def test_force_ranges_serves_one_range(tmp_path: Path) -> None:
    async with proxied(closing(), tmp_path, "proxy_force_ranges on;") as engine:
        reply = await engine.get("/", {"Range": "bytes=1-1"})
        assert (reply.status, reply.body) == (206, b"k")
        reply = await engine.get("/", {"Range": "bytes=0-0,2-2"})
        assert (reply.status, reply.body) == (200, b"ok\n")


EXCESS = {
    "length": (OK + b"x", 'upstream sent more data than specified in "Content-Length" header'),
    "no body": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nx", "upstream sent more data than specified in"),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\n\r\nx",
        "upstream sent data after final chunk",
    ),
    "trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\nA: b\r\n\r\nx",
        "upstream sent data after trailers",
    ),
}


@pytest.mark.parametrize("kind", EXCESS)
@pytest.mark.parametrize("buffering", ["on", "off"])
async def test_more_than_there_should_be(kind: str, buffering: str, tmp_path: Path) -> None:
    answer, words = EXCESS[kind]
    connections: list[int] = []

    async def peer(stream: trio.SocketStream) -> None:
        connections.append(1)
        await answering(answer)(stream)

    async with proxied(peer, tmp_path, f"proxy_buffering {buffering};", kept=True) as engine:
        for count in (1, 2):
            assert (await engine.get("/")).body == (b"" if kind == "no body" else b"ok\n")
            assert len(connections) == count  # such a connection is not used again
        assert words in lines(engine, "warn")[0]


async def test_trailers_pass_the_same_rules_as_the_head(tmp_path: Path) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\nX-A: 1\r\nX-B: 2\r\nX-Pad: 3\r\n\r\n"
    )
    inside = "proxy_pass_trailers on; proxy_hide_header X-B; add_trailer X-C $upstream_trailer_x_b;"
    async with proxied(closing(answer), tmp_path, inside) as engine:
        data = await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert data.endswith(b"\r\n0\r\nX-A: 1\r\nX-C: 2\r\n\r\n")
    async with proxied(closing(answer), tmp_path) as engine:
        data = await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert data.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /plain\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No\r\nX-Accel-Redirect: /plain\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_connections_outlive_an_answer_that_is_not_used(answer: bytes, tmp_path: Path) -> None:
    connections: list[int] = []

    async def peer(stream: trio.SocketStream) -> None:
        connections.append(1)
        await answering(answer)(stream)

    inside = "proxy_intercept_errors on; error_page 500 =200 /plain;"
    async with proxied(peer, tmp_path, inside, kept=True) as engine:
        for _ in range(3):
            assert (await engine.get("/")).body.startswith(b"plain:GET:/plain")
        assert len(connections) == 1


async def test_the_type_survives_a_redirect_to_a_return(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 204 No\r\nX-Accel-Redirect: @named\r\nContent-Type: text/blah\r\n\r\n"
    async with proxied(closing(answer), tmp_path) as engine:
        assert (await engine.get("/")).header("content-type") == b"text/blah"


async def test_buffering_changes_by_a_valid_field_alone(tmp_path: Path) -> None:
    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        fields = b"X-Accel-Buffering: no\r\nX-Accel-Buffering: perhaps\r\n"
        await stream.send_all(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 3\r\n\r\n1")
        await hearing.more()

    async with proxied(talking(talk), tmp_path) as engine:
        client = engine.connect()
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await receive_until(client, b"\r\n\r\n1")  # it did not wait for a full buffer
        await client.aclose()


async def test_limit_rate_counts_what_comes_with_the_head(tmp_path: Path, autojump_clock: MockClock) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + os.urandom(40000)
    async with proxied(closing(answer), tmp_path, "proxy_limit_rate 20000; proxy_buffer_size 4k;") as engine:
        began = trio.current_time()
        assert len((await engine.get("/")).body) == 40000
        assert trio.current_time() - began >= 1


async def test_the_absence_of_date_and_server_passes(tmp_path: Path) -> None:
    inside = "proxy_pass_header Date; proxy_pass_header Server;"
    async with proxied(closing(), tmp_path, inside) as engine:
        reply = await engine.get("/")
        assert reply.header("date") is None
        assert reply.header("server") is None
    named = OK.replace(b"Content", b"Server: back\r\nDate: now\r\nContent", 1)
    for given, expected in ((inside, (b"back", b"now")), ("", (b"gateway", b" GMT"))):
        async with proxied(closing(named), tmp_path, given) as engine:
            reply = await engine.get("/")
            assert (reply.header("server") or b"").startswith(expected[0])
            assert (reply.header("date") or b"").endswith(expected[1])


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Pad: x\r\n\r\n"


@pytest.mark.parametrize(
    ("inside", "version", "passed"),
    [
        ("early_hints $arg_h;", b"1.1", True),
        ("early_hints $arg_h;", b"1.0", False),
        ("early_hints 0 '';", b"1.1", False),
        ("", b"1.1", False),
        ("early_hints 1; proxy_buffer_size 70;", b"1.1", True),
    ],
)
async def test_early_hints(inside: str, version: bytes, passed: bool, tmp_path: Path) -> None:
    async with proxied(closing(HINTS + HINTS + OK), tmp_path, inside + "add_header X-Later x;") as engine:
        data = await engine.raw(b"GET /?h=yes HTTP/%b\r\nHost: a\r\nConnection: close\r\n\r\n" % version)
        hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
        assert data.count(hint) == (1 if "buffer" in inside else 2 * passed)
        assert data.endswith(b"ok\n")
        assert data.replace(hint, b"").startswith(b"HTTP/1.1 200 OK\r\n")
        too_big = [line for line in lines(engine, "info") if "upstream sent too big early hints" in line]
        assert bool(too_big) == ("buffer" in inside)


async def test_early_hints_and_nothing_else(tmp_path: Path) -> None:
    async with proxied(closing(HINTS), tmp_path, "early_hints 1;") as engine:
        data = await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert data.startswith(b"HTTP/1.1 103 Early Hints\r\n")
        assert b"\r\n\r\nHTTP/1.1 502 Bad Gateway\r\n" in data


async def test_chunks_do_not_wait_for_a_full_buffer(tmp_path: Path) -> None:
    heard_more = trio.Event()

    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await heard_more.wait()
        await stream.send_all(b"0\r\n\r\n")

    async with proxied(talking(talk), tmp_path) as engine:
        client = engine.connect()
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        data = await receive_until(client, b"5\r\nhello\r\n")
        heard_more.set()
        await receive_until(client, b"0\r\n\r\n", data)
        await client.aclose()


async def test_a_client_that_cannot_be_written_to_ends_an_endless_answer(tmp_path: Path) -> None:
    closed = trio.Event()

    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                await stream.send_all(b"5\r\nhello\r\n")
                await trio.sleep(0)
        except trio.BrokenResourceError:
            closed.set()
            raise

    async with proxied(talking(talk), tmp_path, "proxy_ignore_client_abort on;") as engine:
        client = engine.connect()
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.receive_some(100)
        await client.aclose()
        with trio.fail_after(5):
            await closed.wait()


@pytest.mark.parametrize("conf", ["", "charset utf-8;", "charset koi8-r;"])
@pytest.mark.parametrize(
    "value",
    [
        b"text/html;charset=utf-8",
        b"text/html;  Charset=UTF-8",
        b'text/html; charset="utf-8"',
        b"text/html;charset=utf-8; x=y",
        b"text/html;x=y;charset=utf-8",
        b"text/html;x=y",
        b"text/html;",
    ],
)
async def test_a_content_type_passes_as_it_was_written(conf: str, value: bytes, tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + value + b"\r\nContent-Length: 0\r\n\r\n"
    async with proxied(closing(head), tmp_path, conf) as engine:
        assert (await engine.get("/")).header("content-type") == value


@pytest.mark.parametrize(
    ("inside", "executed"), [("proxy_next_upstream_tries 1;", 2), ("", 2), ("proxy_next_upstream off;", 1)]
)
async def test_kept_connections_that_have_ended(inside: str, executed: int, tmp_path: Path) -> None:
    heard: list[bytes] = []

    async def dying(stream: trio.SocketStream) -> None:
        hearing = Hearing(stream)
        while (request := await hearing.head()) is not None:
            heard.append(request.line)
            if b"/die" in request.line:
                return
            await stream.send_all(OK)

    async with farm(tmp_path) as peers:
        first, second = await peers.tcp(dying), await peers.tcp(dying)
        text = f"""upstream back {{ server {first}; server {second}; keepalive 8; }}
            server {{ listen 127.0.0.1:80; location / {{ {inside} proxy_pass http://back; }} }}"""
        async with serving(text) as engine:
            for _ in range(4):
                assert (await engine.get("/ok")).status == 200
            heard.clear()
            assert (await engine.get("/die")).status == 502
    assert len(heard) == executed


async def test_a_peer_without_others_is_asked_anew_when_a_kept_connection_has_ended(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with proxied(closing_after(2, heard), tmp_path, kept=True) as engine:
        for _ in range(5):
            assert (await engine.get("/")).status == 200
    assert len(heard) == 5


def closing_after(count: int, heard: list[Heard]) -> Peer:
    """Keeps a connection for so many requests, and closes when the next one comes."""

    async def peer(stream: trio.SocketStream) -> None:
        hearing = Hearing(stream)
        for _ in range(count):
            request = await hearing.head()
            if request is None:
                return
            heard.append(request)
            await stream.send_all(OK)
        await hearing.head()

    return peer
