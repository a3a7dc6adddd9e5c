"""TLS between the stream block and its upstreams."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests import certificates
from tests.stream_engine import serving


@contextlib.asynccontextmanager
async def peer(*names: str, header: bool = False) -> AsyncIterator[tuple[int, list[Any]]]:
    """Says what it was told: the server name, the protocol, and what came before TLS."""
    told: list[Any] = []
    context = certificates.server_context(*names)
    context.set_alpn_protocols(["x", "y"])
    context.sni_callback = lambda engine, name, own: told.append(name)

    async def serve(plain: trio.SocketStream) -> None:
        line = b""
        while header and not line.endswith(b"\n"):
            line += await plain.receive_some(1)
        stream = trio.SSLStream(plain, context, server_side=True, https_compatible=True)
        with contextlib.suppress(trio.BrokenResourceError):
            data = await stream.receive_some()
            engine: Any = stream
            told.append((line, engine.selected_alpn_protocol(), engine.session_reused))
            await stream.send_all(b"<" + data + b">")
            await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners: Any = await nursery.start(
            lambda task_status: trio.serve_tcp(serve, 0, host="127.0.0.1", task_status=task_status)
        )
        yield listeners[0].socket.getsockname()[1], told
        nursery.cancel_scope.cancel()


def site(port: int, more: str = "") -> str:
    return f"upstream back {{ server 127.0.0.1:{port}; }} server {{ listen 1; proxy_pass back; proxy_ssl on; {more} }}"


async def test_bytes_both_ways_and_sessions_go_on() -> None:
    async with peer() as (port, told), serving(site(port)) as engine:
        for _ in range(2):
            assert await engine.talk(b"hello") == b"<hello>"
        assert [one[2] for one in told if isinstance(one, tuple)] == [False, True]


async def test_names_and_protocols() -> None:
    async with peer() as (port, told):
        more = "proxy_ssl_server_name on; proxy_ssl_name a.example:80; proxy_ssl_alpn nothing y $protocol;"
        async with serving(site(port, more)) as engine:
            assert await engine.talk(b"x") == b"<x>"
        assert told == ["a.example", (b"", "y", False)]


async def test_a_certificate_of_ours_that_cannot_be_loaded() -> None:
    more = "proxy_ssl_certificate /nowhere/$protocol; proxy_ssl_certificate_key /nowhere/$protocol;"
    async with peer() as (port, _), serving(site(port, more)) as engine:
        assert await engine.talk(b"x") == b""
        told = engine.logged('cannot load certificate "/nowhere/TCP": BIO_new_file() failed')
        assert ") while connecting to upstream, client:" in str(told)


async def test_a_proxy_protocol_header_goes_before() -> None:
    async with peer(header=True) as (port, told), serving(site(port, "proxy_protocol on;")) as engine:
        assert await engine.talk(b"x") == b"<x>"
        assert told[-1][0].startswith(b"PROXY TCP4 127.0.0.1 ") or told[-1][0].startswith(b"PROXY UNKNOWN")


@pytest.mark.parametrize(
    ("name", "words"),
    [("good.example", ""), ("bad.example", 'upstream SSL certificate does not match "bad.example"')],
)
async def test_verification(tmp_path: Path, name: str, words: str) -> None:
    trusted = certificates.write_authority(tmp_path)
    more = f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {trusted}; proxy_ssl_name {name};"
    async with peer("good.example") as (port, _), serving(site(port, more)) as engine:
        assert await engine.talk(b"x") == (b"" if words else b"<x>")
        assert not words or engine.logged(words + " while SSL handshaking to upstream")


async def test_an_upstream_without_tls() -> None:
    async def plain(stream: trio.SocketStream) -> None:
        await stream.send_all(b"220 hello\r\n")

    async with trio.open_nursery() as nursery:
        listeners: Any = await nursery.start(
            lambda task_status: trio.serve_tcp(plain, 0, host="127.0.0.1", task_status=task_status)
        )
        async with serving(site(listeners[0].socket.getsockname()[1])) as engine:
            assert await engine.talk(b"x") == b""
            line = engine.logged("SSL_do_handshake() failed (SSL: error:")[0]
            assert "[error]" in line and "wrong version number" in line
        nursery.cancel_scope.cancel()
