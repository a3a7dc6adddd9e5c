"""ssl_ocsp: a client with a certificate, and its authority's responder."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography.x509 import ocsp as witness

from gateway.config.errors import ConfigError
from tests import certificates
from tests.engine import load_http, read_reply, serving
from tests.http.test_handshake import GET, site
from tests.ocsp_responder import Authority, pem_of


def client(folder: Path, pem: str, key: str) -> ssl.SSLContext:
    context = certificates.client_context()
    path = folder / "client.pem"
    path.write_text(pem + key)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize(
    ("change", "status", "body"),
    [
        ({}, 200, b"SUCCESS"),
        ({"status": witness.OCSPCertStatus.REVOKED}, 400, b"The SSL certificate error"),
        ({"code": 500}, 400, b"The SSL certificate error"),
    ],
)
@pytest.mark.parametrize("cache", ["off", "shared:ocsp:1m"])
async def test_clients(tmp_path: Path, change: dict[str, Any], status: int, body: bytes, cache: str) -> None:
    authority = Authority()
    for name, value in change.items():
        setattr(authority, name, value)
    (tmp_path / "authority.pem").write_text(pem_of(authority.certificate))
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
        pem, key, subject = authority.issue("client.example", url)
        nursery.start_soon(trio.serve_listeners, lambda stream: authority.respond(stream, subject), listeners)
        more = f"ssl_verify_client on; ssl_client_certificate {tmp_path}/authority.pem; ssl_ocsp on;"
        text = site(tmp_path, f"{more} ssl_ocsp_cache {cache};", location="return 200 $ssl_client_verify;")
        async with serving(text) as engine:
            for _ in range(2):
                received = await certificates.exchange(engine, client(tmp_path, pem, key), GET)
                reply = read_reply(received)
                assert reply.status == status and body in reply.body
            asked_again = cache == "off" or "code" in change
            assert authority.asked == (2 if asked_again else 1)
        nursery.cancel_scope.cancel()


async def test_clients_that_leave_meanwhile(tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "authority.pem").write_text(pem_of(authority.certificate))
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
        pem, key, subject = authority.issue("client.example", url)
        go_on, here = trio.Event(), trio.Event()

        async def respond(stream: trio.SocketStream) -> None:
            here.set()
            await go_on.wait()
            await authority.respond(stream, subject)

        nursery.start_soon(trio.serve_listeners, respond, listeners)
        more = f"ssl_verify_client on; ssl_client_certificate {tmp_path}/authority.pem; ssl_ocsp leaf;"
        async with serving(site(tmp_path, more)) as engine:
            plain = engine.connect()
            stream = trio.SSLStream(plain, client(tmp_path, pem, key), server_hostname="localhost")
            await stream.do_handshake()
            with trio.fail_after(5):
                await here.wait()
            await plain.aclose()
            go_on.set()
            with trio.fail_after(5):
                while engine.worker.connections:
                    await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


def test_what_is_wrong(tmp_path: Path) -> None:
    for more, message in (
        ("ssl_ocsp on; ssl_verify_client optional_no_ca;", '"ssl_ocsp" is incompatible with'),
        ("ssl_ocsp maybe;", 'invalid value "maybe"'),
        ("ssl_ocsp on; ssl_ocsp_responder https://x;", 'invalid URL prefix in OCSP responder "https://x" in "ssl_ocsp'),
        ("ssl_ocsp_cache shared:a;", 'invalid OCSP cache "shared:a"'),
        ("ssl_ocsp_cache shared:a:1k;", 'OCSP cache "shared:a:1k" is too small'),
        ("ssl_ocsp_cache wrong;", 'invalid OCSP cache "wrong"'),
    ):
        with pytest.raises(ConfigError, match=message):
            load_http(site(tmp_path, more))
    load_http(site(tmp_path, "ssl_ocsp_responder https://x;"))  # without ssl_ocsp nobody looks at it
