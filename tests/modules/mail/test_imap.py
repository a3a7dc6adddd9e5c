from __future__ import annotations

import base64

import pytest

from tests.mail_engine import load_mail, serving

SERVER = "server { listen 143; %s }"


async def test_before_the_login() -> None:
    async with serving(SERVER % "") as engine, engine.client() as client:
        assert await client.line() == b"* OK IMAP4 ready"
        assert await client.say(b"1 noop") == b"1 OK completed"
        assert await client.say(b"2 CAPABILITY") == b"* CAPABILITY IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN"
        assert await client.line() == b"2 OK completed"
        assert await client.say(b"3 SELECT INBOX") == b"3 BAD invalid command"
        assert await client.say(b"*") == b"* BAD invalid command"
        assert await client.say(b"4 LOGIN {4}") == b"+ OK"
        assert await client.say(b"user") == b"4 BAD invalid command"
        assert await client.say(b"5 LOGOUT") == b"* BYE"
        assert await client.line() == b"5 OK completed"
        assert await client.ended()


@pytest.mark.parametrize(
    ("more", "starttls", "only"),
    [
        ("", b"IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN STARTTLS", b"IMAP4 IMAP4rev1 UIDPLUS STARTTLS LOGINDISABLED"),
        (
            "imap_capabilities X; imap_auth login cram-md5;",
            b"X AUTH=LOGIN AUTH=CRAM-MD5 STARTTLS",
            b"X STARTTLS LOGINDISABLED",
        ),
    ],
)
def test_capabilities(more: str, starttls: bytes, only: bytes) -> None:
    cycle = load_mail("auth_http 127.0.0.1:1;" + SERVER % more)
    (module,) = [module for module in cycle.modules if module.name == "imap"]
    texts = cycle.servers[0].confs[module].texts
    assert (texts.starttls, texts.starttls_only) == (b"* CAPABILITY %b\r\n" % starttls, b"* CAPABILITY %b\r\n" % only)


async def test_mistakes_in_what_is_answered() -> None:
    async with serving(SERVER % "") as engine, engine.client() as client:
        await client.line()
        assert await client.say(b"1 AUTHENTICATE LOGIN") == b"+ VXNlcm5hbWU6"
        assert await client.say(b"*") == b"BAD invalid command"
        assert await client.say(b"2 AUTHENTICATE LOGIN") == b"+ VXNlcm5hbWU6"
        assert await client.say(base64.b64encode(b"u")) == b"+ UGFzc3dvcmQ6"
        assert await client.say(b"*") == b"2 BAD invalid command"
        assert await client.say(b"3 AUTHENTICATE PLAIN") == b"+ "
        assert await client.say(b"*") == b"3 BAD invalid command"


async def test_literals_after_a_mistake_end_it() -> None:
    async with serving(SERVER % "") as engine, engine.client() as client:
        await client.line()
        assert await client.say(b"1 SELECT {5+}", b"INBOX") == b"1 BAD invalid command"
        assert await client.ended()


async def test_starttls_only(tmp_path: object) -> None:
    async with serving(SERVER % "") as engine, engine.client() as client:
        engine.cycle.servers[0].starttls_only = engine.cycle.servers[0].starttls = True
        await client.line()
        assert await client.say(b"1 CAPABILITY") == b"* CAPABILITY IMAP4 IMAP4rev1 UIDPLUS STARTTLS LOGINDISABLED"
        await client.line()
        assert await client.say(b"2 LOGIN u p") == b"2 BAD invalid command"
        assert await client.say(b"3 AUTHENTICATE PLAIN AHUAcA==") == b"3 BAD invalid command"
