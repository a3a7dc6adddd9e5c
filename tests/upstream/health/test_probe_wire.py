"""Health checks over TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from tests import certificates
from tests.engine import serving
from tests.fakes import farm
from tests.lanes import until
from tests.modules.http.test_health_check import lines_of, peers_of
from tests.upstream.exchange.test_tls import peer


def conf(port: int, location: str, zone: str = "zone u 64k;") -> str:
    return f"""upstream u {{ {zone} server 127.0.0.1:{port}; }}
        server {{ listen 127.0.0.1:8080; location / {{ {location} }} }}"""


@pytest.mark.parametrize("keepalive", ["", "keepalive_time=1m"])
async def test_a_peer_with_tls_is_well(keepalive: str, tmp_path: Path) -> None:
    trusted = f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {certificates.write_authority(tmp_path)};"
    names = "proxy_ssl_name good.example; proxy_ssl_server_name on;"
    async with peer("good.example") as made:
        text = conf(made.port, f"proxy_pass https://u; {trusted} {names} health_check interval=10ms {keepalive};")
        async with serving(text) as engine:
            (record,) = peers_of(engine)
            await until(lambda: record.checks > 3)
            assert (record.check_fails, lines_of(engine)) == (0, [])
            assert set(made.names) == {"good.example"}
            assert made.connections == 1 if keepalive else made.connections >= 3
            assert (await engine.get("/")).body == b"ok"


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca};", 'upstream SSL certificate does not match "u"'),
        (
            "proxy_ssl_verify on; proxy_ssl_trusted_certificate {chain}; proxy_ssl_name good.example;",
            "upstream SSL certificate verify error: (21:unable to verify the first certificate)",
        ),
    ],
)
async def test_what_is_wrong_with_its_tls(location: str, words: str, tmp_path: Path) -> None:
    chain, _ = certificates.write(tmp_path)
    location = location.format(ca=certificates.write_authority(tmp_path), chain=chain)
    async with peer("good.example") as made:
        text = conf(made.port, f"proxy_pass https://u; {location} health_check interval=10ms;")
        async with serving(text) as engine:
            await until(lambda: lines_of(engine))
            assert f"peer is unhealthy while SSL handshaking to upstream ({words}" in lines_of(engine)[0]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"", "peer closed connection in SSL handshake"),
        (None, "110: Connection timed out"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong"),
    ],
)
async def test_no_handshake(answer: bytes | None, found: str, tmp_path: Path) -> None:
    async def plain(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        if answer is None:
            await trio.sleep_forever()
        elif answer:
            await stream.send_all(answer)

    async with farm(tmp_path) as peers:
        port = int((await peers.tcp(plain)).rpartition(":")[2])
        text = conf(port, "proxy_pass https://u; proxy_connect_timeout 50ms; health_check interval=10ms;")
        async with serving(text) as engine:
            await until(lambda: lines_of(engine))
            assert f"peer is unhealthy while SSL handshaking to upstream ({found}" in lines_of(engine)[0]


@pytest.mark.parametrize("check", ["", "type=uwsgi_ping"])
async def test_uwsgi_over_tls(check: str, tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def app(stream: trio.SSLStream[trio.SocketStream]) -> None:
        head = await stream.receive_some()
        asked.append(bytes(head))
        await stream.send_all(b"d\0\0\1" if check else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_ssl_over_tcp_listeners(
            0, certificates.server_context(), host="127.0.0.1", https_compatible=True
        )
        transport: Any = listener.transport_listener
        port = transport.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, app, [listener])
        text = conf(port, f"uwsgi_pass suwsgi://u; uwsgi_param A b; health_check interval=10ms {check};")
        async with serving(text) as engine:
            (record,) = peers_of(engine)
            await until(lambda: record.checks > 2)
            assert record.check_fails == 0 and not lines_of(engine)
            assert asked[0][:1] == (b"d" if check else b"\0")
        nursery.cancel_scope.cancel()
