"""Connections of a `listen … ssl`, up to their first request."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio

from tests import certificates
from tests.engine import read_reply, serving
from tests.lanes import until

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def site(
    folder: Path, more: str = "", listen: str = "127.0.0.1:8443 ssl", location: str = "return 200 $scheme;"
) -> str:
    chain, key = certificates.write(folder)
    return f"""
        server {{
            listen {listen}; server_name localhost;
            ssl_certificate {chain}; ssl_certificate_key {key};
            location / {{ {location} }}
            {more}
        }}"""


async def test_a_request(tmp_path: Path) -> None:
    async with serving(site(tmp_path)) as engine:
        reply = read_reply(await certificates.exchange(engine, certificates.client_context(), GET))
        assert (reply.status, reply.body) == (200, b"https")


async def test_a_client_that_offers_only_protocols_that_we_do_not_have_is_refused(tmp_path: Path) -> None:
    context = certificates.client_context()
    context.set_alpn_protocols(["unknown"])
    async with serving(site(tmp_path)) as engine:
        with pytest.raises(trio.BrokenResourceError) as caught:
            await certificates.exchange(engine, context, GET)
        assert "no application protocol" in str(caught.value.__cause__)
        assert [line for line in engine.log.lines if "no application protocol" in line]
        context.set_alpn_protocols(["unknown", "http/1.1"])
        assert read_reply(await certificates.exchange(engine, context, GET)).status == 200


async def test_byte_by_byte(tmp_path: Path) -> None:
    """The hello comes in parts, and so does the rest of the handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificates.client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    async with serving(site(tmp_path)) as engine:
        plain = engine.connect()

        async def pass_on() -> None:
            for byte in outgoing.read():
                await plain.send_all(bytes([byte]))

        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                await pass_on()
                incoming.write(await plain.receive_some())
        client.write(GET)
        await pass_on()
        received = b""
        while True:
            try:
                data = client.read()
            except ssl.SSLWantReadError:
                incoming.write(await plain.receive_some())
                continue
            if not data:
                break
            received += data
        assert read_reply(received).body == b"https"
        await plain.aclose()


async def test_requests_one_after_the_other_and_together(tmp_path: Path) -> None:
    async with serving(site(tmp_path)) as engine:
        context = certificates.client_context()
        kept = GET.replace(b"close", b"keep-alive")
        received = await certificates.exchange(engine, context, kept + kept + GET)
        assert received.count(b"HTTP/1.1 200 OK") == 3


async def test_plain_http_is_answered(tmp_path: Path) -> None:
    async with serving(site(tmp_path)) as engine:
        reply = read_reply(await engine.raw(GET))
        assert reply.status == 400 and b"The plain HTTP request was sent to HTTPS port" in reply.body
        words = "client sent plain HTTP request to HTTPS port while reading client request headers,"
        assert any(words in line for line in engine.log.lines)


async def test_plain_http_may_have_an_error_page(tmp_path: Path) -> None:
    async with serving(site(tmp_path, "error_page 497 https://$host/;")) as engine:
        reply = read_reply(await engine.raw(GET))
        assert (reply.status, reply.header("location")) == (302, b"https://localhost/")


async def test_a_failure_is_logged_and_is_everyday(tmp_path: Path) -> None:
    async with serving(site(tmp_path)) as engine:
        assert (await engine.raw(b"\x16\x03\x01\x00\x05hello"))[:1] == b"\x15"
        lines = [line for line in engine.log.lines if "SSL_do_handshake() failed (SSL: error:" in line]
        assert len(lines) == 1 and "[info]" in lines[0]
        assert "while SSL handshaking, client: 127.0.0.1, server: 127.0.0.1:8443" in lines[0]


async def test_a_client_that_leaves(tmp_path: Path) -> None:
    async with serving(site(tmp_path)) as engine:
        assert await engine.raw(b"", end=True) == b""
        assert any("client closed connection while SSL handshaking" in line for line in engine.log.lines)
        assert await engine.raw(b"\x16\x03\x01", end=True) == b""


async def test_the_handshake_has_a_deadline(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    async with serving(site(tmp_path, "client_header_timeout 5s;")) as engine:
        began = trio.current_time()
        assert await engine.raw(b"\x16\x03\x01") == b""
        assert 4.9 < trio.current_time() - began < 6
        wanted = "client timed out (110: Connection timed out) while SSL handshaking"
        assert any(wanted in line for line in engine.log.lines)


async def test_the_name_chooses_the_server(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path, "other.example", stem="other")
    other = f"""
        server {{
            listen 127.0.0.1:8443 ssl; server_name other.example *.other.example;
            ssl_certificate {chain}; ssl_certificate_key {key};
            return 200 other;
        }}"""
    async with serving(site(tmp_path) + other) as engine:
        context = certificates.client_context()
        question = GET.replace(b"localhost", b"other.example")
        assert read_reply(await certificates.exchange(engine, context, question, "other.example")).body == b"other"
        assert read_reply(await certificates.exchange(engine, context, GET)).body == b"https"
        with pytest.raises(trio.BrokenResourceError):  # a name that nobody has: the default server's certificate
            await certificates.exchange(engine, context, GET, "unknown.example")


async def test_a_server_that_rejects(tmp_path: Path) -> None:
    rejecting = "server { listen 127.0.0.1:8443 ssl default_server; ssl_reject_handshake on; }"
    async with serving(rejecting + site(tmp_path)) as engine:
        context = certificates.client_context()
        assert read_reply(await certificates.exchange(engine, context, GET)).status == 200
        with pytest.raises(trio.BrokenResourceError) as caught:
            await certificates.exchange(engine, context, GET, "unknown.example")
        assert "UNRECOGNIZED_NAME" in str(caught.value.__cause__)


async def test_proxy_protocol_comes_first(tmp_path: Path) -> None:
    location = "return 200 $proxy_protocol_addr;"
    async with serving(site(tmp_path, "", "127.0.0.1:8443 ssl proxy_protocol", location)) as engine:
        plain = engine.connect()
        await plain.send_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n")
        stream = trio.SSLStream(
            plain, certificates.client_context(), server_hostname="localhost", https_compatible=True
        )
        await stream.send_all(GET)
        received = b""
        async for chunk in stream:
            received += chunk
        assert read_reply(received).body == b"192.0.2.1"
        await stream.aclose()


async def test_proxy_protocol_and_the_hello_at_once(tmp_path: Path) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificates.client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    async with serving(site(tmp_path, "", "127.0.0.1:8443 ssl proxy_protocol")) as engine:
        plain = engine.connect()
        await plain.send_all(b"PROXY UNKNOWN\r\n" + outgoing.read())
        assert (await plain.receive_some())[:1] == b"\x16"
        await plain.aclose()


async def test_bad_proxy_protocol_ends_it(tmp_path: Path) -> None:
    async with serving(site(tmp_path, "", "127.0.0.1:8443 ssl proxy_protocol")) as engine:
        assert await engine.raw(b"nonsense\r\n") == b""
        assert any("broken header" in line for line in engine.log.lines)


@pytest.mark.parametrize(
    ("ask", "what"), [(b"", "waiting for request"), (GET.replace(b"close", b"keep-alive"), "keepalive")]
)
async def test_what_is_no_tls_where_a_request_is_awaited_is_told(tmp_path: Path, ask: bytes, what: str) -> None:
    async with serving(site(tmp_path)) as engine, engine.connect() as plain:
        client = trio.SSLStream(plain, certificates.client_context(), server_hostname="localhost")
        await client.do_handshake()
        if ask:
            await client.send_all(ask)
            await client.receive_some()
        await plain.send_all(b"no record of TLS is this")
        await until(lambda: any("SSL_read() failed (SSL:" in line for line in engine.log.lines))
        told = [line for line in engine.log.lines if "SSL_read() failed (SSL:" in line]
        assert len(told) == 1 and "[info]" in told[0] and f") while {what}, client: " in told[0]
