from __future__ import annotations

import trio

from tests.mail_engine import UNIX_PEER, serving

IMAP = "server { listen 127.0.0.1:143; %s }"
V1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n"


async def test_the_log_of_a_session() -> None:
    async with serving(IMAP % "") as engine:
        engine.backend.greeting = b"-ERR"
        async with engine.client() as client:
            await client.line()
            assert await client.say(b"a LOGIN u p") == b"* BAD internal server error"
        assert engine.logged("*1 client 127.0.0.1:40000 connected to 127.0.0.1:143")
        (line,) = engine.logged("upstream sent invalid response")
        server = f'server: 127.0.0.1:143, login: "u", upstream: 127.0.0.1:{engine.backend.port}'
        assert f'"-ERR" while reading response from upstream, client: 127.0.0.1, {server}' in line
        async with engine.client(0, UNIX_PEER):
            pass
        assert engine.logged("client unix: connected")


async def test_too_long() -> None:
    async with serving(IMAP % "imap_client_buffer 20;") as engine, engine.client() as client:
        await client.line()
        assert await client.say(b"a LOGIN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") == b"* BAD invalid command"
        assert await client.ended()
        assert engine.logged('client sent too long command "a LOGIN aaaaaaaaaaaa"')


async def test_max_errors() -> None:
    async with serving(IMAP % "max_errors 2;") as engine, engine.client() as client:
        await client.line()
        assert await client.say(b"a X", b"b X", b"c X") == b"a BAD invalid command"
        assert await client.line() == b"b BAD invalid command"
        assert await client.ended()
        assert engine.logged("client sent too many invalid commands")


async def test_a_silent_client() -> None:
    async with serving(IMAP % "timeout 20ms;") as engine, engine.client() as client:
        assert await client.line() == b"* OK IMAP4 ready"
        assert await client.ended()
        (line,) = engine.logged("client timed out (110: Connection timed out)")
        assert "[info]" in line and "while in auth state" in line


async def test_proxy_protocol() -> None:
    conf = "server { listen 127.0.0.1:143 proxy_protocol; timeout %s; }"
    async with serving(conf % "60s") as engine:
        async with engine.client() as client:
            for byte in V1:
                await client.send(bytes([byte]))
            assert await client.line() == b"* OK IMAP4 ready"
        async with engine.client() as client:
            await client.send(V1 + b"a NOOP\r\n")
            assert [await client.line(), await client.line()] == [b"* OK IMAP4 ready", b"a OK completed"]
        async with engine.client() as client:
            await client.send(b"a NOOP\r\n")
            assert await client.ended()
        assert engine.logged('broken header: "a NOOP')
    async with serving(conf % "50ms") as engine:
        async with engine.client() as client:
            assert await client.ended()
        (line,) = engine.logged("client timed out")
        assert "while reading PROXY protocol, client: 127.0.0.1, server: 127.0.0.1:143" in line


async def test_a_client_that_leaves() -> None:
    async with serving(IMAP % "") as engine:
        for sent in (b"", b"a ", b"a LOGIN {3}\r\n"):
            async with engine.client() as client:
                await client.line()
                await client.send(sent)
        await engine.ended()
        assert not engine.logged("[error]")


async def test_refused_after_a_while_it_may_go_on() -> None:
    async with serving(IMAP % "") as engine:
        answers = iter(({"Auth-Status": "Not yet", "Auth-Wait": "1"}, {"Auth-Status": "Never"}))
        engine.auth.answer = lambda question: next(answers)
        async with engine.client() as client:
            await client.line()
            before = trio.current_time()
            assert await client.say(b"a LOGIN u p") == b"a NO Not yet"
            assert trio.current_time() - before > 0.9
            assert await client.say(b"b NOOP") == b"b OK completed"
            assert await client.say(b"c LOGIN u p") == b"c NO Never"
            assert await client.ended()
        assert [asked["Auth-Login-Attempt"] for asked in engine.auth.asked] == ["1", "2"]


async def test_the_workers_end() -> None:
    async with serving(IMAP % "") as engine, engine.client() as client:
        await client.line()
        engine.worker.close_idle()
        assert await client.say(b"a NOOP") == b"a OK completed"
        engine.worker.abort()
        assert await client.ended()
        assert engine.logged("shutdown timeout")
