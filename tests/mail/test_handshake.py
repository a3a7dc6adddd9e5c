"""TLS of mail clients."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests import certificates
from tests.mail_engine import Client, Engine, serving


def server(folder: Path, more: str = "", listen: str = "143 ssl") -> str:
    chain, key = certificates.write(folder, "localhost", stem="localhost")
    return f"server {{ listen {listen}; ssl_certificate {chain}; ssl_certificate_key {key}; {more} }}"


@contextlib.asynccontextmanager
async def secure(client: trio.SocketStream, context: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    stream = trio.SSLStream(
        client, context or certificates.client_context(), server_hostname="localhost", https_compatible=True
    )
    await stream.do_handshake()
    yield Client(stream)


@contextlib.asynccontextmanager
async def over_tls(engine: Engine, context: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    async with engine.raw() as plain, secure(plain, context) as client:
        yield client


async def test_at_once(tmp_path: Path) -> None:
    async with serving(server(tmp_path)) as engine, over_tls(engine) as client:
        assert await client.line() == b"* OK IMAP4 ready"
        assert b"STARTTLS" not in await client.say(b"a CAPABILITY")


async def test_who_speaks_no_tls(tmp_path: Path) -> None:
    async with serving(server(tmp_path)) as engine, engine.client() as client:
        await client.send(b"a NOOP\r\n")
        await client.ended()
        assert engine.logged("while SSL handshaking")


async def test_a_handshake_that_does_not_end(tmp_path: Path) -> None:
    async with serving(server(tmp_path, "timeout 20ms;")) as engine, engine.client() as client:
        assert await client.ended()


@pytest.mark.parametrize(
    ("port", "ask", "ready", "offered"),
    [
        (143, b"a STARTTLS", b"a OK completed", b"STARTTLS"),
        (110, b"STLS", b"+OK", b""),
        (25, b"STARTTLS", b"220 2.0.0 Start TLS", b""),
    ],
)
async def test_starttls(tmp_path: Path, port: int, ask: bytes, ready: bytes, offered: bytes) -> None:
    async with serving(server(tmp_path, "starttls on;", str(port))) as engine, engine.raw() as plain:
        client = Client(plain)
        await client.line()
        # what is sent behind it in the clear counts for nothing
        assert await client.say(ask, b"a NOOP", b"NOOP") == ready
        async with secure(plain) as client:
            again = await client.say(ask)
            assert again.endswith((b"BAD invalid command", b"-ERR invalid command", b"500 5.5.1 Invalid command"))
            await client.say(b"a NOOP", b"NOOP")


async def test_starttls_that_is_off(tmp_path: Path) -> None:
    async with serving(server(tmp_path, "", "143")) as engine, engine.client() as client:
        await client.line()
        assert await client.say(b"a STARTTLS") == b"a BAD invalid command"


async def test_client_certificates(tmp_path: Path) -> None:
    verify = f"ssl_verify_client on; ssl_client_certificate {certificates.write_authority(tmp_path)};"
    async with serving(server(tmp_path, verify)) as engine:
        async with over_tls(engine) as client:
            assert await client.line() == b"* BYE No required SSL certificate"
            assert await client.ended()
        assert engine.logged("client sent no required SSL certificate")
        context = certificates.client_context()
        certificates.authority().issue_cert("client.example").configure_cert(context)
        async with over_tls(engine, context) as client:
            assert await client.line() == b"* OK IMAP4 ready"
            engine.auth.answer = lambda question: {"Auth-Status": "no"}
            await client.say(b"a LOGIN u p")
        (asked,) = engine.auth.asked
        assert asked["Auth-SSL"] == "on" and asked["Auth-SSL-Protocol"] == "TLSv1.3"
        assert asked["Auth-SSL-Verify"] == "SUCCESS" and "Auth-SSL-Cert" not in asked
        assert len(asked["Auth-SSL-Fingerprint"]) == 40


async def test_the_certificate_goes_on(tmp_path: Path) -> None:
    verify = "ssl_verify_client optional_no_ca; auth_http_pass_client_cert on;"
    async with serving(server(tmp_path, verify)) as engine:
        context = certificates.client_context()
        certificates.authority().issue_cert("client.example").configure_cert(context)
        async with over_tls(engine, context) as client:
            await client.line()
            engine.auth.answer = lambda question: {"Auth-Status": "no"}
            await client.say(b"a LOGIN u p")
        assert engine.auth.asked[0]["Auth-SSL-Cert"].startswith("-----BEGIN%20CERTIFICATE-----%0A")


async def test_alpn(tmp_path: Path) -> None:
    context = certificates.client_context()
    async with serving(server(tmp_path)) as engine:
        context.set_alpn_protocols(["smtp", "imap"])
        async with over_tls(engine, context) as client:
            assert client.stream.selected_alpn_protocol() == "imap"  # type: ignore[attr-defined]
        context.set_alpn_protocols(["smtp"])
        with pytest.raises(trio.BrokenResourceError):
            async with over_tls(engine, context):
                pass
