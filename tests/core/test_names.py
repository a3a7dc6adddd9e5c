"""NameTable: what may be a name, and which one wins."""

from __future__ import annotations

import pytest

from gateway.core.names import NameConflict, NameTable


def test_the_longest_wildcard_wins_and_beginnings_go_before_ends() -> None:
    table = NameTable()
    for name in (b"a.b.c", b"*.c", b"*.b.c", b"x.*", b"x.a.*", b".dot"):
        table.add(name, name)
    assert table.find(b"a.b.c") == b"a.b.c"
    assert table.find(b"z.b.c") == b"*.b.c"
    assert table.find(b"b.c") == b"*.c"
    assert table.find(b"x.a.q") == b"x.a.*"
    assert table.find(b"x.b.q") == b"x.*"
    assert table.find(b"x.c") == b"*.c"
    assert table.find(b"dot") == table.find(b"any.dot") == b".dot"
    assert table.find(b"c") is None
    assert table.has_wildcards


def test_without_wildcards_a_star_is_a_star() -> None:
    table = NameTable()
    table.add(b"*.A", b"1", wildcards=False)
    assert table.find(b"*.a") == b"1"
    assert not table.has_wildcards


@pytest.mark.parametrize("name", [b"*", b"a*", b"*a.b", b"a.*.b", b"*.*", b"a..b"])
def test_what_is_no_name(name: bytes) -> None:
    with pytest.raises(ValueError):
        NameTable().add(name, 1)


def test_conflicts() -> None:
    table = NameTable()
    table.add(b".a", 1)
    for name in (b"a", b"*.A", b".a"):
        with pytest.raises(NameConflict):
            table.add(name, 2)
