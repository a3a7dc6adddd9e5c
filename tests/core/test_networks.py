"""Addresses, networks, ranges, and who is behind a chain of proxies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import networks
from gateway.core.networks import (
    IpAddress,
    Network,
    NetworkTable,
    Overlap,
    RangeTable,
    parse_address,
    parse_network,
    remembered,
)


def test_addresses() -> None:
    assert parse_address(b"1.2.3.4") == IpAddress(4, 0x01020304)
    assert parse_address(b"01.2.3.4") == IpAddress(4, 0x01020304)
    assert parse_address(b"::1") == IpAddress(6, 1)
    assert parse_address(b"unix:") == networks.UNIX_ADDRESS
    for text in (b"1.2.3", b"1.2.3.256", b"1.2.3.4.5", b"a", b"", b"255.255.255.255", b"::g"):
        assert parse_address(text) is None
    mapped = parse_address(b"::ffff:1.2.3.4")
    assert mapped is not None and mapped.plain == IpAddress(4, 0x01020304)


def test_addresses_with_ports() -> None:
    one = IpAddress(4, 0x01020304)
    assert networks.parse_address_port(b"1.2.3.4") == (one, 0)
    assert networks.parse_address_port(b"1.2.3.4:80") == (one, 80)
    assert networks.parse_address_port(b"[::1]:80") == (IpAddress(6, 1), 80)
    assert networks.parse_address_port(b"[::1]") == (IpAddress(6, 1), 0)
    assert networks.parse_address_port(b"::1") == (IpAddress(6, 1), 0)
    long = b"1.2.3.4:%b" % (b"9" * 5000)
    for text in (b"", b"1.2.3.4:", b"1.2.3.4:x", b"[::1]x", b"[::1", b"unix:", b"1.2.3.4:70000", long):
        assert networks.parse_address_port(text) is None
    assert networks.parse_address_port(b"1.2.3.4:" + b"0" * 5000 + b"80") == (one, 80)


def test_networks() -> None:
    assert parse_network("10.1.2.3/8") == (Network(4, 10 << 24, 8), False)
    assert parse_network("10.0.0.0/8") == (Network(4, 10 << 24, 8), True)
    assert parse_network("1.2.3.4") == (Network(4, 0x01020304, 32), True)
    assert parse_network("::/0") == (Network(6, 0, 0), True)
    for text in ("10.0.0.0/", "10.0.0.0/x", "10.0.0.0/33", "::/129", "all", "unix:"):
        with pytest.raises(ValueError):
            parse_network(text)
    assert parse_network("10.0.0.0/8")[0].holds(IpAddress(4, (10 << 24) + 5))
    assert not parse_network("::/0")[0].holds(IpAddress(4, 1))


def test_the_longest_network_wins() -> None:
    table = NetworkTable()
    assert not table
    for text in ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "::1"):
        table.put(parse_network(text)[0], text)

    def find(text: bytes) -> object:
        address = parse_address(text)
        assert address is not None
        return table.find(address)

    assert find(b"10.1.2.3") == "10.1.0.0/16"
    assert find(b"10.2.2.3") == "10.0.0.0/8"
    assert find(b"9.2.2.3") == "0.0.0.0/0"
    assert find(b"::1") == "::1"
    assert find(b"::2") is None
    assert table.delete(parse_network("10.0.0.0/8")[0])
    assert not table.delete(parse_network("10.0.0.0/8")[0])
    assert find(b"10.2.2.3") == "0.0.0.0/0"


def test_ranges_cut_holes() -> None:
    table = RangeTable()
    assert table.add(10, 20, "a") is None
    assert table.add(12, 14, "b") is None
    assert table.add(12, 14, "c") == "b"
    assert [table.find(i) for i in (9, 10, 11, 12, 14, 15, 20, 21)] == [None, "a", "a", "c", "c", "a", "a", None]
    for start, end in ((5, 10), (20, 30), (5, 30), (13, 15)):
        with pytest.raises(Overlap):
            table.add(start, end, "x")
    assert table.delete(12, 14)
    assert not table.delete(12, 14)
    assert table.find(13) is None
    assert table.add(0xFFFE, 0x20001, "wide") is None
    assert [table.find(i) for i in (0xFFFE, 0x10000, 0x20001, 0x20002)] == ["wide", "wide", "wide", None]
    assert table.delete(0xFFFE, 0x20001)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=20))
def test_ranges_against_a_dict(ranges: list[tuple[int, int]]) -> None:
    table, model = RangeTable(), {}
    for number, (one, two) in enumerate(ranges):
        start, end = min(one, two), max(one, two)
        try:
            table.add(start, end, number)
        except Overlap:
            continue
        model.update(dict.fromkeys(range(start, end + 1), number))
    assert [table.find(i) for i in range(301)] == [model.get(i) for i in range(301)]


@pytest.mark.parametrize(
    ("fields", "once", "recursive"),
    [
        ([b"192.0.2.1"], "192.0.2.1", "192.0.2.1"),
        ([b"10.0.0.1, 127.0.0.1"], "127.0.0.1", "10.0.0.1"),
        ([b"10.0.0.1", b"127.0.0.1"], "127.0.0.1", "10.0.0.1"),
        ([b"x, 127.0.0.1"], "127.0.0.1", "127.0.0.1"),
        ([b"127.0.0.2,127.0.0.1 "], "127.0.0.1", "127.0.0.2"),
        ([b"x"], None, None),
        ([], None, None),
    ],
)
def test_forwarded(fields: list[bytes], once: str | None, recursive: str | None) -> None:
    proxies = [parse_network("127.0.0.0/8")[0]]
    client = IpAddress(4, 0x7F000001)
    for wanted, deep in ((once, False), (recursive, True)):
        found = networks.find_forwarded(client, fields, proxies, deep)
        assert (None if found is None else networks.dotted(found[0].number)) == wanted
    assert networks.find_forwarded(IpAddress(4, 1), fields, proxies, True) is None


def test_what_was_found_is_remembered_unless_it_is_long() -> None:
    asked: list[tuple[bytes | None, tuple[bytes, ...]]] = []

    def find(address: bytes | None, fields: tuple[bytes, ...]) -> int:
        asked.append((address, fields))
        return len(fields)

    get = remembered(find)
    for _ in range(2):
        assert [get(b"a", ()), get(b"a", (b"x", b"y")), get(None, ()), get(b"a", (b"x" * 300,))] == [0, 2, 0, 1]
    assert len(asked) == 3 + 2
