"""The exchange against peers of every kind: the client's answer, the log's line, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.engine import Reply, serving
from tests.fakes import (
    GARBAGE,
    OK,
    Asked,
    Farm,
    Peer,
    answer,
    answer_with,
    close_at_once,
    cut_after,
    farm,
    silent,
)
from tests.upstream.one_peer import lines, one

# -- trying the next peer


async def tries(
    farm_: Farm,
    tmp_path: Path,
    peers: list[Peer | str],
    conf: str = "",
    method: str = "GET",
    body: bytes = b"",
) -> tuple[Reply, list[str], list[str]]:
    """(answer, peers asked, error log) with these peers in an upstream block, asked in their order."""
    addresses = [peer if isinstance(peer, str) else await farm_.tcp(peer) for peer in peers]
    servers = " ".join(f"server {address} max_fails=0;" for address in addresses)
    text = f"""
        uwsgi_temp_path {tmp_path}; client_body_temp_path {tmp_path};
        upstream u {{ {servers} }}
        server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; {conf}
            uwsgi_param CONTENT_LENGTH $content_length;
            add_header X-Addr $upstream_addr always; add_header X-Status $upstream_status always; }} }}"""
    async with serving(text) as engine:
        reply = await engine.request(method, "/", body=body)
        asked = (reply.header("x-addr") or b"").decode().split(", ")
        return reply, [str(addresses.index(address)) for address in asked if address in addresses], engine.log.lines


async def test_next_after_errors(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        refused = await peers.refusing()
        reply, asked, log = await tries(peers, tmp_path, [refused, close_at_once(), answer(), answer()])
        assert reply.status == 200 and asked == ["0", "1", "2"]
        assert reply.header("x-status") == b"502, 502, 200"
        assert len([line for line in log if "[error]" in line]) == 2


async def test_next_after_timeout_and_its_limits(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with farm(tmp_path) as peers:
        conf = "uwsgi_read_timeout 5s;"
        reply, asked, _ = await tries(peers, tmp_path, [silent(), answer()], conf)
        assert reply.status == 200 and reply.header("x-status") == b"504, 200"
        reply, asked, _ = await tries(
            peers, tmp_path, [silent(), silent(), answer()], conf + "uwsgi_next_upstream_timeout 8s;"
        )
        assert reply.status == 504 and asked == ["0", "1"]
        reply, asked, _ = await tries(
            peers, tmp_path, [silent(), silent(), answer()], conf + "uwsgi_next_upstream_tries 2;"
        )
        assert reply.status == 504 and asked == ["0", "1"]
        reply, asked, _ = await tries(peers, tmp_path, [silent(), answer()], conf + "uwsgi_next_upstream error;")
        assert reply.status == 504 and asked == ["0"]


async def test_next_off(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        reply, asked, _ = await tries(peers, tmp_path, [close_at_once(), answer()], "uwsgi_next_upstream off error;")
        assert reply.status == 502 and asked == ["0"]


@pytest.mark.parametrize(
    ("status", "conf", "asked"),
    [
        ("500", "http_500", "012"),
        ("503", "http_503", "012"),
        ("403", "http_403", "012"),
        ("404", "http_404", "012"),
        ("429", "http_429", "012"),
        ("500", "http_503", "0"),
        ("502", "http_500", "0"),
    ],
)
async def test_next_after_statuses(status: str, conf: str, asked: str, tmp_path: Path) -> None:
    bad = answer(f"Status: {status} Bad\r\n\r\n".encode())
    async with farm(tmp_path) as peers:
        reply, got, _ = await tries(peers, tmp_path, [bad, bad, answer()], f"uwsgi_next_upstream {conf};")
        assert "".join(got) == asked
        assert reply.status == (200 if len(asked) > 1 else int(status))


async def test_last_peers_answer_is_used_as_it_is(tmp_path: Path) -> None:
    bad = answer(b"Status: 503 Mine\r\nX-Own: 1\r\n\r\nmy own page")
    async with farm(tmp_path) as peers:
        reply, asked, _ = await tries(peers, tmp_path, [bad, bad], "uwsgi_next_upstream http_503;")
        assert asked == ["0", "1"]
        assert (reply.status, reply.reason, reply.body) == (503, b"Mine", b"my own page")
        assert reply.header("x-own") == b"1"


async def test_invalid_header(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        reply, asked, _ = await tries(peers, tmp_path, [answer(GARBAGE), answer()])
        assert reply.status == 502 and asked == ["0"]
        reply, asked, _ = await tries(
            peers, tmp_path, [answer(GARBAGE), answer()], "uwsgi_next_upstream invalid_header;"
        )
        assert reply.status == 200 and asked == ["0", "1"]


async def test_a_post_is_not_sent_twice(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        refused = await peers.refusing()
        body = b"x" * 100_000
        echo = answer_with(lambda asked: b"Content-Type: a/b\r\n\r\n%d" % len(asked.body))
        reply, asked, _ = await tries(peers, tmp_path, [refused, echo], method="POST", body=body)
        assert reply.body == b"100000" and asked == ["0", "1"]  # nothing had been sent
        reply, asked, _ = await tries(peers, tmp_path, [answer(b""), echo], method="POST", body=body)
        assert reply.status == 502 and asked == ["0"]
        reply, asked, _ = await tries(
            peers, tmp_path, [answer(b""), echo], "uwsgi_next_upstream error non_idempotent;", "POST", body
        )
        assert reply.body == b"100000" and asked == ["0", "1"]
        reply, asked, _ = await tries(peers, tmp_path, [answer(b""), echo], method="PUT", body=body)
        assert reply.body == b"100000" and asked == ["0", "1"]


async def test_never_after_a_byte_went_to_the_client(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        first, second = await peers.tcp(cut_after(len(OK) - 1)), await peers.tcp(answer())
        text = f"""upstream u {{ server {first}; server {second}; }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; }} }}"""
        async with serving(text) as engine:
            await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert peers.hits == {first: 1, second: 0}


async def test_no_live_upstreams(tmp_path: Path) -> None:
    text = """upstream u { server 127.0.0.1:1 down; server 127.0.0.1:2 down; }
        server { listen 127.0.0.1:8080; location / { uwsgi_pass u; add_header X-States "$upstream_addr" always; } }"""
    async with serving(text) as engine:
        reply = await engine.get("/")
        assert reply.status == 502 and reply.header("x-states") == b"u"
        assert "no live upstreams while connecting to upstream" in lines(engine, "error")[0]
        assert 'upstream: "uwsgi://u"' in lines(engine, "error")[0]


async def test_a_failing_peer_is_left_alone(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        bad, good = await peers.tcp(close_at_once()), await peers.tcp(answer())
        text = f"""upstream u {{ server {bad}; server {good}; }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; }} }}"""
        async with serving(text) as engine:
            for _ in range(6):
                assert (await engine.get("/")).status == 200
            assert peers.hits == {bad: 1, good: 6}
            assert "upstream server temporarily disabled" in lines(engine, "warn")[0]


# -- the client


async def test_client_gone(tmp_path: Path) -> None:
    async with one(silent(), tmp_path) as engine:
        client = engine.connect()
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await trio.sleep(0.05)
        await client.aclose()
        while engine.worker.connections:
            await trio.sleep(0.01)
        (line,) = lines(engine, "info")
        # nginx reads no head before the first byte is there
        assert "prematurely closed connection, so upstream connection is closed too while sending request" in line


async def test_client_gone_and_ignored(tmp_path: Path) -> None:
    finished = trio.Event()

    async def peer(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        await trio.sleep(0.2)
        await stream.send_all(OK)
        assert await stream.receive_some(1) == b""
        finished.set()

    async with one(peer, tmp_path, "uwsgi_ignore_client_abort on;") as engine:
        client = engine.connect()
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await trio.sleep(0.05)
        await client.aclose()
        with trio.fail_after(5):
            await finished.wait()


async def test_an_answer_before_the_body_is_read_is_delivered(tmp_path: Path) -> None:
    """A 401 or 413 of an application that does not read the body, and then resets, reaches the client."""

    async def peer(stream: trio.SocketStream) -> None:
        await stream.receive_some(100)
        await stream.send_all(b"Status: 413 Too much\r\nContent-Length: 2\r\n\r\nno")

    for size in (200_000, 5_000_000):
        async with one(peer, tmp_path, "client_max_body_size 10m;") as engine:
            reply = await engine.request("POST", "/", body=b"x" * size)
            assert (reply.status, reply.body) == (413, b"no")


# -- requests


async def test_bodies(tmp_path: Path) -> None:
    echo = answer_with(lambda asked: b"Content-Type: a/b\r\n\r\n" + asked.body)
    async with one(echo, tmp_path, "client_body_buffer_size 1k;") as engine:
        for size in (0, 1, 1000, 1024, 1025, 50_000, 300_000):
            body = bytes(range(256)) * (size // 256 + 1)
            assert (await engine.request("POST", "/", body=body[:size])).body == body[:size]
        head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        data = await engine.raw(head + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
        assert b"abcdefg" in data.replace(b"\r\n7\r\n", b"")


async def test_streamed_body(tmp_path: Path) -> None:
    first_part = trio.Event()
    got: list[bytes] = []

    async def peer(stream: trio.SocketStream) -> None:
        while sum(map(len, got)) < 600:
            data = await stream.receive_some(65536)
            if not data:
                return
            got.append(data.partition(b"END")[2] if not got else data)
            if b"first" in b"".join(got):
                first_part.set()
        await stream.send_all(OK)

    conf = "uwsgi_request_buffering off; uwsgi_param Z END; uwsgi_pass_request_headers off;"
    async with one(peer, tmp_path, conf) as engine:
        client = engine.connect()
        async with client:
            await client.send_all(
                b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\nfirst"
            )
            with trio.fail_after(5):
                await first_part.wait()  # it is there before the client has sent the rest
            await client.send_all(b"x" * 995)
            data = b""
            async for chunk in client:
                data += chunk
            assert data.startswith(b"HTTP/1.1 200 OK") and data.endswith(b"ok\n")


async def test_streamed_body_that_never_ends(tmp_path: Path, autojump_clock: MockClock) -> None:
    conf = "uwsgi_request_buffering off; client_body_timeout 5s;"
    async with one(silent(), tmp_path, conf) as engine:
        data = await engine.raw(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nfirst")
        assert data == b"" or data.startswith(b"HTTP/1.1 408")
        assert any("client timed out" in line for line in engine.log.lines)


async def test_a_request_that_does_not_fit(tmp_path: Path) -> None:
    async with one(
        answer(),
        tmp_path,
        'set $x "0123456789abcdef"; set $x $x$x$x$x$x$x$x$x; uwsgi_param P $x$x$x$x;'
        "uwsgi_param Q $http_q$http_q$http_q$http_q$http_q$http_q$http_q$http_q$http_q$http_q;",
    ) as engine:
        reply = await engine.get("/", {"Q": "q" * 7000})
        assert reply.status == 431
        assert "uwsgi request is too big: 7" in lines(engine, "error")[0]
        assert "the protocol allows 65535 bytes" in lines(engine, "error")[0]


async def test_without_headers_or_body(tmp_path: Path) -> None:
    asked: list[Asked] = []
    conf = "uwsgi_pass_request_headers off; uwsgi_pass_request_body off;"
    async with one(answer(asked=asked), tmp_path, conf) as engine:
        text = (await engine.request("POST", "/", body=b"")).body
        assert text == b"ok\n"
    assert [name for name, _ in asked[0].pairs] == [b"CONTENT_LENGTH", b"HTTP_HOST"]


# -- answers


async def test_states_over_redirects(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        first = await peers.tcp(answer(b"X-Accel-Redirect: /second\r\n\r\n"))
        second = await peers.tcp(answer())
        text = f"""server {{ listen 127.0.0.1:8080;
            location / {{ uwsgi_pass {first}; }}
            location /second {{ uwsgi_pass {second}; add_header X-States "$upstream_addr|$upstream_status"; }} }}"""
        async with serving(text) as engine:
            reply = await engine.get("/")
            assert reply.header("x-states") == f"{first} : {second}|200 : 200".encode()


async def test_error_page_of_a_502(tmp_path: Path) -> None:
    async with one(close_at_once(), tmp_path, "error_page 502 = /plain;") as engine:
        assert (await engine.get("/")).body == b"plain:/plain"
