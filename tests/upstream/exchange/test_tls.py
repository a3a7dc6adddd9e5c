"""Exchanges over TLS, with a peer of Trio's."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from gateway._fast.errors import TlsFailure
from gateway.upstream.exchange.tls import failure_of, may_be_sent
from tests import certificates
from tests.engine import serving


class TlsPeer:
    """Answers each request with what it knows of the connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.names: list[str | None] = []
        context.sni_callback = lambda engine, name, own: self.names.append(name)
        self.port = 0
        self.connections = 0
        self.reused: list[bool | None] = []

    async def serve(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self.connections += 1
        data = b""
        with contextlib.suppress(trio.BrokenResourceError):
            async for part in stream:
                data += part
                if b"\r\n\r\n" in data:
                    data = b""
                    self.reused.append(stream.session_reused)
                    body = b"big" * 100_000 if b"GET /big" in part else b"ok"
                    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                    await stream.send_all(head + body)


@contextlib.asynccontextmanager
async def peer(*names: str, context: ssl.SSLContext | None = None) -> AsyncIterator[TlsPeer]:
    made = TlsPeer(context or certificates.server_context(*names))
    async with trio.open_nursery() as nursery:
        listeners: Any = await nursery.start(
            lambda task_status: trio.serve_ssl_over_tcp(
                made.serve, 0, made.context, host="127.0.0.1", https_compatible=True, task_status=task_status
            )
        )
        made.port = listeners[0].transport_listener.socket.getsockname()[1]
        yield made
        nursery.cancel_scope.cancel()


def site(made: TlsPeer, text: str = "", target: str = "https://back") -> str:
    return f"""
        upstream back {{ server 127.0.0.1:{made.port}; keepalive 4; }}
        server {{ location / {{ proxy_pass {target}; {text} }} }}"""


async def test_requests_share_a_connection() -> None:
    # on a busy machine the client reads late: nothing goes to a file
    async with peer() as made, serving(site(made, "proxy_max_temp_file_size 0;")) as engine:
        for _ in range(3):
            assert (await engine.get("/")).body == b"ok"
        assert (await engine.get("/big")).body == b"big" * 100_000
        assert made.connections == 1 and made.names == [None]


async def test_the_name_that_is_sent() -> None:
    async with peer() as made:
        for text, name in (
            ("proxy_ssl_server_name on;", "back"),
            ("proxy_ssl_server_name on; proxy_ssl_name $arg_x.example:80;", "a.example"),
            ("proxy_ssl_server_name on; proxy_ssl_name 127.0.0.1;", None),
            ("proxy_ssl_server_name on; proxy_ssl_name '';", None),
        ):
            async with serving(site(made, text)) as engine:
                assert (await engine.get("/?x=a")).body == b"ok"
            assert made.names[-1] == name


async def test_a_kept_connection_is_for_the_name_that_it_was_made_for() -> None:
    text = "proxy_ssl_name $arg_x; proxy_ssl_server_name on;"
    async with peer() as made, serving(site(made, text)) as engine:
        for name in ("a.example", "b.example", "a.example", "b.example"):
            assert (await engine.get("/?x=" + name)).body == b"ok"
        assert made.names == ["a.example", "b.example"]


async def test_a_kept_connection_was_verified_if_that_is_wanted(tmp_path: Path) -> None:
    trusted = f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {certificates.write_authority(tmp_path)};"
    async with peer("good.example") as made:
        text = site(made).replace(
            "server { location",
            f"""server {{
                location /strict/ {{ proxy_pass https://back; {trusted} proxy_ssl_name $arg_x; }}
                location /again/ {{ proxy_pass https://back; {trusted} proxy_ssl_name good.example; }}
                location""",
        )
        async with serving(text) as engine:
            assert (await engine.get("/")).status == 200
            assert (await engine.get("/strict/?x=good.example")).status == 200
            assert (await engine.get("/strict/?x=bad.example")).status == 502
            assert made.connections == 3
            for path in ("/", "/strict/?x=good.example", "/again/", "/"):
                assert (await engine.get(path)).status == 200
        assert made.connections == 3  # what is said twice is the same


async def test_a_kept_connection_and_a_session_are_those_of_our_certificate(tmp_path: Path) -> None:
    for name in ("one", "two"):
        certificates.write(tmp_path, f"{name}.example", stem=name)
    context = certificates.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    certificates.authority().configure_trust(context)
    text = f"proxy_ssl_certificate {tmp_path}/$arg_x.pem; proxy_ssl_certificate_key {tmp_path}/$arg_x.key;"
    for most, connections, reused in (("4", 2, [False] * 4), ("0", 4, [False, False, True, True])):
        async with peer(context=context) as made:
            async with serving(site(made, text).replace("keepalive 4;", f"keepalive {most};")) as engine:
                for name in ("one", "two", "one", "two"):
                    assert (await engine.get("/?x=" + name)).body == b"ok"
            assert made.connections == connections and made.reused == reused


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("reuse", ["on", "off"])
async def test_sessions(version: str, reuse: str) -> None:
    text = f"proxy_ssl_protocols {version}; proxy_ssl_session_reuse {reuse}; proxy_set_header Connection close;"
    async with peer() as made, serving(site(made, text).replace("keepalive 4;", "keepalive 0;")) as engine:
        for _ in range(2):
            await engine.get("/")
        assert made.reused == [False, reuse == "on"]


async def test_verification(tmp_path: Path) -> None:
    trusted = f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {certificates.write_authority(tmp_path)};"
    chain, _ = certificates.write(tmp_path)
    async with peer("good.example") as made:
        for text, status, words in (
            (f"{trusted} proxy_ssl_name good.example;", 200, ""),
            (trusted, 502, 'upstream SSL certificate does not match "back"'),
            (
                f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {chain}; proxy_ssl_name good.example;",
                502,
                "upstream SSL certificate verify error: (21:unable to verify the first certificate)",
            ),
        ):
            async with serving(site(made, text)) as engine:
                assert (await engine.get("/")).status == status
                found = [line for line in engine.log.lines if words in line and "while SSL handshaking to" in line]
                assert not words or (len(found) == 1 and "[error]" in found[0])


async def test_a_certificate_of_ours(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path, "client.example", stem="client")
    context = certificates.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    certificates.authority().configure_trust(context)
    async with peer(context=context) as made:
        for text, status in (
            (f"proxy_ssl_certificate {chain}; proxy_ssl_certificate_key {key};", 200),
            (
                f"proxy_ssl_certificate {tmp_path}/$arg_x.pem; proxy_ssl_certificate_key {tmp_path}/$arg_x.key;"
                "proxy_ssl_certificate_cache max=2;",
                200,
            ),
            ("", 502),
            ("proxy_ssl_certificate $arg_none; proxy_ssl_certificate_key $arg_none;", 502),
        ):
            async with serving(site(made, text)) as engine:
                assert (await engine.get("/?x=client")).status == status
        text = "proxy_ssl_certificate /nowhere/$arg_x; proxy_ssl_certificate_key /nowhere/$arg_x;"
        async with serving(site(made, text)) as engine:
            assert (await engine.get("/?x=client")).status == 500
            words = 'cannot load certificate "/nowhere/client": BIO_new_file() failed'
            told = [line for line in engine.log.lines if words in line]
            assert len(told) == 1 and ") while connecting to upstream, client:" in told[0]


async def test_variables_choose_the_scheme() -> None:
    async with peer() as made, serving(site(made, target="$arg_scheme://back")) as engine:
        assert (await engine.get("/?scheme=https")).body == b"ok"
        assert (await engine.get("/?scheme=http")).status == 502
        assert (await engine.get("/?scheme=ftp")).status == 500


async def plain_peer(stream: trio.SocketStream) -> None:
    async with stream:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def test_a_peer_without_tls_and_the_next() -> None:
    async with trio.open_nursery() as nursery, peer() as made:
        listeners: Any = await nursery.start(
            lambda task_status: trio.serve_tcp(plain_peer, 0, host="127.0.0.1", task_status=task_status)
        )
        port = listeners[0].socket.getsockname()[1]
        text = site(made).replace("upstream back {", f"upstream back {{ server 127.0.0.1:{port};")
        text = text.replace("; keepalive 4", " backup")
        async with serving(text) as engine:
            assert (await engine.get("/")).body == b"ok"
            words = "SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number)"
            found = [line for line in engine.log.lines if f"{words} while SSL handshaking to upstream" in line]
            assert len(found) == 1 and f'upstream: "https://127.0.0.1:{port}' in found[0] and "[error]" in found[0]
        nursery.cancel_scope.cancel()


async def silent_peer(stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def test_a_handshake_that_takes_too_long() -> None:
    async with trio.open_nursery() as nursery:
        listeners: Any = await nursery.start(
            lambda task_status: trio.serve_tcp(silent_peer, 0, host="127.0.0.1", task_status=task_status)
        )
        port = listeners[0].socket.getsockname()[1]
        text = f"server {{ location / {{ proxy_pass https://127.0.0.1:{port}; proxy_connect_timeout 300ms; }} }}"
        async with serving(text) as engine:
            assert (await engine.get("/")).status == 504
            words = "upstream timed out (110: Connection timed out) while SSL handshaking to upstream"
            assert any(words in line for line in engine.log.lines)
        nursery.cancel_scope.cancel()


async def test_a_peer_that_hangs_up() -> None:
    async with trio.open_nursery() as nursery:
        listeners: Any = await nursery.start(
            lambda task_status: trio.serve_tcp(trio.SocketStream.aclose, 0, host="127.0.0.1", task_status=task_status)
        )
        port = listeners[0].socket.getsockname()[1]
        async with serving(f"server {{ location / {{ proxy_pass https://127.0.0.1:{port}; }} }}") as engine:
            assert (await engine.get("/")).status == 502
            assert any("peer closed connection in SSL handshake" in line for line in engine.log.lines)
        nursery.cancel_scope.cancel()


def test_names_that_may_be_sent() -> None:
    names = b"a.example", b"localhost", b"", b"127.0.0.1", b"[::1]"
    assert [may_be_sent(name) for name in names] == [True, True, False, False, False]


def test_levels() -> None:
    assert failure_of(TlsFailure(b"SSL_do_handshake() failed (SSL: internal error)", 68))[0] == "crit"
    assert failure_of(ConnectionResetError(104, "reset"))[0] == "error"
