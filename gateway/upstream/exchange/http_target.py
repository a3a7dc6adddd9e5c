"""Where a `proxy_pass` leads: scheme, address and URI of a URL, and what request line it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast import uri as uri_grammar
from gateway.upstream.peers.address import Target, parse_target

if TYPE_CHECKING:
    from gateway.http.request import Request

_PORTS: Final = {b"http://": 80, b"https://": 443}


class BadPrefix(ValueError):
    """A URL of another scheme."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A `proxy_pass` URL, taken apart. `host` is $proxy_host, `port` $proxy_port (empty for a unix socket)."""

    url: bytes
    address: bytes  # `host:port` or `unix:path`, as it stands in the URL
    host: bytes
    port: bytes
    uri: bytes
    scheme: bytes  # `http://`, `https://`


def parse_url(url: bytes) -> tuple[Destination, Target]:
    """Errors: BadPrefix, or ValueError with nginx's words for a bad address, and the address."""
    scheme = url[: 8 if url[:8].lower() == b"https://" else 7].lower()
    default_port = _PORTS.get(scheme)
    if default_port is None:
        raise BadPrefix("invalid URL prefix")
    rest = url[len(scheme) :]
    if rest[:5].lower() == b"unix:":
        path, _, uri = rest[5:].partition(b":")
        address = rest[:5] + path
    else:
        ends = [at for at in (rest.find(b"/"), rest.find(b"?"), rest.find(b"#")) if at >= 0]
        end = min(ends) if ends else len(rest)
        address, uri = rest[:end], rest[end:]
    try:
        target = parse_target(address, default_port)
    except ValueError as error:
        raise ValueError(str(error), rest) from None
    if target.address is not None and target.address.is_unix:
        host, port = b"localhost", b""
    elif target.no_port or target.port == default_port:
        host, port = target.host, b"%d" % default_port
    else:
        host, port = b"%b:%d" % (target.host, target.port), b"%d" % target.port
    return Destination(url, address, host, port, uri, scheme), target


def request_target(request: Request, uri: bytes, location: bytes, whole: bool) -> bytes:
    """What stands in the request line; `whole`: the URI of a URL with variables takes the place of all of ours."""
    if whole and uri:
        return uri
    if not uri and request.valid_unparsed_uri:
        target: bytes = request.main.head.target
        return target
    path = request.uri
    if not request.valid_location:
        uri = b""  # a `break` followed a rewrite: what it made is the URI
    elif uri:
        path = path[len(location) :]
    if request.head.quoted_uri or request.internal:
        path = uri_grammar.escape(path, "uri")
    return uri + path + (b"?" + request.args if request.args else b"")
