from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gateway._fast.errors import TlsError
from gateway.core.tls_sessions import FileTickets, SessionCache, SharedTickets, read_ticket_key
from gateway.core.zones import Zone


def cache(size: int = 65536, old: Zone | None = None) -> SessionCache:
    made = SessionCache()
    zone = Zone("sessions", size, "http_ssl")
    zone.user = made
    zone.map(old)
    return made


def test_sessions() -> None:
    made = cache()
    for size in (1, 150, 240, 241, 4096):
        identity, data = os.urandom(32), os.urandom(size)
        made.add(identity, data, 300)
        assert made.find(identity) == data
        made.remove(identity)
        assert made.find(identity) is None
    made.add(b"i" * 32, b"old", -1)
    assert len(made.table) == 1
    assert made.find(b"i" * 32) is None and made.find(b"unknown") is None
    assert len(made.table) == 0  # what is over goes when somebody asks for it


def test_the_oldest_go_when_it_is_full_and_a_part_is_never_given() -> None:
    made = cache()
    sessions = {os.urandom(32): os.urandom(700) for _ in range(300)}
    for identity, data in sessions.items():
        made.add(identity, data, 300)
    found = [made.find(identity) for identity in sessions]
    assert found[0] is None and found[-1] == list(sessions.values())[-1]
    assert 30 < sum(one is not None for one in found) < 300
    assert all(one in (None, data) for one, data in zip(found, sessions.values(), strict=True))


def test_the_next_cycle_goes_on_with_it() -> None:
    first = cache()
    first.add(b"i" * 32, b"data", 300)
    key = SharedTickets(first, 300).current()
    second = cache(old=first.zone)
    assert second.find(b"i" * 32) == b"data" and SharedTickets(second, 300).current() == key


def test_keys_rotate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key seals for about as long as a session lasts, and opens for as long again, in every worker."""
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    shared = cache()
    one, other = SharedTickets(shared, 300), SharedTickets(shared, 300)
    first = one.current()
    assert other.current() == first and other.find(first[0]) == (first[1], first[2], False)
    assert one.find(b"x" * 16) is None
    now = 1200.0
    assert one.current() == first
    now = 1301.0
    second = one.current()
    assert second != first and one.find(first[0]) == (first[1], first[2], True)
    assert other.find(second[0]) is not None and other.current() == second
    now = 2500.0
    third = other.current()
    assert third not in (first, second) and other.find(first[0]) is None
    assert other.find(third[0]) is not None


def test_keys_of_files(tmp_path: Path) -> None:
    short, long = os.urandom(48), os.urandom(80)
    tickets = FileTickets([short, long])
    assert tickets.current() == (short[:16], short[16:32], short[32:])
    assert tickets.find(short[:16]) == (short[16:32], short[32:], False)
    assert tickets.find(long[:16]) == (long[48:], long[16:48], True)
    assert tickets.find(b"x" * 16) is None
    path = tmp_path / "key"
    for size in (0, 47, 49, 81):
        path.write_bytes(bytes(size))
        with pytest.raises(TlsError, match="must be 48 or 80 bytes"):
            read_ticket_key(str(path))
    path.write_bytes(long)
    assert read_ticket_key(str(path)) == long
    with pytest.raises(TlsError, match=r'open\(\) "/nowhere" failed \(2: No such file'):
        read_ticket_key("/nowhere")
