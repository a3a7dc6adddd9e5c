from __future__ import annotations

import socket

import pytest

from gateway.config.errors import ConfigError
from tests.mail_engine import load_mail, serving

IMAP = "server { listen 143; %s }"


def target_of(text: str) -> tuple[bytes, bytes, bytes]:
    cycle = load_mail(f"auth_http {text}; server {{ listen 143; }}")
    (module,) = [module for module in cycle.modules if module.name == "auth_http"]
    target = cycle.servers[0].confs[module].target
    return target.address.name, target.host, target.uri


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("127.0.0.1", (b"127.0.0.1:80", b"127.0.0.1", b"/")),
        ("http://127.0.0.1:9000/a/b?c=d", (b"127.0.0.1:9000", b"127.0.0.1", b"/a/b?c=d")),
        ("localhost:1/x", (b"127.0.0.1:1", b"localhost", b"/x")),
        ("[::1]:1", (b"[::1]:1", b"[::1]", b"/")),
        ("unix:/run/auth:/x", (b"unix:/run/auth", b"localhost", b"/x")),
        ("http://unix:/run/auth", (b"unix:/run/auth", b"localhost", b"/")),
    ],
)
def test_targets(text: str, target: tuple[bytes, bytes, bytes]) -> None:
    assert target_of(text) == target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("127.0.0.1:x", 'invalid port in auth_http "127.0.0.1:x"'),
        ("http:///x", 'no host in auth_http "/x"'),
        ("no.such.host.invalid", 'host not found in auth_http "no.such.host.invalid"'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        target_of(text)
    assert str(caught.value).startswith(message)


async def test_the_question() -> None:
    conf = IMAP % 'proxy_timeout 1s; auth_http_header X-Key "a b"; auth_http_header Y z;'
    async with serving(conf) as engine, engine.client() as client:
        engine.auth.answer = lambda question: {"Auth-Status": "no"}
        await client.line()
        await client.say(b'a LOGIN "u%\\"" "p q"')
        (asked,) = engine.auth.asked
        assert asked == {
            "": "GET /auth HTTP/1.0",
            "Host": "127.0.0.1",
            "Auth-Method": "plain",
            "Auth-User": 'u%25"',
            "Auth-Pass": "p%20q",
            "Auth-Protocol": "imap",
            "Auth-Login-Attempt": "1",
            "Client-IP": "127.0.0.1",
            "X-Key": "a b",
            "Y": "z",
        }


async def test_what_a_proxy_told() -> None:
    async with serving("server { listen 143 proxy_protocol; }") as engine, engine.client() as client:
        engine.auth.answer = lambda question: {"Auth-Status": "no"}
        await client.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n")
        await client.line()
        await client.say(b"a LOGIN u p")
        (asked,) = engine.auth.asked
        assert asked["Client-IP"] == "127.0.0.1"
        assert [asked[f"Proxy-Protocol-{name}"] for name in ("Addr", "Port", "Server-Addr", "Server-Port")] == [
            "192.0.2.1", "1111", "192.0.2.2", "2222"
        ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"Auth-Server": ""}, "did not send server or port"),
        ({"Auth-Port": ""}, "did not send server or port"),
        ({"Auth-Server": "mail.example"}, 'sent invalid server address:"mail.example"'),
        ({"Auth-Port": "0"}, 'sent invalid server port:"0"'),
        ({"Auth-Port": "70000"}, 'sent invalid server port:"70000"'),
        ({"Auth-Port": "x"}, 'sent invalid server port:"x"'),
        ({"a b": "c"}, "sent invalid header in response"),
    ],
)
async def test_a_server_that_lies(fields: dict[str, str], told: str) -> None:
    async with serving(IMAP % "") as engine, engine.client() as client:
        engine.auth.answer = lambda question: fields
        await client.line()
        assert await client.say(b"a LOGIN u p") == b"* BAD internal server error"
        assert await client.ended()
        (line,) = engine.logged(told)
        assert f"auth http server 127.0.0.1:{engine.auth.port} " in line and "while in http auth state" in line


async def test_a_server_that_says_too_much() -> None:
    async with serving(IMAP % "") as engine:
        for raw in (b"", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2000 + b"\r\n\r\n"):
            engine.auth.raw = raw
            async with engine.client() as client:
                await client.line()
                assert await client.say(b"a LOGIN u p") == b"* BAD internal server error"


async def test_wait_means_to_ask_again() -> None:
    async with serving(IMAP % "") as engine, engine.client() as client:
        answers = iter(({"Auth-Status": "WAIT", "Auth-Wait": "0"}, {"Auth-Status": "no"}))
        engine.auth.answer = lambda question: next(answers)
        await client.line()
        assert await client.say(b"a LOGIN u p") == b"a NO no"
        assert [asked["Auth-Login-Attempt"] for asked in engine.auth.asked] == ["1", "1"]


async def test_a_server_that_is_silent_or_not_there() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        conf = IMAP % f"auth_http 127.0.0.1:{port}; auth_http_timeout 30ms;"
        async with serving(conf) as engine:
            async with engine.client() as client:
                await client.line()
                assert await client.say(b"a LOGIN u p") == b"* BAD internal server error"
            assert engine.logged("failed (111: Connection refused) while in http auth state")
            listener.listen()
            async with engine.client() as client:
                await client.line()
                assert await client.say(b"a LOGIN u p") == b"* BAD internal server error"
            assert engine.logged(f"auth http server 127.0.0.1:{port} timed out")
