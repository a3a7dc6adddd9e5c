"""What an application's own answer says of what it was sent: a Host or an origin that it refuses, a limit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from gateway.dev.diagnosis.failure import shown
from gateway.protocol.uwsgi import BadPacket, decode

if TYPE_CHECKING:
    from gateway.upstream.exchange.exchange import Exchange

# Words of frameworks in the first bytes of an answer, as they refuse a Host: Django with and without DEBUG, Starlette,
# Rails, webpack and vite.
_HOSTS: Final = re.compile(
    rb"DisallowedHost|<h1>Bad Request \(400\)</h1>|^Invalid host header|Blocked hosts?\b|^Invalid Host header|"
    rb"Blocked request\. This host",
    re.MULTILINE,
)
_CSRF: Final = re.compile(rb"CSRF verification failed")
_NO_CERTIFICATE: Final = re.compile(rb"No required SSL certificate was sent|The SSL certificate error")
_HOST: Final = re.compile(rb"\r\nhost: *([^\r]*)\r\n", re.IGNORECASE)
_LIMITS: Final = {
    413: (
        "client_max_body_size has let it pass (uWSGI: limit-post; Flask: MAX_CONTENT_LENGTH; nginx: its own "
        "client_max_body_size)"
    ),
    414: "gunicorn: --limit-request-line, 4094 unless set; nginx: its own large_client_header_buffers",
    431: (
        "gunicorn: --limit-request-field_size, 8190 unless set, and --limit-request-fields, 100; uvicorn: "
        "--h11-max-incomplete-event-size; nginx: its own large_client_header_buffers"
    ),
}


def preread(exchange: Exchange) -> bytes:
    """What of the answer's body came with its head."""
    return bytes(getattr(exchange.reader, "buffer", b"") or b"")[:4096]


def why(exchange: Exchange) -> str | None:
    """The cause of an answer that refuses; None where it says nothing of the kind."""
    head = exchange.head
    assert head is not None
    status = head.status
    peer = (exchange.attempt.name or b"").decode("utf-8", "surrogateescape")
    if status in _LIMITS:
        return f"{peer} answered {status}. cause: the limit is one of {peer}, not of this server: {_LIMITS[status]}"
    if status not in (400, 403):
        return None
    body = preread(exchange)
    if status == 400 and _NO_CERTIFICATE.search(body) and exchange.conf.prefix in ("proxy", "uwsgi", "grpc"):
        prefix = exchange.conf.prefix
        return (
            f"{peer} answered 400, since it wants a certificate of its client. cause: write {prefix}_ssl_certificate "
            f"and {prefix}_ssl_certificate_key of one that its authority has signed"
        )
    if _HOSTS.search(body):
        return _host(exchange, peer)
    if status == 403 and _CSRF.search(body):
        return _origin(exchange, peer)
    return None


def _host(exchange: Exchange, peer: str) -> str:
    sent = _sent_host(exchange)
    asked = (exchange.request.head.host or b"").decode("latin-1")
    shown = f'"{sent}"' if sent is not None else "the client's"
    if exchange.conf.prefix == "proxy" and sent is not None and asked and sent != asked:
        remedy = f'write proxy_set_header Host $host; since the client asked for "{asked}"'
    else:
        name = (sent if sent is not None else asked).rpartition(":")[0] or sent or asked
        remedy = f'add "{name}" there'
    return (
        f"{peer} answered {exchange.attempt.status} in the words for a Host that it does not serve, and got {shown}. "
        "cause: it is not among the hosts that the application allows (Django: ALLOWED_HOSTS; Starlette: "
        f"TrustedHostMiddleware): {remedy}"
    )


def _sent_host(exchange: Exchange) -> str | None:
    """The Host of a request that went out by HTTP/1."""
    found = _HOST.search(exchange.packet) if exchange.conf.prefix == "proxy" else None
    return found[1].decode("latin-1") if found else None


def _origin(exchange: Exchange, peer: str) -> str:
    scheme = exchange.request.scheme.decode()
    host = (exchange.request.head.host or b"").decode("latin-1")
    return (
        f"{peer} answered 403 in Django's words for a form from elsewhere. cause: the origin {scheme}://{host} is not "
        f"the one that the application takes for its own: {_tell_scheme(exchange)}; or the Host that it gets lacks the "
        f"port (proxy_set_header Host $host:$server_port;); or write CSRF_TRUSTED_ORIGINS = ['{scheme}://{host}'] there"
    )


def _tell_scheme(exchange: Exchange) -> str:
    """What tells an application the client's scheme, and what makes it believe that."""
    if exchange.conf.prefix != "proxy":
        prefix = exchange.conf.prefix
        return f"write {prefix}_param HTTPS $https if_not_empty; (include {prefix}_params has it)"
    believed = (
        "let the application believe it (Django: SECURE_PROXY_SSL_HEADER; Flask: ProxyFix; uvicorn: --proxy-headers; "
        "gunicorn: --forwarded-allow-ips)"
    )
    conf: Any = exchange.conf
    if any(name.lower() == b"x-forwarded-proto" for name, _ in conf.set_headers):
        return f"X-Forwarded-Proto is sent; {believed}"
    return f"write proxy_set_header X-Forwarded-Proto $scheme; and {believed}"


def mounted(exchange: Exchange) -> str | None:
    """An application's 404 below a prefix: which path it was asked for. For development."""
    head, request = exchange.head, exchange.request
    location = request.location
    if head is None or head.status != 404 or location.regex is not None or location.name in (b"", b"/"):
        return None
    prefix = location.name.decode("utf-8", "replace")
    params = _params(exchange)
    if exchange.conf.prefix == "proxy":
        line = exchange.packet.partition(b"\r\n")[0]
        path = line.split(b" ")[1].decode("utf-8", "replace") if line.count(b" ") >= 2 else ""
        got = shown(line, 200)
        remedy = (
            f"a proxy_pass with a URI (http://…/;) takes {prefix} away; without one it stays"
            if path.startswith(prefix)
            else f"{prefix} was taken away; to make links the application has to know of it (uvicorn: --root-path)"
        )
        return f"the application answered 404, and was asked: {got}. cause: perhaps its paths begin elsewhere: {remedy}"
    if not params:
        return None
    told = ", ".join(f"{name} {shown(params.get(name.encode(), b''))}" for name in _PATHS)
    return (
        f"the application answered 404, and was asked: {told}. cause: perhaps its paths begin elsewhere: uWSGI's mount "
        f"= {prefix.rstrip('/')}=app with manage-script-name = true divides PATH_INFO so"
    )


_PATHS: Final = ("SCRIPT_NAME", "PATH_INFO")


def _params(exchange: Exchange) -> dict[bytes, bytes]:
    if exchange.conf.prefix != "uwsgi":
        return {}
    try:
        return dict(decode(exchange.packet)[2])
    except (BadPacket, ValueError):
        return {}
