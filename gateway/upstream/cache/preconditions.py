"""What a request for the cache asks for: the whole answer, or whether the one in the cache is still good.

A client's own conditions and ranges are withheld: they are answered from what is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.http.response import http_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.http.request import Request
    from gateway.upstream.cache.entry import Entry

EXPIRED: Final = b"EXPIRED"


def _entry(request: Request) -> Entry | None:
    """The entry of an answer that is to be revalidated."""
    exchange: Any = request.upstream
    if exchange is None or getattr(exchange, "cache_status", None) != EXPIRED or not exchange.conf.cache_revalidate:
        return None
    return exchange.entry  # type: ignore[no-any-return]


def last_modified(request: Request) -> bytes | None:
    """$upstream_cache_last_modified."""
    entry = _entry(request)
    return None if entry is None or entry.last_modified == -1 else http_date(entry.last_modified)


def etag(request: Request) -> bytes | None:
    """$upstream_cache_etag."""
    entry = _entry(request)
    return None if entry is None else entry.etag or None


def status(request: Request) -> bytes | None:
    """$upstream_cache_status."""
    return getattr(request.upstream, "cache_status", None)


# Field names of a request, and what stands there instead of the client's.
FIELDS: Final[tuple[tuple[bytes, bytes | Callable[[Any], bytes | None]], ...]] = (
    (b"If-Modified-Since", last_modified),
    (b"If-Unmodified-Since", b""),
    (b"If-None-Match", etag),
    (b"If-Match", b""),
    (b"Range", b""),
    (b"If-Range", b""),
)
