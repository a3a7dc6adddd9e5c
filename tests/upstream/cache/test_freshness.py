from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway._fast.http1_response import parse_response_head
from gateway.config.units import MAX_INTEGER
from gateway.http.request import Request
from gateway.upstream.cache.freshness import delta, judge
from gateway.upstream.exchange.response import Ignore, UpstreamHead

NOW = 1_000_000_000
LATER = b"Expires: Sun, 09 Sep 2001 01:46:50 GMT"  # ten seconds later
BEFORE = b"Expires: Sun, 09 Sep 2001 01:46:30 GMT"


class Silent(Request):
    def __init__(self) -> None:
        pass

    def log(self, level: str, message: bytes | str, error: OSError | None = None) -> None:
        pass


def judged(*fields: bytes, ignored: int = 0) -> tuple[bool, Any]:
    parsed = parse_response_head(b"HTTP/1.1 200 OK\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n")
    assert parsed is not None
    entry: Any = SimpleNamespace(valid=0, updating=0, error=0, vary=b"")
    return judge(entry, UpstreamHead(parsed, Silent()), ignored, NOW), entry


@pytest.mark.parametrize(
    ("fields", "cacheable", "seconds"),
    [
        ((), True, 0),
        ((b"Cache-Control: max-age=5",), True, 5),
        ((b"Cache-Control: public, MAX-AGE=5, s-maxage=7",), True, 7),
        ((b"Cache-Control: max-age=0",), False, 0),
        ((b"Cache-Control: max-age=x",), False, 0),
        ((b"Cache-Control: max-age=",), False, 0),
        ((b"Cache-Control: no-store",), False, 0),
        ((b"Cache-Control: private",), False, 0),
        ((b"Cache-Control: max-age=5", b"Cache-Control: max-age=6"), True, 6),
        ((LATER,), True, 10),
        ((BEFORE,), False, 0),
        ((b"Expires: 0",), False, 0),
        ((LATER, b"Cache-Control: max-age=5"), True, 5),
        ((b"Cache-Control: max-age=5", LATER), True, 5),
        ((BEFORE, b"Cache-Control: max-age=5"), True, 5),
        ((b"X-Accel-Expires: 3",), True, 3),
        ((b"X-Accel-Expires: 0",), False, 0),
        ((b"X-Accel-Expires: x",), True, 0),
        ((b"X-Accel-Expires: @1000000004",), True, 4),
        ((b"X-Accel-Expires: 3", b"Cache-Control: no-cache"), True, 3),
        ((b"Cache-Control: no-cache", b"X-Accel-Expires: 3"), True, 3),
        ((b"X-Accel-Expires: 3", LATER), True, 3),
        ((b"Set-Cookie: a",), False, 0),
        ((b"Vary: *",), False, 0),
        ((b"Vary: " + b"x" * 129,), False, 0),
    ],
)
def test_how_long(fields: tuple[bytes, ...], cacheable: bool, seconds: int) -> None:
    found, entry = judged(*fields)
    assert found is cacheable
    assert entry.valid == (NOW + seconds if seconds else 0)


def test_a_time_without_end() -> None:
    assert judged(b"Cache-Control: max-age=" + b"9" * 50)[1].valid == MAX_INTEGER


def test_stale() -> None:
    _, entry = judged(b"Cache-Control: max-age=5, stale-while-revalidate=6, stale-if-error=7")
    assert (entry.updating, entry.error) == (6, 7)
    _, entry = judged(b"X-Accel-Expires: 5", b"Cache-Control: private, stale-while-revalidate=6")
    assert (entry.updating, entry.error) == (6, 6)
    assert not judged(b"Cache-Control: max-age=5, stale-if-error=x")[0]


@pytest.mark.parametrize(
    ("field", "ignored"),
    [
        (b"Set-Cookie: a", Ignore.SET_COOKIE),
        (b"Cache-Control: private", Ignore.CACHE_CONTROL),
        (BEFORE, Ignore.EXPIRES),
        (b"X-Accel-Expires: 0", Ignore.X_ACCEL_EXPIRES),
        (b"Vary: *", Ignore.VARY),
    ],
)
def test_ignored(field: bytes, ignored: Ignore) -> None:
    assert not judged(field)[0]
    assert judged(field, ignored=ignored)[0]


def test_vary_is_one_list() -> None:
    assert judged(b"Vary: a", b"Vary: b,c")[1].vary == b"a, b,c"


@pytest.mark.parametrize(("text", "number"), [(b"x=5", 5), (b"x=5,y", 5), (b"x=5;", 5), (b"x=", 0), (b"x=-1", -1)])
def test_delta(text: bytes, number: int) -> None:
    assert delta(text, 2) == number
