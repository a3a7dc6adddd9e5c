"""Whether a client takes gzip: Accept-Encoding, and the gzip_* settings on versions, agents and proxies."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from gateway.http.response import parse_http_date

if TYPE_CHECKING:
    from gateway.http.request import Request

# gzip_proxied's conditions
OFF, EXPIRED, NO_CACHE, NO_STORE, PRIVATE, NO_LAST_MODIFIED, NO_ETAG, AUTH, ANY = (1 << bit for bit in range(1, 10))


# behind the word: nothing, or a weight, and then the end or a comma
_PARAMETERS: Final = re.compile(rb" *(?:$|,|; *(?:$|q=(?=.)))")
_WEIGHT: Final = re.compile(rb"([01])(?:\.(\d*))?(?:[, ]|$)")


def accepts_gzip(field: bytes) -> bool:
    return accepts(field, b"gzip")


@lru_cache(256)  # browsers send few different ones
def accepts(field: bytes, coding: bytes) -> bool:
    """Whether the field names a coding with a weight above 0 (RFC 9110, 12.5.3), read as nginx reads it for gzip.

    The first one behind a comma, a space or nothing counts; `*` does not, and what is malformed is a refusal.
    """
    lower = field.lower()
    at = lower.find(coding)
    while at > 0 and lower[at - 1] not in b", ":
        at = lower.find(coding, at + len(coding))
    if at < 0:
        return False
    found = _PARAMETERS.match(lower, at + len(coding))
    if found is None:
        return False
    if not found[0].endswith(b"="):
        return True
    weight = _WEIGHT.match(lower, found.end())
    if weight is None:
        return False
    digits = weight[2] or b""
    # nginx's sum: any digit above 0 is enough, and none may follow a 1
    total = 100 * int(weight[1]) + sum(digits) - 48 * len(digits)
    return 0 < total <= 100 and len(digits) <= 3


def gzip_ok(request: Request, settings: Any) -> bool:
    """nginx's ngx_http_gzip_ok."""
    field = request.head.accept_encoding
    if request.parent is not None or field is None or not accepts_gzip(field):
        return False
    if request.http_version < settings.http_version:
        return False
    if settings.disable and _disabled(request, settings.disable):
        return False
    if request.head.via is None:
        return True
    proxied: int = settings.proxied
    if proxied & OFF:
        return False
    return bool(proxied & ANY) or _proxied(request, proxied)


def _disabled(request: Request, patterns: tuple[Any, ...]) -> bool:
    agent = request.head.user_agent
    return agent is not None and any(pattern.search(agent) is not None for pattern in patterns)


def _proxied(request: Request, proxied: int) -> bool:
    """The answer to a request that came through a proxy: what its header says about caching."""
    response = request.response
    if proxied & AUTH and request.head.authorization is not None:
        return True
    expires = response.get(b"expires")
    if expires is not None:
        if not proxied & EXPIRED:
            return False
        at = parse_http_date(expires)
        date = int(request.connection.lane.wall) if not response.date else parse_http_date(response.date)
        return at is not None and date is not None and at < date
    controls = [value for name, value in response.fields if name.lower() == b"cache-control"]
    if controls:
        words = {word.strip(b" ") for value in controls for word in value.lower().split(b",")}
        return bool(
            (proxied & NO_CACHE and b"no-cache" in words)
            or (proxied & NO_STORE and b"no-store" in words)
            or (proxied & PRIVATE and b"private" in words)
        )
    # nginx's own Last-Modified of a file is no field by now, so it does not count
    listed = response.listed is not None and b"last-modified" in response.listed
    if proxied & NO_LAST_MODIFIED and listed and response.last_modified_text is not None:
        return False
    return not (proxied & NO_ETAG and response.etag is not None)
