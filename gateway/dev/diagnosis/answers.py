"""Answers that are none of nginx's failures, and yet not what the user will have meant."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any, Final

from gateway.dev.diagnosis import redirect_loops, refusals
from gateway.dev.diagnosis.failure import as_written

if TYPE_CHECKING:
    from gateway.config.loader import Scope
    from gateway.config.parser import Statement
    from gateway.dev.diagnosis.redirect_trails import Trails
    from gateway.upstream.exchange.exchange import Exchange

# level, what makes two notes the same, and the text
Note = tuple[str, Hashable, Callable[[], str]]

# The page that gunicorn has for an exception, and for a worker that its arbiter ends.
_GUNICORNS: Final = b"<h1><p>Internal Server Error</p></h1>"
_LIMIT_S: Final = 1.5

# What HTTP servers answer to bytes that are no HTTP request.
_BAD_REQUEST: Final = frozenset({400, 414, 431, 501, 505})


def on_head(exchange: Exchange, trails: Trails) -> Iterator[Note]:
    """What an answer's head tells when it is an error or a redirect, or the client asked for another protocol."""
    prefix = exchange.conf.prefix
    head = exchange.head
    assert head is not None
    if head.status in redirect_loops.REDIRECTS:
        again = redirect_loops.why(exchange, trails)
        if again is not None:
            cause = again.partition(" cause: ")[2]
            yield "error", ("redirects", _peer(exchange), id(exchange.conf), cause), lambda: again
        return
    if prefix == "proxy" and exchange.request.head.upgrade is not None and head.status != 101:
        upgrade = bytes(exchange.request.head.upgrade)
        if upgrade.lower() == b"websocket" and not _passes_upgrade(exchange.conf):
            yield "warn", ("websocket", id(exchange.conf)), lambda: _websocket(exchange)
    plain = prefix == "proxy" and exchange.codec.tls is None
    if plain and head.status == 400 and b"HTTPS" in refusals.preread(exchange):
        yield "error", ("speaks TLS", _peer(exchange)), lambda: _speaks_tls(exchange)
        return
    if prefix in ("uwsgi", "scgi", "fastcgi") and head.status in _BAD_REQUEST and _is_http_server(exchange):
        yield "error", ("speaks HTTP", _peer(exchange)), lambda: _speaks_http(exchange)
    else:
        why = refusals.why(exchange)
        if why is not None:
            yield "error", ("refuses", _peer(exchange), id(exchange.conf), head.status), lambda: why


def doubtful(exchange: Exchange) -> bool:
    """A 500 in the words of an application server: it failed itself, or could not read what it was sent."""
    head = exchange.head
    assert head is not None
    if head.status != 500:
        return False
    fields = {lower for lower, _, _ in head.fields}
    return b"connection" in fields and not fields & {b"server", b"date"}


def own_failure(exchange: Exchange) -> str | None:
    """What stands behind a 500 that uWSGI or gunicorn itself writes; None where it is another's."""
    if exchange.conf.prefix == "proxy" and _GUNICORNS in refusals.preread(exchange):
        elapsed = exchange.lane.now - max(exchange.attempt.connected, exchange.attempt.began)
        if elapsed >= _LIMIT_S:
            return (
                f"the words are gunicorn's own, and came after {elapsed:.0f} s: its --timeout (30 s unless set) ended "
                "the worker over this request (its log: WORKER TIMEOUT): raise it, or let the work be done elsewhere; "
                "or the application raised an exception that late (its log has the traceback)"
            )
        return "the words are gunicorn's own: the application raised an exception, and gunicorn's log has its traceback"
    if exchange.conf.prefix != "uwsgi":
        return None
    return (
        "the words are uWSGI's own, which it has for a worker without an application: its log says no python "
        "application found, and its beginning why (the file or module that --wsgi-file or --module names, and the "
        "name in it by --callable, else application)"
    )


def on_buffering(exchange: Exchange) -> Iterator[Note]:
    """An event stream lives from coming at once."""
    head = exchange.head
    assert head is not None
    kind = next((value for lower, _, value in head.fields if lower == b"content-type"), b"")
    if kind.lower().startswith(b"text/event-stream"):
        yield "notice", ("event stream", id(exchange.conf)), lambda: _event_stream(exchange)


def _peer(exchange: Exchange) -> str:
    return (exchange.attempt.name or b"").decode("utf-8", "surrogateescape")


def _is_http_server(exchange: Exchange) -> bool:
    """A server that itself speaks to the connection: an application behind uwsgi has no say in Connection.

    gunicorn's uwsgi mode writes Connection as well, but never without its Server.
    """
    assert exchange.head is not None
    fields = {lower: value for lower, _, value in exchange.head.fields}
    return b"connection" in fields and not fields.get(b"server", b"").startswith(b"gunicorn")


def _speaks_http(exchange: Exchange) -> str:
    assert exchange.head is not None
    peer = _peer(exchange)
    prefix = exchange.conf.prefix
    return (
        f"{peer} answered {exchange.head.status} to a {prefix} request, as an HTTP server does to what it cannot read. "
        f"cause: it speaks HTTP; either proxy_pass http://{peer}; here, or let it speak {prefix} "
        "(uWSGI: socket =, not http-socket =; gunicorn: --protocol uwsgi)"
    )


def _speaks_tls(exchange: Exchange) -> str:
    peer = _peer(exchange)
    return (
        f"{peer} answered 400, in words that speak of HTTPS. cause: its port is one for TLS, and got plain HTTP: write "
        f"proxy_pass https://{peer}; here"
    )


def _passes_upgrade(conf: Any) -> bool:
    return any(name.lower() == b"upgrade" for name, _ in conf.set_headers)


def _websocket(exchange: Exchange) -> str:
    lines = ["proxy_set_header Upgrade $http_upgrade;", 'proxy_set_header Connection "upgrade";']
    conf: Any = exchange.conf
    if not conf.http_minor:
        lines.insert(0, "proxy_http_version 1.1;")
    hidden = _hidden_upgrade(exchange)
    reason = (
        f"; {as_written(hidden)} does not reach this block, since it has proxy_set_header lines of its own"
        if hidden
        else ""
    )
    return (
        "a WebSocket handshake arrived, and its Upgrade and Connection fields are not passed on"
        f"{reason}. cause: they concern one connection only, so they have to be set; add here: {' '.join(lines)}"
    )


def _hidden_upgrade(exchange: Exchange) -> Statement | None:
    """`proxy_set_header Upgrade` of an outer block, which an inner one's own lines put out of force."""
    scope: Scope | None = exchange.request.location.scope
    while scope is not None:
        for statement in scope.statements:
            if statement.name == "proxy_set_header" and statement.args[0].lower() == "upgrade":
                return statement
        scope = scope.parent
    return None


def _event_stream(exchange: Exchange) -> str:
    prefix = exchange.conf.prefix
    setting = exchange.request.location.scope.set_by(f"{prefix}_buffering")
    shown = as_written(setting) if setting is not None else f"{prefix}_buffering on (default)"
    return (
        f"an event stream is being buffered. cause: {shown}; events may reach the client late: write "
        f"{prefix}_buffering off; in this location, or let the application send X-Accel-Buffering: no"
    )
