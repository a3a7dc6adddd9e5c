"""geo: networks and ranges, where the address comes from, proxies."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving, warnings_of


async def geo(block: str, target: str = "/", headers: dict[str, str] | None = None) -> str:
    """The variable's value for the fixture's client, 127.0.0.1, or for the argument `ip`."""
    text = f"geo {block} server {{ listen 127.0.0.1:8080; location / {{ return 200 $g; }} }}"
    async with serving(text) as engine:
        return (await engine.get(target, headers)).body.decode()


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ("127.0.0.0/8 loopback; 0.0.0.0/0 world;", "loopback"),
        ("127.0.0.0/8 a; 127.0.0.1 b;", "b"),
        ("0.0.0.0/0 world; 127.0.0.0/8 a; delete 127.0.0.0/8;", "world"),
        ("default d;", "d"),
        ("10.0.0.0/8 ten;", ""),
        ("ranges; default d; 127.0.0.0-127.255.255.255 loopback;", "loopback"),
        ("ranges; default d; 10.0.0.0-10.0.0.1 ten;", "d"),
        ("ranges; default d; 127.0.0.0-127.1.0.0 a; delete 127.0.0.0-127.1.0.0;", "d"),
        ("ranges; 127.0.0.0-127.0.0.255 out; 127.0.0.1-127.0.0.2 in; 127.0.0.1-127.0.0.1 core;", "core"),
        ("ranges; 127.0.0.1-127.0.0.255 one; 127.0.0.0-127.0.0.0 two;", "one"),
    ],
)
async def test_tables(lines: str, value: str) -> None:
    assert await geo(f"$g {{ {lines} }}") == value


@pytest.mark.parametrize(
    ("address", "value"),
    [
        ("192.0.2.1", "test"),
        ("::ffff:192.0.2.1", "test"),
        ("2001:db8::1", "six"),
        ("10.0.0.1", "default"),
        ("nonsense", "none"),
        ("", "none"),
    ],
)
async def test_an_address_from_a_variable(address: str, value: str) -> None:
    block = "$arg_ip $g { default default; 192.0.2.0/24 test; 2001:db8::/32 six; 255.255.255.255 none; }"
    assert await geo(block, f"/?ip={address}") == value


@pytest.mark.parametrize(
    ("forwarded", "once", "recursive"),
    [
        ("192.0.2.1", "test", "test"),
        ("10.0.0.1, 192.0.2.1", "test", "test"),
        ("192.0.2.1:80", "test", "test"),
        ("192.0.2.1, 127.0.0.1", "loopback", "test"),
        ("nonsense", "loopback", "loopback"),
    ],
)
async def test_proxies(forwarded: str, once: str, recursive: str) -> None:
    lines = "proxy 127.0.0.1; default default; 127.0.0.0/8 loopback; 192.0.2.0/24 test;"
    headers = {"X-Forwarded-For": forwarded}
    assert await geo(f"$g {{ {lines} }}", headers=headers) == once
    assert await geo(f"$g {{ proxy_recursive; {lines} }}", headers=headers) == recursive


async def test_include_and_volatile(tmp_path: Path) -> None:
    (tmp_path / "g.conf").write_text("127.0.0.0/8 included;")
    assert await geo(f"$g {{ include {tmp_path}/g.conf; }}") == "included"
    text = """geo $arg_ip $g { volatile; 192.0.2.1 one; 192.0.2.2 two; }
    server { listen 127.0.0.1:8080; location / { set $a $g; set $args ip=192.0.2.2; return 200 $a,$g; } }"""
    async with serving(text) as engine:
        assert (await engine.get("/?ip=192.0.2.1")).body == b"one,two"
    async with serving(text.replace("volatile;", "")) as engine:
        assert (await engine.get("/?ip=192.0.2.1")).body == b"one,one"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("1.2.3.4/8;", "invalid number of the geo parameters"),
        ("1.2.3 a;", 'invalid network "1.2.3"'),
        ("default a; ranges;", 'the "ranges" directive must be the first directive inside "geo" block'),
        ("ranges; 1.2.3.4 a;", 'invalid range "1.2.3.4"'),
        ("ranges; 1.2.3.4-1.2.3.3 a;", 'invalid range "1.2.3.4-1.2.3.3"'),
        ("ranges; 1.2.3.4-1.2.3.6 a; 1.2.3.5-1.2.3.7 b;", 'range "1.2.3.5-1.2.3.7" overlaps "1.2.3.4-1.2.3.6"'),
        ("ranges; 1.2.3.4-1.2.3.6 a; 1.2.3.3-1.2.3.7 b;", 'range "1.2.3.3-1.2.3.7" overlaps "1.2.3.4-1.2.3.6"'),
    ],
)
def test_mistakes(lines: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"geo $g {{ {lines} }} server {{ listen 127.0.0.1:8080; }}")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('geo $g { 10.0.0.1/8 a; }', 'low address bits of 10.0.0.1/8 are meaningless'),
        ('geo $g { 10.0.0.0/8 a; 10.0.0.0/8 b; }', 'duplicate network "10.0.0.0/8", value: "b", old value: "a"'),
        ('geo $g { delete 10.0.0.0/8; }', 'no network "10.0.0.0/8" to delete'),
        ('geo $g { ranges; default a; default b; }', 'duplicate default geo range value: "b", old value: "a"'),
        ('geo $g { ranges; delete 10.0.0.0-10.0.0.1; }', 'no address range "10.0.0.0-10.0.0.1" to delete'),
    ],
)
def test_warnings(text: str, words: str) -> None:
    assert warnings_of(text) == [f"{words} in nginx.conf:2"]
