from __future__ import annotations

import trio

from tests.mail_engine import Client, load_mail, serving

SERVER = "server { listen 25; server_name mx; %s }"


async def multiline(client: Client, command: bytes) -> list[bytes]:
    lines = [await client.say(command)]
    while lines[-1][3:4] == b"-":
        lines.append(await client.line())
    return lines


async def test_before_the_login() -> None:
    async with serving(SERVER % "") as engine, engine.client() as client:
        assert await client.line() == b"220 mx ESMTP ready"
        assert await client.say(b"HELO a") == b"250 mx"
        assert await multiline(client, b"EHLO a") == [b"250-mx", b"250 AUTH PLAIN LOGIN"]
        for line in (b"HELO", b"EHLO a b", b"AUTH"):
            assert await client.say(line) == b"501 5.5.4 Invalid argument"
        assert await client.say(b"MAIL FROM:<a>") == b"530 5.7.1 Authentication required"
        assert engine.logged('client was rejected: "MAIL FROM:<a>__"')
        assert await client.say(b"RCPT TO:<a>") == b"503 5.5.1 Bad sequence of commands"
        for line in (b"RSET", b"NOOP"):
            assert await client.say(line) == b"250 2.0.0 OK"
        for line in (b"VRFY a", b"DATA", b"STARTTLS"):
            assert await client.say(line) == b"500 5.5.1 Invalid command"
        assert await client.say(b"QUIT") == b"221 2.0.0 Bye"
        assert await client.ended()


async def test_mail_without_a_login() -> None:
    async with serving(SERVER % "smtp_auth none;") as engine, engine.client() as client:
        engine.auth.answer = lambda question: {"Auth-Status": "No such user", "Auth-Error-Code": "550 5.1.1"}
        await client.line()
        assert await multiline(client, b"EHLO client") == [b"250 mx"]
        assert await client.say(b"RCPT TO:<a>") == b"503 5.5.1 Bad sequence of commands"
        assert await client.say(b"MAIL") == b"501 5.5.4 Invalid argument"
        assert await client.say(b"mail from:<a> BODY=8BITMIME") == b"250 2.0.0 OK"
        assert await client.say(b"MAIL FROM:<b>") == b"503 5.5.1 Bad sequence of commands"
        assert await client.say(b"RCPT") == b"501 5.5.4 Invalid argument"
        assert await client.say(b"RCPT TO:<c>") == b"550 5.1.1 No such user"
        (asked,) = engine.auth.asked
        assert asked["Auth-Method"] == "none" and asked["Auth-SMTP-Helo"] == "client"
        assert asked["Auth-SMTP-From"] == "mail from:<a> BODY=8BITMIME" and asked["Auth-SMTP-To"] == "RCPT TO:<c>"


async def test_hello_and_reset_forget() -> None:
    async with serving(SERVER % "smtp_auth none;") as engine, engine.client() as client:
        await client.line()
        for line in (b"RSET", b"HELO a"):
            await client.say(b"MAIL FROM:<a>")
            await client.say(line)
            assert await client.say(b"RCPT TO:<b>") == b"503 5.5.1 Bad sequence of commands"


def test_capabilities() -> None:
    cycle = load_mail("auth_http 127.0.0.1:1;" + SERVER % 'smtp_capabilities "SIZE 1" X; smtp_auth login;')
    (module,) = [module for module in cycle.modules if module.name == "smtp"]
    texts = cycle.servers[0].confs[module].texts
    assert texts.plain == b"250-mx\r\n250-SIZE 1\r\n250-X\r\n250 AUTH LOGIN\r\n"
    assert texts.starttls == b"250-mx\r\n250-SIZE 1\r\n250-X\r\n250-AUTH LOGIN\r\n250 STARTTLS\r\n"
    assert texts.starttls_only == b"250-mx\r\n250-SIZE 1\r\n250-X\r\n250 STARTTLS\r\n"


async def test_a_greeting_is_worth_waiting_for() -> None:
    async with serving(SERVER % "smtp_greeting_delay 50ms;") as engine:
        before = trio.current_time()
        async with engine.client() as client:
            assert await client.line() == b"220 mx ESMTP ready"
            assert trio.current_time() - before >= 0.05
        async with engine.client() as client:
            assert await client.say(b"HELO a") == b"503 5.5.0 Improper use of SMTP command pipelining"
            assert await client.ended()
        (line,) = engine.logged('client was rejected before greeting: "HELO a__"')
        assert "while in delay pipelining state" in line
        async with engine.client() as client:
            pass
        await engine.ended()


async def test_a_sleep_is_no_reason_to_stay_with_a_method() -> None:
    async with serving(SERVER % "smtp_auth none plain;") as engine, engine.client() as client:
        engine.auth.answer = lambda question: {"Auth-Status": "no", "Auth-Wait": "1"}
        await client.line()
        await client.say(b"MAIL FROM:<a>")
        assert await client.say(b"RCPT TO:<b>") == b"535 5.7.0 no"
        assert await client.say(b"AUTH PLAIN AHUAcA==") == b"535 5.7.0 no"
        assert [asked["Auth-Method"] for asked in engine.auth.asked] == ["none", "plain"]
