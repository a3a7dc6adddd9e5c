"""HTTP/2 towards upstreams as proxy speaks it: `proxy_http_version 2`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.modules.http.proxy_codec import ProxyCodec, body_length
from gateway.upstream.exchange.codec import RequestRefused
from gateway.upstream.exchange.hints import on_hints_of
from gateway.upstream.exchange.http2 import new_reader
from gateway.upstream.exchange.http2_fields import Fields, request_block
from gateway.upstream.exchange.http_target import request_target

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader
    from gateway.upstream.exchange.exchange import Exchange
    from gateway.upstream.exchange.peer_try import PeerTry

# Of a connection of HTTP/1, whoever sets them (RFC 9113, 8.2.2).
_HTTP1_ONLY: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))


class Http2ProxyCodec(ProxyCodec):
    def __init__(self, *args: Any, **options: Any) -> None:
        ProxyCodec.__init__(self, *args, **options)
        self.http2 = True

    def encode(self, exchange: Exchange) -> bytes:
        asking: PeerTry = exchange
        request = asking.request
        target = request_target(request, self.uri, self.location, self.whole)
        if not target:
            raise RequestRefused(500, b"zero length URI to proxy")
        if self.own_body is not None:
            body: bytes = self.own_body(request)
            asking.pass_body = False
            asking.body = [body] if body else []
            length = len(body)
        else:
            length = body_length(asking)
        authority = b""
        fields: Fields = []
        for name, value in self.own:
            text = value if isinstance(value, bytes) else value(request)
            lower = name.lower()
            if lower == b"host":
                authority = text
            elif text and lower not in _HTTP1_ONLY:
                fields.append((name, text))
        if self.sets_length:
            length = -1
        secure = self.destination.scheme == b"https://"
        passed = request.head if self.conf.pass_request_headers else None
        authority = authority or self.destination.host
        return request_block(
            self.method(request), secure, target, authority, fields, passed, self.hidden, length
        )

    def reader(self, exchange: Exchange) -> Reader:  # type: ignore[override]
        asking: PeerTry = exchange
        request = asking.request
        hints = on_hints_of(request, self.conf) if request.location.core.early_hints else None
        reader = new_reader(self.method(request) == b"HEAD", hints)
        reader.sizes_none = False
        return reader

    def streams_body(self, request: Request) -> bool:
        return self.own_body is None
