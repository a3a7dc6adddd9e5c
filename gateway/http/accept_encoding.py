"""Whether a client takes gzip: Accept-Encoding, and the gzip_* settings on versions, agents and proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.http.request import Request

# gzip_proxied's conditions
OFF, EXPIRED, NO_CACHE, NO_STORE, PRIVATE, NO_LAST_MODIFIED, NO_ETAG, AUTH, ANY = (1 << bit for bit in range(1, 10))


def accepts_gzip(field: bytes) -> bool:
    """Whether the field names gzip, or any coding, with a weight above 0 (RFC 9110, 12.5.3)."""
    star = False
    for item in field.lower().split(b","):
        name, _, parameters = item.partition(b";")
        name = name.strip()
        if name not in (b"gzip", b"*"):
            continue
        weight = parameters.strip().replace(b" ", b"")
        accepted = True
        if weight.startswith(b"q="):
            digits = weight[2:]
            accepted = bool(digits.strip(b"0.")) and digits[:1] in (b"0", b"1") and len(digits) <= 5
        if name == b"gzip":
            return accepted
        star = accepted
    return star


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
        from gateway.http.response import parse_http_date

        at, now = parse_http_date(expires), parse_http_date(response.date or b"") or int(request.connection.lane.wall)
        return at is None or at < now
    control = response.get(b"cache-control")
    if control is not None:
        control = control.lower()
        return bool(
            (proxied & NO_CACHE and b"no-cache" in control)
            or (proxied & NO_STORE and b"no-store" in control)
            or (proxied & PRIVATE and b"private" in control)
        )
    if proxied & NO_LAST_MODIFIED and response.last_modified_value is None:
        return True
    return bool(proxied & NO_ETAG and response.etag is None)
