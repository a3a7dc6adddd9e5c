from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway._fast.peers import wall_ms
from gateway.core.zones import Zone, ZoneError
from gateway.upstream.peers.hashing import HashChoice
from gateway.upstream.peers.least_conn import LeastConnChoice
from gateway.upstream.peers.peers import Choice
from gateway.upstream.peers.sticky import FOREVER, Cookie, Sessions, cookie_date
from tests.upstream.recorded import replay


@pytest.mark.parametrize(
    ("case", "start"),
    [
        ("sticky", Choice),
        ("sticky-weights", Choice),
        ("sticky-drain", Choice),
        ("sticky-failing", Choice),
        ("sticky-backup", Choice),
        ("sticky-single", Choice),
        ("sticky-least_conn", LeastConnChoice),
        ("sticky-hash", lambda peers: HashChoice(peers, b"")),
    ],
)
def test_picks_are_those_of_nginx(case: str, start: Callable[[Any], Choice]) -> None:
    recorded, ours = replay(case, lambda peers, key, client: start(peers))
    assert ours == recorded


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, b"Thu, 01-Jan-70 00:00:00 GMT"), (2145916800, b"Fri, 01-Jan-2038 00:00:00 GMT")],
)
def test_cookie_date(seconds: int, text: bytes) -> None:
    assert cookie_date(seconds) == text


def test_cookie() -> None:
    request: Any = None
    assert Cookie(b"s").value(request, b"a") == b"s=a"
    whole = Cookie(b"s", lambda r: b"x.y", b"/p", FOREVER, True, True, lambda r: b"Lax")  # type: ignore[arg-type]
    assert whole.value(request, b"a") == (
        b"s=a; expires=Thu, 31-Dec-37 23:55:55 GMT; max-age=315360000; domain=x.y; httponly; secure; samesite=Lax"
        b"; path=/p"
    )
    strict = Cookie(b"s", lambda r: b"", samesite=lambda r: b"what")  # type: ignore[arg-type]
    assert strict.value(request, b"a") == b"s=a; samesite=strict"
    assert b"; max-age=60" in Cookie(b"s", expires=60).value(request, b"a")


def sessions(timeout_ms: int = 600_000, upstream: bytes = b"u", old: Zone | None = None) -> Sessions:
    made = Sessions("z", upstream, timeout_ms)
    zone = Zone("z", 32768, "sticky")
    zone.user = made
    zone.map(old)
    return made


def test_sessions() -> None:
    known = sessions()
    assert known.find(b"one") is None
    known.put(b"one", b"a" * 32, create=False)
    assert known.find(b"one") is None
    known.put(b"one", b"a" * 32, create=True)
    known.put(b"two", b"b", create=True)
    assert (known.find(b"one"), known.find(b"two")) == (b"a" * 32, b"b")
    known.put(b"one", b"c", create=False)
    assert known.find(b"one") == b"c"
    again = sessions(old=known.zone)
    assert again.find(b"two") == b"b"
    with pytest.raises(ZoneError, match='used in upstream "v" while previously it was used in upstream "u"'):
        sessions(upstream=b"v", old=known.zone)


def test_sessions_end() -> None:
    known = sessions()
    known.put(b"one", b"a", create=True)
    known.table.set_word(known.table.oldest(), 0, wall_ms() - 600_001)
    known.put(b"two", b"b", create=True)
    assert known.find(b"one") is None and len(known.table) == 1


def test_a_full_zone_forgets_the_oldest() -> None:
    known = sessions()
    count = 0
    while len(known.table) == count:
        known.put(b"%d" % count, b"a", create=True)
        count += 1
    assert count > 100 and known.find(b"0") is None and known.find(b"%d" % (count - 1)) == b"a"
