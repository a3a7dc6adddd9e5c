from __future__ import annotations

import socket

import pytest
import trio

from gateway.protocol.proxy_protocol import SIGNATURE, parse
from tests.mail_engine import UNIX_PEER, serving

IMAP = "server { listen 143; %s }"


async def test_bytes_both_ways() -> None:
    async with serving(IMAP % "") as engine:
        engine.backend.greeting = b"* OK"
        engine.backend.replies = {b"a LOGIN": b"+ go", b"user": b"+ go", b"pass": b"* CAPABILITY X\r\na OK in"}
        engine.backend.otherwise = b"b OK " + b"x" * 20000
        async with engine.client() as client:
            await client.line()
            # what comes behind the login is the mail server's
            await client.send(b"a LOGIN user pass\r\nb NOOP\r\n")
            assert [await client.line(), await client.line()] == [b"* CAPABILITY X", b"a OK in"]
            assert await client.line() == b"b OK " + b"x" * 20000
        await engine.ended()
        assert engine.backend.said == [b"a LOGIN {4}", b"user {4}", b"pass", b"b NOOP"]
        assert engine.logged("client logged in, client: 127.0.0.1")
        assert engine.logged("proxied session done, client: 127.0.0.1")


async def test_a_server_that_is_not_there() -> None:
    async with serving(IMAP % "") as engine, engine.client() as client:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            engine.auth.backend_port = unused.getsockname()[1]
            await client.line()
            assert await client.say(b"a LOGIN u p") == b"* BAD internal server error"
            assert engine.logged("failed (111: Connection refused) while")
            assert await client.ended()


async def test_a_server_that_is_silent() -> None:
    async with serving(IMAP % "timeout 50ms;") as engine, engine.client() as client:
        await client.line()
        assert await client.say(b"a LOGIN u p") == b"* BAD internal server error"
        assert engine.logged("upstream timed out (110: Connection timed out) while reading response from upstream")


async def test_a_server_that_talks_without_end() -> None:
    async with serving(IMAP % "proxy_buffer 100;") as engine, engine.client() as client:
        engine.backend.greeting = b"* OK " + b"x" * 200
        await client.line()
        assert await client.say(b"a LOGIN u p") == b"* BAD internal server error"
        assert engine.logged('upstream sent too long response line: "* OK xxx')


async def test_its_own_words() -> None:
    async with serving(IMAP % "proxy_pass_error_message on;") as engine, engine.client() as client:
        engine.backend.greeting = b"* OK"
        engine.backend.otherwise = b"a NO go away"
        await client.line()
        assert await client.say(b"a LOGIN u p") == b"a NO go away"
        assert await client.ended()
        (line,) = engine.logged('upstream sent invalid response: "a NO go away"')
        assert "[info]" in line


@pytest.mark.parametrize(("version", "start"), [("on", b"PROXY UNKNOWN\r\n"), ("v2", SIGNATURE + b" \0")])
async def test_proxy_protocol(version: str, start: bytes) -> None:
    conf = IMAP % f"proxy_protocol {version}; timeout 200ms;"
    async with serving(conf) as engine, engine.client(0, UNIX_PEER) as client:
        await client.line()
        await client.send(b"a LOGIN u p\r\n")
        with trio.fail_after(5):
            while not engine.backend.received:
                await trio.sleep(0.001)
        assert engine.backend.received.startswith(start)
        assert parse(engine.backend.received) is not None


async def test_the_session_ends_after_a_while() -> None:
    async with serving(IMAP % "proxy_timeout 50ms;") as engine, engine.client() as client:
        engine.backend.greeting = b"* OK"
        engine.backend.replies = {b"a LOGIN": b"+ go", b"u": b"+ go", b"p": b"a OK"}
        await client.line()
        assert await client.say(b"a LOGIN u p") == b"a OK"
        assert await client.ended()
        assert engine.logged("client timed out (110: Connection timed out) while proxying")
