"""The variables that nearly every request to an upstream asks for: what the client asked, and where both ends are.

Compiled with the types of common_variables.pxd: a getter is one C call, where a lambda over the same attributes costs
some 2,000 instructions; a uwsgi_params file asks for fourteen of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.cut import decimal
from gateway._fast.value import Value
from gateway.http.paths import document_root as root_of

if TYPE_CHECKING:
    from gateway.core.variables import Getter
    from gateway.http.client import Client
    from gateway.http.request import Request

_PROTOCOLS: Final = {20: b"HTTP/2.0", 30: b"HTTP/3.0"}


def args(request: Request) -> bytes | None:
    """$args, $query_string."""
    return request.args or None


def uri(request: Request) -> bytes | None:
    """$uri, $document_uri."""
    found = request.uri
    if found:
        return found
    main = request.get_main()
    return b"" if main.method else None


def request_uri(request: Request) -> bytes | None:
    main = request.get_main()
    return main.head.get_target() or None


def request_method(request: Request) -> bytes | None:
    main = request.get_main()
    return main.method or None


def scheme(request: Request) -> bytes | None:
    client: Client = request.connection
    return client.scheme


def server_protocol(request: Request) -> bytes | None:
    """As the client wrote it: there is none in HTTP/0.9, nor in what could not be read."""
    protocol = request.head.get_protocol()
    return protocol or (_PROTOCOLS[request.http_version] if request.http_version >= 20 else None)


def host(request: Request) -> bytes | None:
    return request.host or request.server.server_name


def request_port(request: Request) -> bytes | None:
    port = request.head.port
    return decimal(port) if port > 0 else b""


def host_and_port(request: Request) -> bytes | None:
    """$host$is_request_port$request_port."""
    name = request.host or request.server.server_name
    port = request.head.port
    return name + b":" + decimal(port) if port > 0 else name


def server_name(request: Request) -> bytes | None:
    return request.server.server_name


_port = 0  # the one that was asked for last, which is nearly always the next one's
_port_text = b""


def server_port(request: Request) -> bytes | None:
    global _port, _port_text
    client: Client = request.connection
    port = client.local_address()[1]
    if port != _port:
        _port_text = decimal(port) if port else b""
        _port = port
    return _port_text


def remote_addr(request: Request) -> bytes | None:
    client: Client = request.connection
    return client.remote()[0]


def remote_port(request: Request) -> bytes | None:
    client: Client = request.connection
    port = client.remote()[1]
    return decimal(port) if port else b""


def content_length(request: Request) -> bytes | None:
    """$content_length: the field's value, or the length of a chunked body that has been read."""
    head = request.head
    value: bytes | None = head.get(b"content-length")
    if value is not None:
        return value
    body = request.get_main().body
    if body is not None and head.chunked and body.complete:
        return b"%d" % body.size
    if head.chunked and request.http_version < 20 and request.get_main().discarding:
        return b"0" if request.output.body_done() else None  # nginx has nothing left of it
    return None


def content_type(request: Request) -> bytes | None:
    value: bytes | None = request.head.variable(b"content_type")
    return value


def document_root(request: Request) -> bytes | None:
    return root_of(request)


class HttpField(Value):
    """$http_NAME: all fields of this name, joined as nginx joins them."""

    def __init__(self, name: bytes) -> None:
        self.name = name

    def value(self, request: Any) -> bytes | None:
        asked: Request = request
        return asked.head.variable(self.name)


def http_field(name: str) -> Getter:
    return HttpField(name.encode())
