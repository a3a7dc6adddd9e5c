from __future__ import annotations

import hashlib

from tests.mail_engine import Client, load_mail, serving

SERVER = "server { listen 110; %s }"


async def multiline(client: Client, command: bytes) -> list[bytes]:
    lines = [await client.say(command)]
    while lines[-1] != b".":
        lines.append(await client.line())
    return lines


async def test_before_the_login() -> None:
    async with serving(SERVER % "") as engine, engine.client() as client:
        assert await client.line() == b"+OK POP3 ready"
        assert await client.say(b"noop") == b"+OK"
        sasl = b"SASL PLAIN LOGIN"
        head = b"+OK Capability list follows"
        assert await multiline(client, b"CAPA") == [head, b"TOP", b"USER", b"UIDL", sasl, b"."]
        assert await multiline(client, b"AUTH") == [b"+OK methods supported:", b"PLAIN", b"LOGIN", b"."]
        assert await client.say(b"PASS x") == b"-ERR invalid command"
        assert await client.say(b"LIST") == b"-ERR invalid command"
        assert await client.say(b"APOP u 1") == b"-ERR invalid command"
        assert await client.say(b"QUIT") == b"+OK"
        assert await client.ended()


async def test_after_user() -> None:
    async with serving(SERVER % "") as engine, engine.client() as client:
        engine.auth.answer = lambda question: {"Auth-Status": "no"}
        await client.line()
        assert await client.say(b"USER") == b"-ERR invalid command"
        assert await client.say(b"USER a b") == b"+OK"
        assert await client.say(b"NOOP") == b"+OK"
        assert await client.say(b"USER c") == b"-ERR invalid command"
        assert await client.say(b"PASS d") == b"-ERR invalid command"
        assert await client.say(b"USER a b") == b"+OK"
        assert await client.say(b"PASS c d") == b"-ERR no"
        (asked,) = engine.auth.asked
        assert (asked["Auth-User"], asked["Auth-Pass"], asked["Auth-Protocol"]) == ("a%20b", "c%20d", "pop3")


async def test_apop() -> None:
    async with serving(SERVER % "pop3_auth apop; server_name mx;") as engine, engine.client() as client:
        greeting = await client.line()
        salt = greeting.removeprefix(b"+OK POP3 ready ")
        assert salt.startswith(b"<") and salt.endswith(b"@mx>")
        digest = hashlib.md5(salt + b"secret").hexdigest().encode()
        engine.auth.answer = lambda question: {"Auth-Pass": "secret"}
        engine.backend.greeting = b"+OK"
        engine.backend.replies = {b"": b"+OK done"}
        assert await client.say(b"APOP user " + digest) == b"+OK done"
        (asked,) = engine.auth.asked
        assert (asked["Auth-Method"], asked["Auth-Salt"]) == ("apop", salt.decode())
        assert asked["Auth-Pass"] == digest.decode()
        assert engine.backend.said == [b"USER user", b"PASS secret"]


async def test_apop_needs_a_password_to_log_in_with() -> None:
    async with serving(SERVER % "pop3_auth apop;") as engine, engine.client() as client:
        await client.line()
        assert await client.say(b"APOP user 1") == b"-ERR internal server error"
        assert await client.ended()
        assert engine.logged("did not send password while in http auth state")


def test_capabilities_before_tls() -> None:
    cycle = load_mail("auth_http 127.0.0.1:1;" + SERVER % "pop3_capabilities user TOP; pop3_auth cram-md5 external;")
    (module,) = [module for module in cycle.modules if module.name == "pop3"]
    conf = cycle.servers[0].confs[module]
    assert conf.texts.starttls.split(b"\r\n")[1:] == [b"user", b"TOP", b"SASL CRAM-MD5 EXTERNAL", b"STLS", b".", b""]
    assert conf.texts.starttls_only.split(b"\r\n")[1:] == [b"TOP", b"STLS", b".", b""]


async def test_starttls_only() -> None:
    async with serving(SERVER % "") as engine, engine.client() as client:
        engine.cycle.servers[0].starttls_only = engine.cycle.servers[0].starttls = True
        await client.line()
        for line in (b"USER u", b"AUTH", b"AUTH PLAIN AHUAcA==", b"APOP u 1"):
            assert await client.say(line) == b"-ERR invalid command"
        assert b"USER" not in await multiline(client, b"CAPA")
