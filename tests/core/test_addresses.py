"""Addresses of `listen`; reasons compared with a real nginx."""

from __future__ import annotations

import socket

import pytest

from gateway.core.addresses import AddressError, parse_listen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", ["0.0.0.0:80"]),
        ("*:81", ["0.0.0.0:81"]),
        ("127.0.0.1", ["127.0.0.1:80"]),
        ("127.0.0.1:8080", ["127.0.0.1:8080"]),
        ("0127..00.1:8080", ["127.0.0.1:8080"]),
        ("[::1]", ["[::1]:80"]),
        ("[::]:8080", ["[::]:8080"]),
        ("[0:0::1]:8080", ["[::1]:8080"]),
        ("unix:/run/x", ["unix:/run/x"]),
        ("127.0.0.1:8080-8082", ["127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"]),
        ("[::1]:81-82", ["[::1]:81", "[::1]:82"]),
        ("90-91", ["0.0.0.0:90", "0.0.0.0:91"]),
        ("90-90", ["0.0.0.0:90"]),
    ],
)
def test_listen(text: str, expected: list[str]) -> None:
    assert [address.text for address in parse_listen(text)] == expected


def test_a_name_has_its_addresses() -> None:
    found = parse_listen("localhost:81")
    assert "127.0.0.1:81" in [address.text for address in found]
    assert {address.family for address in found} <= {socket.AF_INET, socket.AF_INET6}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("127.0.0.1:0", "invalid port"),
        ("127.0.0.1:65536", "invalid port"),
        ("127.0.0.1:", "invalid port"),
        ("127.0.0.1:90-80", "invalid port range"),
        ("127.0.0.1:80-", "invalid port"),
        ("127.0.0.1:-80", "invalid port"),
        ("90-80", "invalid port range"),
        ("0", "invalid port"),
        (":80", "no host"),
        ("[::1", "invalid host"),
        ("[x]:80", "invalid IPv6 address"),
        ("unix:", "no path in the unix domain socket"),
        ("no-such.invalid", "host not found"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_listen(text)
    assert str(caught.value) == reason
