from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import Peer, farm
from tests.http_peers import closing
from tests.upstream.exchange.test_exchange import lines

CONNECT = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n"


def ask(address: str) -> bytes:
    return CONNECT % (address.encode(), address.encode())


async def echo(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data.upper())
    await stream.send_all(b"bye")


async def opened(client: trio.SocketStream) -> bytes:
    """Wait for the answer's head; what came behind it."""
    data = b""
    with trio.fail_after(5):
        while b"\r\n\r\n" not in data:
            more = await client.receive_some()
            assert more, data
            data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nTransfer-Encoding" not in head and b"\r\nContent-Length" not in head
    return rest


async def rest_of(client: trio.SocketStream, data: bytes = b"") -> bytes:
    with trio.fail_after(5):
        async for more in client:
            data += more
    return data


@pytest.mark.parametrize("target", ["", "$host:$request_port", "back"])
async def test_a_tunnel(target: str, tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(echo)
        text = f"""upstream back {{ server {address}; }}
            server {{ listen 127.0.0.1:8080; tunnel_pass {target};
                      location /plain {{ return 200 plain; }} }}"""
        async with serving(text) as engine:
            client = engine.connect()
            await client.send_all(ask(address if target != "back" else "example.org:443") + b"early ")
            rest = await opened(client)
            await client.send_all(b"late")
            with trio.fail_after(5):
                while len(rest) < len(b"EARLY LATE"):
                    rest += await client.receive_some()
            assert rest == b"EARLY LATE"
            await client.aclose()
            assert (await engine.get("/plain")).body == b"plain"
            assert (await engine.get("/")).status == 405


@pytest.mark.parametrize("who", ["client", "upstream"])
async def test_the_end_of_one_side_ends_both(who: str, tmp_path: Path) -> None:
    heard = bytearray()
    ended = trio.Event()

    async def peer(stream: trio.SocketStream) -> None:
        await stream.send_all(b"hello")
        if who == "upstream":
            await stream.send_eof()
        async for data in stream:
            heard.extend(data)
        ended.set()

    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer)
        async with serving("server { listen 127.0.0.1:8080; tunnel_pass; }") as engine:
            client = engine.connect()
            await client.send_all(ask(address))
            rest = await opened(client)
            if who == "client":
                await client.send_all(b"all of it")
                await client.send_eof()
            assert (await rest_of(client, rest)) == b"hello"
            with trio.fail_after(5):
                await ended.wait()
            await client.aclose()
    assert bytes(heard) == (b"all of it" if who == "client" else b"")


async def test_only_in_an_if(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(echo)
        text = """server { listen 127.0.0.1:8080;
            location / { if ($request_method = CONNECT) { tunnel_pass; break; } return 200 plain; } }"""
        async with serving(text) as engine:
            assert (await engine.get("/")).body == b"plain"
            client = engine.connect()
            await client.send_all(ask(address))
            await opened(client)
            await client.aclose()


async def test_the_next_peer(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        good, refusing = await peers.tcp(echo), await peers.refusing()
        text = f"""upstream back {{ server {refusing} max_fails=0; server {good}; }}
            server {{ listen 127.0.0.1:8080; location / {{ tunnel_pass back; }}
                      location /off {{ tunnel_pass back; tunnel_next_upstream off; }} }}"""
        async with serving(text) as engine:
            for _ in range(2):
                client = engine.connect()
                await client.send_all(ask("a:1"))
                await opened(client)
                await client.aclose()
            assert (
                "connect() failed (111: Connection refused) while connecting to upstream" in lines(engine, "error")[0]
            )


async def test_refused(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.refusing()
        text = "server { listen 127.0.0.1:8080; tunnel_pass; error_page 502 /50x; location /50x { return 200 page; } }"
        async with serving(text) as engine:
            client = engine.connect()
            await client.send_all(ask(address))
            with trio.fail_after(5):
                data = b""
                while not data.endswith(b"page"):
                    data += await client.receive_some()
            assert data.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
            await client.aclose()


async def test_an_idle_tunnel(tmp_path: Path, autojump_clock: MockClock) -> None:
    peer: Peer = echo
    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer)
        async with serving("server { listen 127.0.0.1:8080; tunnel_pass; tunnel_read_timeout 9s; }") as engine:
            client = engine.connect()
            began = trio.current_time()
            await client.send_all(ask(address))
            await opened(client)
            assert await client.receive_some() == b""
            assert 8 < trio.current_time() - began < 10
            await client.aclose()


async def test_without_a_tunnel_connect_is_refused() -> None:
    async with serving("server { listen 127.0.0.1:8080; location / { return 200; } }") as engine:
        assert (await engine.raw(ask("127.0.0.1:1"))).startswith(b"HTTP/1.1 405 Not Allowed\r\n")


def test_settings() -> None:
    load_http("server { listen 127.0.0.1:1; tunnel_pass; tunnel_buffer_size 64k; tunnel_next_upstream_tries 2; }")
    with pytest.raises(ConfigError, match="invalid value"):
        load_http("server { listen 127.0.0.1:1; tunnel_next_upstream http_500; }")


@pytest.mark.parametrize(
    "inside",
    ["tunnel_pass 127.0.0.1:1;", "tunnel_pass; deny all;", "return 403;", "return 200 x;", "return 301 /;"],
)
async def test_after_a_connect_that_failed_the_connection_ends(inside: str) -> None:
    # What comes next was meant for the tunnel: read as a request, it would be one that nobody has sent.
    text = f"""server {{ listen 127.0.0.1:8080; location / {{ {inside} }} location /q {{ tunnel_pass 127.0.0.1:1; }}
        location /x {{ return 200 hit; }} }}"""
    async with serving(text) as engine:
        data = await engine.raw(ask("h:9") + b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"\r\nConnection: close\r\n" in data and b"hit" not in data


async def test_an_answer_to_connect_has_no_framing(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(closing(b"HTTP/1.0 200 OK\r\n\r\nrest"))
        text = f"""server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://{address}; }}
            location /q {{ tunnel_pass 127.0.0.1:1; }} }}"""
        async with serving(text) as engine:
            data = await engine.raw(ask("h:9"))
            assert b"\r\nTransfer-Encoding" not in data
