from __future__ import annotations

from tests.stream_engine import UNIX_PEER, serving

V1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n"


async def test_connected_is_told() -> None:
    async with serving("server { listen 127.0.0.1:7777; return hi; }") as engine:
        assert await engine.talk() == b"hi"
        await engine.talk(peer=UNIX_PEER)
        assert len(engine.logged("*1 client 127.0.0.1:40000 connected to 127.0.0.1:7777")) == 1
        assert len(engine.logged("*2 client unix: connected to 127.0.0.1:7777")) == 1


async def test_proxy_protocol_byte_by_byte() -> None:
    text = "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port"
    async with serving(f"server {{ listen 127.0.0.1:7777 proxy_protocol; return '{text}'; }}") as engine:
        assert await engine.talk(V1) == b"192.0.2.1:1111 192.0.2.2:2222"
        client = engine.connect()
        for byte in V1:
            await client.send_all(bytes([byte]))
        assert await client.receive_some() == b"192.0.2.1:1111 192.0.2.2:2222"
        await client.aclose()


async def test_a_broken_proxy_protocol_header_ends_the_session() -> None:
    async with serving("server { listen 127.0.0.1:7777 proxy_protocol; return hi; }") as engine:
        assert await engine.talk(b"GET / HTTP/1.1\r\n\r\n") == b""
        (line,) = engine.logged("broken header")
        assert "while reading PROXY protocol, client: 127.0.0.1, server: 127.0.0.1:7777" in line


async def test_a_header_that_does_not_come() -> None:
    conf = "proxy_protocol_timeout 30ms; server { listen 127.0.0.1:7777 proxy_protocol; return hi; }"
    async with serving(conf) as engine:
        assert await engine.talk(b"PROXY") == b""
        (line,) = engine.logged("client timed out (110: Connection timed out)")
        assert "[info]" in line and "while reading PROXY protocol" in line


async def test_a_client_that_leaves_before_its_header() -> None:
    async with serving("server { listen 127.0.0.1:7777 proxy_protocol; return hi; }") as engine:
        await engine.connect().aclose()
        await engine.ended()
        assert engine.logged("[error]") == []


async def test_a_server_without_content() -> None:
    async with serving("server { listen 127.0.0.1:7777; }") as engine:
        assert await engine.talk() == b""
