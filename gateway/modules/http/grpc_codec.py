"""HTTP/2 towards upstreams as gRPC has it: the fields of a request, and what reads the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast import uri as uri_grammar
from gateway.http.common_variables import content_length
from gateway.upstream.exchange.codec import NEVER_PASSED, Codec
from gateway.upstream.exchange.hints import on_hints_of
from gateway.upstream.exchange.http2 import new_reader
from gateway.upstream.exchange.http2_fields import Fields, request_block
from gateway.upstream.exchange.pass_target import strip_scheme
from gateway.upstream.peers.address import parse_target

if TYPE_CHECKING:
    from gateway._fast.request_head import RequestHead
    from gateway.http.request import Request
    from gateway.modules.http.grpc import LocationConf
    from gateway.protocol.cgi import Reader
    from gateway.upstream.exchange.exchange import Exchange
    from gateway.upstream.exchange.peer_try import PeerTry
    from gateway.upstream.exchange.tls import ClientTls

SCHEMES: Final = (b"grpc://",)
SECURE: Final = b"grpcs://"


class GrpcCodec(Codec):
    """HTTP/2 with the settings of one location. Compiled with the types of grpc_codec.pxd."""

    def __init__(self, conf: LocationConf, tls: ClientTls | None = None) -> None:
        Codec.__init__(self, b"grpc://" if tls is None else SECURE, tls)
        self.http2 = True
        self.conf = conf
        names = {name.lower() for name, _ in conf.set_headers}
        self.sets_length = b"content-length" in names
        self.sets_te = b"te" in names
        self.own: list[tuple[bytes, bytes, Any]] = [
            (name.lower(), name, value.shortest) for name, value in conf.set_headers
        ]
        self.hidden = frozenset(NEVER_PASSED | names)
        target = conf.authority
        assert target is not None
        self.target = None if target.constant is not None else target
        self.constant = b"" if target.constant is None else authority_of(target.constant)

    def encode(self, exchange: Exchange) -> bytes:
        asking: PeerTry = exchange
        request = asking.request
        head = request.head
        authority, fields = self.own_fields(request)
        length = -1 if self.sets_length else head.content_length
        if head.chunked and not self.sets_length:
            known = content_length(request)
            length = -1 if known is None else int(known)
        trailers = not self.sets_te and asks_for_trailers(head)
        secure = self.tls is not None
        target = _target(request)
        hidden = self.hidden
        return request_block(request.method, secure, target, authority, fields, head, hidden, length, trailers)

    def own_fields(self, request: Request) -> tuple[bytes, Fields]:
        """The authority, and what `grpc_set_header` adds."""
        authority = b""
        fields: Fields = []
        for lower, name, value in self.own:
            text = value if isinstance(value, bytes) else value(request)
            if lower == b"host":
                authority = text
            elif text:
                fields.append((name, text))
        if not authority:
            authority = self.constant if self.target is None else authority_of(self.target(request))
        return authority, fields

    def reader(self, exchange: Exchange) -> Reader:
        asking: PeerTry = exchange
        request = asking.request
        hints = on_hints_of(request, self.conf) if request.location.core.early_hints else None
        return new_reader(request.method == b"HEAD", hints)

    def streams_body(self, request: Request) -> bool:
        return True


def asks_for_trailers(head: RequestHead) -> bool:
    te = head.get_te()
    return te is not None and (te == b"trailers" or b"trailers" in te.lower())


def authority_of(text: bytes) -> bytes:
    """Host and port of a target as they stand there."""
    text = strip_scheme(text, (*SCHEMES, SECURE))
    if text[:5].lower() == b"unix:":
        return b"localhost"
    try:
        target = parse_target(text)
    except ValueError:
        return text
    return target.host if target.no_port else b"%b:%d" % (target.host, target.port)


def _target(request: Request) -> bytes:
    if request.valid_unparsed_uri and request.parent is None:
        return request.head.get_target()
    path = uri_grammar.escape(request.uri, "uri")
    return path + b"?" + request.args if request.args else path
