"""HTTP/1.x towards upstreams as proxy speaks it: the head of a request, and what reads the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.protocol.cgi import Number
from gateway.protocol.http1_client import CHUNKED, RequestEncoder, chunk, new_reader
from gateway.upstream.cache import preconditions
from gateway.upstream.exchange.codec import NEVER_PASSED, Codec, RequestRefused
from gateway.upstream.exchange.hints import on_hints_of
from gateway.upstream.exchange.http_target import Destination, request_target

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.modules.http.proxy import LocationConf
    from gateway.protocol.http1_client import ResponseReader
    from gateway.upstream.exchange.exchange import Exchange
    from gateway.upstream.exchange.peer_try import PeerTry


def host_field(conf: LocationConf, destination: Destination) -> Any:
    """What Host says, or what finds it for a request: the last proxy_set_header of it, or where the request goes.

    HTTP/1.1 has always one (RFC 9110, 7.2): an empty one is not sent, and what it is without the directive is.
    """
    values = [value for name, value in conf.set_headers if name.lower() == b"host"]
    if not values:
        return destination.host
    value = values[-1]
    default = destination.host if conf.http_minor else b""
    if value.constant is not None:
        return value.constant or default
    if not default:
        return value.shortest
    return lambda request: value(request) or default


class ProxyCodec(Codec):
    """HTTP/1.x with the settings of one location, towards one URL.

    Compiled with the types of proxy_codec.pxd: an attribute has its line there too.
    """

    def __init__(
        self, conf: LocationConf, destination: Destination, location: bytes, *, whole: bool, caching: bool = False
    ) -> None:
        """`caching`: the client's conditions are replaced by those of the cache."""
        self.conf = conf
        self.cached = conf.cache is not None  # a CachingExchange asks
        self.own_method: Any = conf.method  # templates, or None
        self.own_body: Any = conf.body
        self.destination = destination
        self.uri = destination.uri
        self.location = location
        self.whole = whole
        Codec.__init__(self, destination.scheme, conf.client_tls if destination.scheme == b"https://" else None)
        names = {name.lower() for name, _ in conf.set_headers}
        self.sets_length = b"content-length" in names
        self.sets_transfer = b"transfer-encoding" in names
        own: list[tuple[bytes, Any]] = [(b"Host", host_field(conf, destination))]
        own += [(name, value.shortest) for name, value in conf.set_headers if name.lower() != b"host"]
        replaced = preconditions.FIELDS if caching else ()
        own += [(name, value) for name, value in replaced if value and name.lower() not in names]
        self.own = own
        hidden = self.hidden = NEVER_PASSED.union(names, (name.lower() for name, _ in replaced))
        self.encoder = RequestEncoder(conf.http_minor, own, hidden, pass_headers=conf.pass_request_headers)

    def method(self, request: Request) -> bytes:
        if (
            self.cached
            and request.method == b"HEAD"
            and self.conf.cache_convert_head
            and request.upstream.entry is not None
        ):
            return b"GET"
        own = self.own_method
        method: bytes = request.method if own is None else own(request)
        return method

    def encode(self, exchange: Exchange) -> bytes:
        asking: PeerTry = exchange
        request = asking.request
        method = self.method(request)
        if not self.uri and request.valid_unparsed_uri and request.parent is None:
            target = request.head.get_target()  # as request_target() has it
        else:
            target = request_target(request, self.uri, self.location, self.whole)
        if not target:
            raise RequestRefused(500, b"zero length URI to proxy")
        asking.asked_uri = target
        body = None
        if self.own_body is not None:
            body = self.own_body(request)
            asking.pass_body = False
        length = len(body) if body is not None else body_length(asking)
        if length == CHUNKED:
            asking.frame = chunk
            if self.sets_transfer:
                length = -1
        elif self.sets_length:
            length = -1
        elif length > 0 and body is None and not asking.streaming:
            asking.owes_body = _comes(asking) < length
        return self.encoder.encode(request, request.head, method, target, length, body or b"")

    def reader(self, exchange: Exchange) -> ResponseReader:
        asking: PeerTry = exchange
        request = asking.request
        method = self.method(request)
        core = request.location.core
        return new_reader(method == b"HEAD", on_hints_of(request, self.conf) if core.early_hints else None)

    def streams_body(self, request: Request) -> bool:
        if self.own_body is not None:
            return False
        if request.head.chunked:
            return bool(self.conf.http_minor)
        return int(request.head.content_length) >= 0

    def cache_key(self, request: Request) -> bytes:
        """Without proxy_cache_key: what is asked for."""
        destination = self.destination
        host = destination.host if destination.port else destination.address + b":"
        return b"http://" + host + request_target(request, destination.uri, self.location, self.whole)


def body_length(exchange: PeerTry) -> Number:
    """Content-Length of what is sent: -1 for none, CHUNKED for a body whose length nobody knows yet."""
    request = exchange.request
    head = request.head
    if exchange.streaming:
        return CHUNKED if head.chunked else head.content_length
    if not exchange.settings.pass_request_body:
        return head.content_length
    if request.discarding:
        return min(0, request.length_left()) if exchange.codec.http2 else request.length_left()
    if request.parent is not None:
        return _of_subrequest(exchange)
    if head.chunked:
        return request.body.size if request.body is not None else 0
    return head.content_length


def _of_subrequest(exchange: PeerTry) -> Number:
    """What its main request was told of, as nginx has it, whether that was read or not (auth_request, mirror).

    With HTTP/2 a length that is not kept to is an error (RFC 9113, 8.1.1): there it is what is sent.
    """
    request = exchange.request
    head = request.head
    if head.chunked:
        body = request.main.body
        return body.size if body is not None and body is request.body else -1
    return _comes(exchange) if exchange.codec.http2 and head.content_length > 0 else head.content_length


def _comes(exchange: PeerTry) -> Number:
    """How much of a body that was read will be sent."""
    body = exchange.request.body
    return body.size if exchange.pass_body and body is not None else 0
