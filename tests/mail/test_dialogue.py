from __future__ import annotations

import base64
import hmac

import pytest

from gateway.mail.dialogue import METHODS, announced, decode_base64
from tests.mail_engine import serving


def b64(text: bytes) -> bytes:
    return base64.b64encode(text)


SMTP = "server { listen 25; smtp_auth plain login cram-md5 external; }"


@pytest.mark.parametrize(
    ("text", "made"),
    [(b"", b""), (b"YWI=", b"ab"), (b"YWI", b"ab"), (b"YWI=YWI=", b"ab"), (b"Y", None), (b"Y*==", None)],
)
def test_base64(text: bytes, made: bytes | None) -> None:
    assert decode_base64(text) == made


def test_announced() -> None:
    assert announced(sum(METHODS.values())) == ["PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL"]


@pytest.mark.parametrize(
    ("lines", "replies", "user", "password"),
    [
        ([b"AUTH PLAIN " + b64(b"z\0u\0p")], [], "u", "p"),
        ([b"auth plain", b64(b"\0u\0p p")], [b"334 "], "u", "p%20p"),
        ([b"AUTH LOGIN", b64(b"u"), b64(b"p")], [b"334 VXNlcm5hbWU6", b"334 UGFzc3dvcmQ6"], "u", "p"),
        ([b"AUTH LOGIN " + b64(b"u\r\nX: y"), b64(b"")], [b"334 UGFzc3dvcmQ6"], "u%0D%0AX:%20y", ""),
    ],
)
async def test_mechanisms(lines: list[bytes], replies: list[bytes], user: str, password: str) -> None:
    async with serving(SMTP) as engine, engine.client() as client:
        engine.auth.answer = lambda question: {"Auth-Status": "no"}
        await client.line()
        for line, reply in zip(lines, [*replies, b"535 5.7.0 no"], strict=True):
            assert await client.say(line) == reply
        assert (engine.auth.asked[0]["Auth-User"], engine.auth.asked[0]["Auth-Pass"]) == (user, password)
        assert engine.auth.asked[0]["Auth-Method"] == "plain"


async def test_cram_md5() -> None:
    async with serving(SMTP) as engine, engine.client() as client:
        engine.auth.answer = lambda question: {"Auth-Status": "no"}
        await client.line()
        salt = base64.b64decode((await client.say(b"AUTH CRAM-MD5"))[4:])
        assert salt.startswith(b"<") and b"@" in salt and salt.endswith(b">")
        digest = hmac.new(b"secret", salt, "md5").hexdigest().encode()
        assert await client.say(b64(b"user " + digest)) == b"535 5.7.0 no"
        (asked,) = engine.auth.asked
        assert asked["Auth-Method"] == "cram-md5" and asked["Auth-Salt"] == salt.decode()
        assert (asked["Auth-User"], asked["Auth-Pass"]) == ("user", digest.decode())


async def test_external() -> None:
    async with serving(SMTP) as engine, engine.client() as client:
        engine.auth.answer = lambda question: {"Auth-Status": "no"}
        await client.line()
        assert await client.say(b"AUTH EXTERNAL") == b"334 VXNlcm5hbWU6"
        assert await client.say(b64(b"user")) == b"535 5.7.0 no"
        assert engine.auth.asked[0]["Auth-Method"] == "external"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([b"AUTH FOO"], ""),
        ([b"AUTH PLAIN a b"], ""),
        ([b"AUTH PLAIN *"], "invalid base64 encoding in AUTH PLAIN"),
        ([b"AUTH PLAIN " + b64(b"u")], "invalid login in AUTH PLAIN"),
        ([b"AUTH PLAIN " + b64(b"\0u")], "invalid password in AUTH PLAIN"),
        ([b"AUTH LOGIN", b"*"], "invalid base64 encoding in AUTH LOGIN"),
        ([b"AUTH LOGIN", b64(b"u"), b"*"], "invalid base64 encoding in AUTH LOGIN"),
        ([b"AUTH CRAM-MD5", b64(b"u 12")], "invalid CRAM-MD5 hash"),
        ([b"AUTH EXTERNAL", b"*"], "invalid base64 encoding in AUTH EXTERNAL"),
    ],
)
async def test_what_is_refused(lines: list[bytes], told: str) -> None:
    async with serving(SMTP) as engine, engine.client() as client:
        await client.line()
        for line in lines:
            reply = await client.say(line)
        assert reply == b"500 5.5.1 Invalid command"
        assert engine.logged(told)
        # and it goes on as if nothing had been
        assert await client.say(b"NOOP") == b"250 2.0.0 OK"
        assert not engine.auth.asked


async def test_mechanisms_that_are_off() -> None:
    async with serving("server { listen 25; }") as engine, engine.client() as client:
        await client.line()
        for line in (b"AUTH CRAM-MD5", b"AUTH EXTERNAL", b"AUTH EXTERNAL " + b64(b"root")):
            assert await client.say(line) == b"500 5.5.1 Invalid command"
        assert not engine.auth.asked
