"""Sessions of TLS over QUIC."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("aioquic")

from gateway.core.tls_sessions import SessionCache
from gateway.core.tls_settings import DEFAULT_BUILTIN, NO_BUILTIN, NO_CACHE, NONE_CACHE
from gateway.core.zones import Zone
from gateway.http import quic_sessions
from gateway.http.quic_sessions import Seen, Session, Sessions


def session(made: float | None = None) -> Session:
    return Session(
        time.time() if made is None else made, 77, 0x1301, True, os.urandom(32), b"a.example", b"h3", b"128 65536"
    )


def conf(**more: Any) -> Any:
    settings = {
        "session_timeout": 300,
        "early_data": True,
        "zone": None,
        "session_tickets": True,
        "ticket_keys": (),
        "builtin": NONE_CACHE,
    }
    return SimpleNamespace(**settings | more)


def zone() -> Any:
    cache = SessionCache()
    made = Zone("sessions", 65536, "http_ssl")
    made.user = cache
    made.map(None)
    return SimpleNamespace(used_by=lambda kind: cache)


def test_a_ticket_has_all_of_it() -> None:
    sessions, one = Sessions(conf()), session()
    ticket = sessions.seal(one)
    assert one.secret not in ticket and b"example" not in ticket
    assert sessions.open(ticket) == sessions.open(ticket) == one
    assert Sessions(conf()).open(ticket) is None, "another key"
    for wrong in (b"", ticket[:-1], ticket[:16] + bytes(12) + ticket[28:], b"x" * 100):
        assert sessions.open(wrong) is None


def test_time() -> None:
    sessions = Sessions(conf())
    assert sessions.open(sessions.seal(session(time.time() - 301))) is None
    assert sessions.open(sessions.seal(session(time.time() - 299))) is not None


def test_keys_of_files_and_of_a_zone(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(os.urandom(80))
    second.write_bytes(os.urandom(48))
    one = session()
    old = Sessions(conf(ticket_keys=(str(first),))).seal(one)
    assert Sessions(conf(ticket_keys=(str(second), str(first)))).open(old) == one
    assert Sessions(conf(ticket_keys=(str(second),))).open(old) is None
    shared = zone()
    ticket = Sessions(conf(zone=shared, builtin=NO_BUILTIN)).seal(one)
    assert Sessions(conf(zone=shared, builtin=NO_BUILTIN)).open(ticket) == one, "another worker"


def test_without_tickets_sessions_are_kept_and_used_once() -> None:
    shared = zone()
    one = session()
    first, other = (Sessions(conf(zone=shared, builtin=NO_BUILTIN, session_tickets=False)) for _ in range(2))
    identity = first.seal(one)
    assert len(identity) == 32 and one.secret not in identity
    assert other.open(identity) == one
    assert first.open(identity) is None
    own = Sessions(conf(builtin=2, session_tickets=False))
    identities = [own.seal(one) for _ in range(3)]
    assert own.open(identities[0]) is None, "there is room for two"
    assert own.open(identities[1]) == one
    assert own.open(identities[1]) is None
    assert Sessions(conf(builtin=DEFAULT_BUILTIN, session_tickets=False)).kept
    for builtin in (NO_CACHE, NONE_CACHE):
        assert not Sessions(conf(zone=shared, builtin=builtin, session_tickets=False)).kept


def test_early_data_of_a_ticket_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    assert seen.first(b"one") and not seen.first(b"one") and seen.first(b"two")
    later = time.monotonic() + 21
    monkeypatch.setattr(quic_sessions.time, "monotonic", lambda: later)
    assert seen.first(b"three")
    assert len(seen._until) == 1, "the others would be too old"
    monkeypatch.setattr(quic_sessions, "_MOST_SEEN", 1)
    assert not seen.first(b"four"), "no room to remember it"
