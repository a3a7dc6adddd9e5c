from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving, warnings_of

CONF = """
    log_format short "$remote_addr";
    server { listen 127.0.0.1:8080; add_header A "$remote_addr|$remote_port|$realip_remote_addr" always; %s }
"""
SHOW = "location / { %s return 204; }"


async def ask(lines: str, fields: dict[str, str], target: str = "/") -> str:
    async with serving(CONF % lines) as engine:
        reply = await engine.get(target, fields)
        return (reply.header("a") or b"").decode()


@pytest.mark.parametrize(
    ("lines", "fields", "address", "port"),
    [
        ("set_real_ip_from 127.0.0.0/8;", {"X-Real-IP": "192.0.2.1"}, "192.0.2.1", ""),
        ("set_real_ip_from 127.0.0.1;", {"X-Real-IP": "192.0.2.1:8080"}, "192.0.2.1", "8080"),
        ("set_real_ip_from 127.0.0.1;", {"X-Real-IP": "[2001:db8:0::1]:80"}, "2001:db8::1", "80"),
        ("set_real_ip_from localhost;", {"X-Real-IP": "192.0.2.1"}, "192.0.2.1", ""),
        ("set_real_ip_from 127.0.0.1;", {"X-Real-IP": "what"}, "127.0.0.1", None),
        ("set_real_ip_from 127.0.0.1;", {}, "127.0.0.1", None),
        ("set_real_ip_from 10.0.0.0/8;", {"X-Real-IP": "192.0.2.1"}, "127.0.0.1", None),
        (
            "set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;",
            {"X-Forwarded-For": "192.0.2.1, 127.0.0.1"},
            "127.0.0.1",
            "",
        ),
        (
            "set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For; real_ip_recursive on;",
            {"X-Forwarded-For": "192.0.2.7, 192.0.2.1, 127.0.0.1"},
            "192.0.2.1",
            "",
        ),
        ("set_real_ip_from 127.0.0.1; real_ip_header X-Client;", {"x-client": "192.0.2.1"}, "192.0.2.1", ""),
        ("set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;", {"X-Real-IP": "1.1.1.1"}, "127.0.0.1", None),
    ],
)
@pytest.mark.parametrize("level", ["server", "location"])
async def test_address(lines: str, fields: dict[str, str], address: str, port: str | None, level: str) -> None:
    configured = lines + SHOW % "" if level == "server" else "location / { " + lines + " error_page 599 /; }"
    found, found_port, original = (await ask(configured, fields)).split("|")
    assert (found, original) == (address, "127.0.0.1")
    assert found_port == port if port is not None else found_port


async def test_each_request_of_a_connection_has_its_own() -> None:
    async with serving(CONF % ("set_real_ip_from 127.0.0.1;" + SHOW % "")) as engine:
        text = "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n"
        last = text % "Connection: close\r\nX-Real-IP: 192.0.2.2\r\n"
        data = await engine.raw((text % "X-Real-IP: 192.0.2.1\r\n" + text % "" + last).encode())
        found = [line.partition(b"|")[0][3:] for line in data.split(b"\r\n") if line.startswith(b"A: ")]
        assert found == [b"192.0.2.1", b"127.0.0.1", b"192.0.2.2"]


async def test_internal_redirects_do_not_look_again() -> None:
    lines = "set_real_ip_from 127.0.0.1; set_real_ip_from 192.0.2.1; location / { try_files /none /b; }"
    found = await ask(lines + " location = /b { return 204; }", {"X-Real-IP": "192.0.2.1"})
    assert found == "192.0.2.1||127.0.0.1"


async def test_the_access_module_sees_it() -> None:
    lines = "set_real_ip_from 127.0.0.1; deny 192.0.2.0/24; location / { error_page 404 =204 /; }"
    async with serving(CONF % lines) as engine:
        assert (await engine.get("/x", {"X-Real-IP": "192.0.2.1"})).status == 403


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("set_real_ip_from no-such-host.invalid;", 'host not found in set_real_ip_from "no-such-host.invalid"'),
        ("real_ip_header a; real_ip_header b;", '"real_ip_header" directive is duplicate'),
    ],
)
def test_refused(lines: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"server {{ listen 127.0.0.1:8080; {lines} }}")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("1.2.3.4:5", b"1.2.3.4"),
        ("1.2.3.4:65535", b"1.2.3.4"),
        ("1.2.3.4:0", b"127.0.0.1"),  # no port at all
        ("1.2.3.4:65536", b"127.0.0.1"),
        ("1.2.3.4:", b"127.0.0.1"),
        ("[2001:db8::1]:5", b"2001:db8::1"),
        ("[2001:db8::1]:0", b"127.0.0.1"),
        ("[2001:db8::1]", b"2001:db8::1"),
        ("[2001:db8::1]x", b"127.0.0.1"),
    ],
)
async def test_a_port_behind_the_address(field: str, address: bytes) -> None:
    text = 'server { listen 127.0.0.1:80; set_real_ip_from 127.0.0.1; return 200 "$remote_addr"; }'
    async with serving(text) as engine:
        assert (await engine.get("/", {"X-Real-IP": field})).body == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('set_real_ip_from 10.0.0.1/8;', 'low address bits of 10.0.0.1/8 are meaningless'),
        ('set_real_ip_from 2001:db8::1/32;', 'low address bits of 2001:db8::1/32 are meaningless'),
    ],
)
def test_bits_behind_the_mask_are_a_warning(text: str, words: str) -> None:
    assert warnings_of(text) == [f"{words} in nginx.conf:2"]


async def test_what_was_found_is_found_again_for_the_same_field_alone() -> None:
    lines = "set_real_ip_from 127.0.0.1; set_real_ip_from 198.51.100.0/24; real_ip_header X-Forwarded-For;"
    text = CONF % (lines + "real_ip_recursive on;" + SHOW % "")
    async with serving(text) as engine:
        for _ in range(2):
            for field, address in (
                ("192.0.2.1", b"192.0.2.1|"),
                ("192.0.2.2:80", b"192.0.2.2|80"),
                ("192.0.2.3, 198.51.100.1", b"192.0.2.3|"),
                ("192.0.2.3 198.51.100.2", b"192.0.2.3|"),
                ("what", b"127.0.0.1|"),
                ("1.2.3.4, " + "198.51.100.1, " * 40 + "198.51.100.2", b"1.2.3.4|"),
            ):
                reply = await engine.get("/", {"X-Forwarded-For": field})
                assert (reply.header("a") or b"").startswith(address)
        # several fields are one
        head = b"GET / HTTP/1.0\r\nX-Forwarded-For: 192.0.2.9\r\nx-forwarded-for: 198.51.100.7\r\n\r\n"
        assert b"\r\nA: 192.0.2.9||127.0.0.1\r\n" in await engine.raw(head)
        for number in range(1100):  # more than are remembered
            client = f"10.1.{number // 256}.{number % 256}"
            reply = await engine.get("/", {"X-Forwarded-For": client})
            assert reply.header("a") == f"{client}||127.0.0.1".encode()
