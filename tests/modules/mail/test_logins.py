from __future__ import annotations

import base64

import pytest

from tests.mail_engine import serving

POP3 = "server { listen 110; }"
SMTP = "server { listen 25; server_name mx; %s }"
PLAIN = b"AUTH PLAIN " + base64.b64encode(b"\0u+v\0p")


async def test_pop3() -> None:
    async with serving(POP3) as engine, engine.client() as client:
        engine.backend.greeting = b"+OK hi"
        engine.backend.replies = {b"USER": b"+OK", b"PASS": b"+OK in"}
        engine.auth.answer = lambda question: {"Auth-User": "other", "Auth-Pass": "word"}
        await client.line()
        await client.say(b"USER a")
        assert await client.say(b"PASS b") == b"+OK in"
        assert engine.backend.said == [b"USER other", b"PASS word"]


async def test_no_more_than_one_command_of_pop3() -> None:
    """nginx would send what a client hides in base64 as commands of its own."""
    async with serving(POP3) as engine, engine.client() as client:
        engine.backend.greeting = b"+OK"
        await client.line()
        assert await client.say(b"AUTH PLAIN " + base64.b64encode(b"\0a\0b\r\nDELE 1")) == b"-ERR internal server error"
        assert engine.backend.said == []
        assert engine.logged("cannot go into a command of POP3")


@pytest.mark.parametrize(
    ("more", "hello", "login", "said"),
    [
        ("xclient off;", b"HELO me", PLAIN, [b"HELO mx"]),
        ("xclient off;", b"EHLO me", PLAIN, [b"EHLO mx"]),
        ("xclient off; proxy_smtp_auth on;", b"EHLO me", PLAIN, [b"EHLO mx", PLAIN]),
        (
            "",
            b"EHLO me",
            PLAIN,
            [b"EHLO mx", b"XCLIENT ADDR=127.0.0.1 LOGIN=u+2Bv NAME=[UNAVAILABLE]", b"EHLO me"],
        ),
        (
            "proxy_smtp_auth on;",
            b"HELO me",
            PLAIN,
            [b"EHLO mx", b"XCLIENT ADDR=127.0.0.1 NAME=[UNAVAILABLE]", b"HELO me", PLAIN],
        ),
        ("", b"NOOP", PLAIN, [b"EHLO mx", b"XCLIENT ADDR=127.0.0.1 LOGIN=u+2Bv NAME=[UNAVAILABLE]"]),
    ],
)
async def test_smtp(more: str, hello: bytes, login: bytes, said: list[bytes]) -> None:
    async with serving(SMTP % more) as engine, engine.client() as client:
        engine.backend.greeting = b"220-hi\r\n220 there"
        engine.backend.replies = {b"AUTH": b"235 ok", b"": b"250-ok\r\n250 done"}
        await client.line()
        await client.send(hello + b"\r\n")
        while (await client.line())[3:4] == b"-":
            pass
        assert await client.say(login) == b"235 2.0.0 OK"
        assert engine.backend.said == said


async def test_smtp_without_a_login() -> None:
    async with serving(SMTP % "xclient off; smtp_auth none;") as engine, engine.client() as client:
        engine.backend.greeting = b"220 hi"
        engine.backend.replies = {b"RCPT": b"550 nobody", b"": b"250 ok"}
        await client.line()
        await client.say(b"HELO me")
        await client.say(b"MAIL FROM:<a>")
        assert await client.say(b"RCPT TO:<b>") == b"550 nobody"
        assert await client.say(b"RSET") == b"250 ok"
        assert engine.backend.said == [b"HELO mx", b"MAIL FROM:<a>", b"RCPT TO:<b>", b"RSET"]


@pytest.mark.parametrize("refused", [b"HELO", b"MAIL"])
async def test_a_server_that_refuses(refused: bytes) -> None:
    async with serving(SMTP % "xclient off; smtp_auth none;") as engine, engine.client() as client:
        engine.backend.greeting = b"220 hi"
        engine.backend.replies = {refused: b"554 no", b"": b"250 ok"}
        await client.line()
        await client.say(b"HELO me")
        await client.say(b"MAIL FROM:<a>")
        assert await client.say(b"RCPT TO:<b>") == b"451 4.3.2 Internal server error"
        assert engine.logged('upstream sent invalid response: "554 no"')
