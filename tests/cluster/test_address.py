from __future__ import annotations

import pytest

from gateway.cluster.address import parse_address


def test_one_server() -> None:
    address = parse_address("rediss://me:a%40b@store.example:7000/3")
    assert (address.hosts, address.tls, address.database) == ((("store.example", 7000),), True, 3)
    assert (address.user, address.password) == ("me", "a@b")
    assert str(address) == "rediss://store.example:7000/3", "without the password"
    assert parse_address("redis://:secret@[::1]").hosts == (("::1", 6379),)
    assert parse_address("redis://:secret@[::1]").password == "secret"
    assert str(parse_address("redis://[::1]")) == "redis://[::1]:6379"


def test_a_socket() -> None:
    address = parse_address("unix:///run/valkey.sock?db=2")
    assert (address.path, address.database, str(address)) == ("/run/valkey.sock", 2, "unix:///run/valkey.sock")


def test_sentinel_and_cluster() -> None:
    address = parse_address("redis+sentinel://a,b:1/main/1")
    assert (address.kind, address.hosts) == ("sentinel", (("a", 26379), ("b", 1)))
    assert (address.service, address.database) == ("main", 1)
    assert parse_address("rediss+cluster://a,b").hosts == (("a", 6379), ("b", 6379))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("127.0.0.1:6379", "begins with"),
        ("http://a", "begins with"),
        ("redis://", "no host"),
        ("redis://a:x", "invalid port"),
        ("redis://a/x", "invalid database"),
        ("redis://a,b", "sentinel"),
        ("redis+sentinel://a", "primary"),
        ("redis+cluster://a/1", "only the database 0"),
        ("unix://", "path"),
    ],
)
def test_what_is_wrong(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_address(url)
