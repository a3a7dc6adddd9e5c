from __future__ import annotations

import socket

import pytest

from gateway.upstream.peers.address import from_addrinfo, inet_address, parse_local, parse_target, resolve, unix_address


@pytest.mark.parametrize(
    ("text", "host", "port", "name"),
    [
        (b"127.0.0.1:8081", b"127.0.0.1", 8081, b"127.0.0.1:8081"),
        (b"127.0.0.1", b"127.0.0.1", 80, b"127.0.0.1:80"),
        (b"[::1]:8081", b"[::1]", 8081, b"[::1]:8081"),
        (b"[0::1]", b"[0::1]", 80, b"[::1]:80"),
        (b"unix:/run/app.sock", b"/run/app.sock", 0, b"unix:/run/app.sock"),
        (b"UNIX:rel", b"rel", 0, b"unix:rel"),
        (b"app.example:1", b"app.example", 1, None),
        (b"app", b"app", 80, None),
        (b"1.2.3", b"1.2.3", 80, None),
        (b"256.1.1.1", b"256.1.1.1", 80, None),
        (b"0127..00.1", b"0127..00.1", 80, b"127.0.0.1:80"),
        (b"255.255.255.255", b"255.255.255.255", 80, None),
    ],
)
def test_targets(text: bytes, host: bytes, port: int, name: bytes | None) -> None:
    target = parse_target(text, 80)
    assert (target.host, target.port) == (host, port)
    assert (target.address.name if target.address else None) == name
    assert target.no_port == (port == 80)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "no host"),
        (b":80", "no host"),
        (b"a:0", "invalid port"),
        (b"a:65536", "invalid port"),
        (b"a:b", "invalid port"),
        (b"a:", "invalid port"),
        (b"a/b", "invalid host"),
        (b"[::1", "invalid host"),
        (b"[::1]x", "invalid host"),
        (b"[]", "no host"),
        (b"[::g]:1", "invalid IPv6 address"),
        (b"unix:", "no path in the unix domain socket"),
        (b"unix:" + b"x" * 108, "too long path in the unix domain socket"),
    ],
)
def test_what_is_wrong_in_the_words_of_nginx(text: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        parse_target(text)


def test_resolve() -> None:
    assert inet_address("127.0.0.1", 99) in resolve(b"localhost", 99)
    with pytest.raises(ValueError, match="host not found"):
        resolve(b"no-such-host.invalid", 99)


def test_addrinfo_ipv4_first_and_each_once() -> None:
    found = [
        (socket.AF_INET6, 1, 6, "", ("fe80::1%lo", 0, 0, 1)),
        (socket.AF_INET, 1, 6, "", ("10.0.0.1", 0)),
        (socket.AF_INET, 2, 17, "", ("10.0.0.1", 0)),
    ]
    assert [address.name for address in from_addrinfo(found, 7)] == [b"10.0.0.1:7", b"[fe80::1]:7"]


def test_local() -> None:
    assert parse_local(b"127.0.0.2") == inet_address("127.0.0.2", 0)
    assert parse_local(b"127.0.0.2:99") == inet_address("127.0.0.2", 99)
    assert parse_local(b"name") is None
    assert parse_local(b"unix:/x") is None
    assert parse_local(b"") is None


def test_as_python_s_sockets_want_it() -> None:
    assert inet_address("127.0.0.1", 80).for_socket() == (socket.AF_INET, ("127.0.0.1", 80))
    assert inet_address("fe80::1%lo", 80).for_socket() == (socket.AF_INET6, ("fe80::1", 80, 0, 1))
    assert unix_address(b"/run/x").for_socket() == (socket.AF_UNIX, b"/run/x")
