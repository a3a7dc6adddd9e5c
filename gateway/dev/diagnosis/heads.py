"""A request that was refused by its head: 400, 405, 414, 421, what is too large, what is no HTTP, no certificate."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final

from gateway.config.text import to_str
from gateway.dev.diagnosis.failure import Failure, Family

_LONG_URI: Final = b"client sent too long URI"
_LARGE: Final = (
    b"client sent too long header line",
    b"client sent too large request",
    b"client sent too large header",
    b"client sent too large field line",
)
_MANY: Final = b"client sent too many header lines"
_NAME: Final = re.compile(rb'client sent (?:too long|invalid) header(?: line)?: "([^:"]*)')
_IGNORED: Final = re.compile(rb'client sent invalid header(?: line)?: "([A-Za-z0-9_.-]*)')
_TO_HTTPS: Final = b"client sent plain HTTP request to HTTPS port"
_HANDSHAKE: Final = b"\x16\x03"
_NO_HOST: Final = (b"client sent HTTP/1.1 request without", b"client sent neither")
_BAD_HOST: Final = (b"client sent invalid host", b'client sent ":authority" and "Host"')
_METHODS: Final = (b"client sent TRACE method", b"client sent CONNECT method")
_CERTIFICATE: Final = (b"client sent no required SSL certificate", b"client SSL certificate verify error")
_MISDIRECTED: Final = b"client attempted to request the server name"
_NO_HTTP: Final = (b"client sent invalid method", b"client sent invalid request", b"client sent invalid version")

_BUFFERS: Final = "large_client_header_buffers"


def _key(failure: Failure) -> Hashable:
    return id(failure.request.server), failure.message[:40]


def _text(failure: Failure) -> str | None:
    """One for each kind of line; None for what only a broken client sends."""
    message = failure.message
    if message.startswith(_LONG_URI):
        return (
            f"{_buffers(failure)}: the request line has to fit into one of these, and this one does not: write "
            f"{_BUFFERS} {_enough(failure)}; in http, or in the first server of this address, or send as the body of "
            "a POST what makes it long"
        )
    if message.startswith(_LARGE):
        return _large(failure)
    if message.startswith(_MANY):
        return f"{failure.setting('max_headers', '1000')} is how many fields a request may have: write a larger number"
    if message.startswith(_TO_HTTPS):
        return f"this port is one for TLS{_listens(failure)}: ask https://, or listen for http on another port"
    if message.startswith(_NO_HOST):
        return "HTTP/1.1 has a Host in each request (RFC 9112, 3.2): the client, or a proxy in front, leaves it out"
    if message.startswith(_BAD_HOST):
        return "a Host is a name or an address and perhaps a port, once (RFC 9110, 7.2): no path, no space, no scheme"
    if message.startswith(_CERTIFICATE):
        authority = failure.setting("ssl_client_certificate", "none")
        return (
            f"{failure.setting('ssl_verify_client', 'off')}: the client has to show a certificate that the authority "
            f"of {authority} has signed (curl: --cert, --key), with ssl_verify_client optional; it may go without one"
        )
    if message.startswith(_MISDIRECTED):
        return (
            "the name in the TLS handshake (SNI) leads to one server and the Host to another, whose TLS is another: a "
            "proxy or a client that uses one connection for two names; or a server_name is missing in one of the two"
        )
    if message.startswith(_METHODS[0]):
        return "TRACE is never served, as by nginx: it would show a client's cookies to a script"
    if message.startswith(_METHODS[1]):
        return "CONNECT is for proxies that browsers are set to use, and this server is none (tunnel_pass)"
    if message.startswith(_NO_HTTP):
        return _no_http(failure)
    return _ignored(failure)


def _buffers(failure: Failure) -> str:
    return failure.setting(_BUFFERS, "4 8k")


def _enough(failure: Failure) -> str:
    """Twice as large as what holds now, and more than the defaults."""
    limits = failure.request.server.limits
    return f"{limits.large_buffers} {max(16, limits.large_buffer_size * 2 >> 10)}k"


def _large(failure: Failure) -> str:
    found = _NAME.match(failure.message)
    which = f"{to_str(found[1])} does" if found is not None else "they do"
    cookie = (
        "; a cookie that grows is the usual reason: the browser's cookies of this site can be deleted"
        if found is None or found[1].lower() == b"cookie"
        else ""
    )
    return (
        f"{_buffers(failure)}: the fields of a request have to fit into these, each into one, and {which} not{cookie}; "
        f"or write {_BUFFERS} {_enough(failure)}; in http, or in the first server of this address (the application's "
        "server has such a limit, too)"
    )


def _listens(failure: Failure) -> str:
    """The line that says so, where it is the server's own."""
    for statement in failure.request.server.scope.statements:
        if statement.name == "listen" and "ssl" in statement.args:
            return f" (listen {' '.join(statement.args)}, {statement.where})"
    return ""


def _no_http(failure: Failure) -> str | None:
    line = bytes(failure.request.head.request_line or b"")
    if line.startswith(_HANDSHAKE):
        return (
            "it is the beginning of TLS: the client asks https:// on a port without it: write listen …:PORT ssl; with "
            "ssl_certificate and ssl_certificate_key, or ask http://"
        )
    if line.startswith(b"PRI * HTTP/2"):
        return "it is the beginning of HTTP/2: write http2 on; in the server"
    if b" " in line.strip().partition(b" ")[2].rpartition(b" ")[0]:
        return "a space in a URL is written %20: the client has to encode what it puts into it"
    return None


def _ignored(failure: Failure) -> str | None:
    """A field that is left out by its name: what the application misses."""
    found = _IGNORED.match(failure.message)
    if found is None:
        return None
    name = to_str(found[1])
    if "_" in name:
        setting = failure.setting("underscores_in_headers", "off")
        return (
            f"{setting}: {name} is not passed on, since its name has an underscore: write {name.replace('_', '-')} "
            "in the client (CGI and WSGI read both as the same), or underscores_in_headers on; in http or the first "
            "server of this address"
        )
    return None


FAMILY: Final = Family(
    (
        _LONG_URI,
        *_LARGE,
        _MANY,
        _TO_HTTPS,
        *_NO_HOST,
        *_BAD_HOST,
        *_CERTIFICATE,
        _MISDIRECTED,
        *_NO_HTTP,
        *_METHODS,
        b"client sent invalid header",
    ),
    _key,
    _text,
)
