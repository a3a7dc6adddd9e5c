"""An application that redirects to the URL that was asked, or round to it: browsers come again until they give up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.config.text import to_str
from gateway.dev.diagnosis.failure import as_written

if TYPE_CHECKING:
    from gateway.config.parser import Statement
    from gateway.dev.diagnosis.redirect_trails import Trails
    from gateway.upstream.exchange.exchange import Exchange

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {b"http": b":80", b"https": b":443"}
_BELIEVE: Final = (
    "Django: SECURE_PROXY_SSL_HEADER; Flask: ProxyFix; uvicorn: --proxy-headers; gunicorn: --forwarded-allow-ips"
)


def why(exchange: Exchange, trails: Trails) -> str | None:
    """The cause of an answer that leads where the request came from, by others or at once; None for any other redirect.

    One that sets a cookie leads there on purpose: what comes next is another request. So is one after a POST.
    """
    head, request = exchange.head, exchange.request
    assert head is not None
    if request.method not in (b"GET", b"HEAD") or request.parent is not None:
        return None
    fields = {lower: value for lower, _, value in head.fields}
    target = fields.get(b"location")
    if target is None or b"set-cookie" in fields:
        return None
    told = _told_scheme(exchange)
    for scheme in dict.fromkeys((bytes(request.scheme), told or bytes(request.scheme))):
        if _normal(target, scheme, exchange) == _normal(b"", scheme, exchange):
            peer = to_str(exchange.attempt.name or b"")
            cause = _cause(exchange, scheme)
            return f"{peer} answered {head.status} to the very URL that was asked, a loop for browsers. cause: {cause}"
    own = bytes(request.scheme)
    asked, to = _normal(b"", own, exchange), _normal(target, own, exchange)
    circle = trails.circle(_client(exchange), asked, to, exchange.lane.now)
    if not circle:
        return None
    shown = " to ".join(map(to_str, [*circle, asked]))
    peer = to_str(exchange.attempt.name or b"")
    return f"{peer} answered {head.status}, a loop for browsers: {shown}. cause: {_disagreement(circle, exchange)}"


def _client(exchange: Exchange) -> tuple[bytes | None, ...]:
    """Whose answers may be others than the next one's."""
    request = exchange.request
    fields = (request.head.get(name) for name in (b"x-forwarded-for", b"user-agent", b"cookie", b"authorization"))
    return request.connection.remote()[0], *fields


def _disagreement(circle: list[bytes], exchange: Exchange) -> str:
    """What the URLs of a circle differ in."""
    if len({url.partition(b"://")[2] for url in circle}) == 1:
        return f"one wants http and one https: {_tell(exchange, _sets(exchange, 'x-forwarded-proto'))}"
    if len({_bare(url) for url in circle}) == 1:
        return (
            "one wants www. in front of the name and one takes it away, or one a slash at the end: leave that to one "
            "of them, to the application or to a return 301 here"
        )
    return (
        "each of them takes the request for one that belongs to the next: to a login it is a user who is known, to the "
        "page behind it none, say, because the session's cookie does not come back (Secure over http, another "
        "Domain or Path, proxy_cookie_path)"
    )


def _bare(url: bytes) -> bytes:
    return url.partition(b"://")[2].removeprefix(b"www.").rstrip(b"/")


def _told_scheme(exchange: Exchange) -> bytes | None:
    """What a proxy in front says of its client's."""
    value = exchange.request.head.get(b"x-forwarded-proto")
    return bytes(value).lower() if value is not None else None


def _normal(target: bytes, scheme: bytes, exchange: Exchange) -> bytes:
    """A URL with its scheme and host, without a port that goes without saying; nothing for the request's own."""
    request = exchange.request
    if not target or target.startswith(b"/"):
        port = b":%d" % request.head.port if request.head.port else b""
        target = b"%b://%b%b%b" % (scheme, request.head.hostname or b"", port, target or request.head.target)
    kind, _, rest = target.partition(b"://")
    host, slash, path = rest.partition(b"/")
    return b"%b://%b%b%b" % (
        kind.lower(),
        host.lower().removesuffix(_PORTS.get(kind.lower(), b"!")),
        slash or b"/",
        path,
    )


def _cause(exchange: Exchange, scheme: bytes) -> str:
    own = bytes(exchange.request.scheme)
    setting = _sets(exchange, "x-forwarded-proto")
    if scheme != own and setting is not None:
        return (
            f"the proxy in front has told {to_str(scheme)} by X-Forwarded-Proto, and {as_written(setting)} puts "
            f"{to_str(own)} in its place: write proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto; if nobody "
            "but that proxy can come here"
        )
    if scheme == b"https":
        return f"the application takes what came by https for http, and wants https: {_tell(exchange, setting)}"
    host = _sets(exchange, "host")
    if exchange.conf.prefix == "proxy" and host is None:
        return (
            "the application wants the Host that the client has sent, and gets the upstream's name: write "
            "proxy_set_header Host $host;"
        )
    return (
        "the application does not see the URL as the client has written it: its scheme, its Host, or a slash or a "
        "prefix that this location takes away"
    )


def _tell(exchange: Exchange, setting: Statement | None) -> str:
    """What is missing: the field, or the belief in it."""
    prefix = exchange.conf.prefix
    if prefix == "proxy":
        if setting is not None or _told_scheme(exchange) is not None:
            return f"X-Forwarded-Proto is sent, and it does not believe it ({_BELIEVE})"
        return f"write proxy_set_header X-Forwarded-Proto $scheme; and let the application believe it ({_BELIEVE})"
    if any(each.args[:1] == ["HTTPS"] for each in _statements(exchange, f"{prefix}_param")):
        return f"HTTPS is sent, and a proxy stands in front or a middleware forgets it ({_BELIEVE})"
    return f"write {prefix}_param HTTPS $https if_not_empty; (include {prefix}_params has it)"


def _sets(exchange: Exchange, name: str) -> Statement | None:
    found = [each for each in _statements(exchange, "proxy_set_header") if each.args[0].lower() == name]
    return found[-1] if found else None


def _statements(exchange: Exchange, name: str) -> list[Statement]:
    """Those of the innermost block that has any, which put all outer ones out of force."""
    scope: Any = exchange.request.location.scope
    while scope is not None:
        found = [each for each in scope.statements if each.name == name]
        if found:
            return found
        scope = scope.parent
    return []
