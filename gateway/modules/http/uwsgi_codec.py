"""The uwsgi protocol with the settings of one location: the packet of a request, and what reads the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.config.text import to_bytes
from gateway.protocol.cgi import PlainReader, Reader
from gateway.protocol.uwsgi import MAX_SIZE, PacketEncoder
from gateway.upstream.exchange.codec import Codec, RequestRefused
from gateway.upstream.exchange.params import params_of
from gateway.upstream.exchange.peer_try import PeerTry

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.modules.http.uwsgi import LocationConf
    from gateway.upstream.exchange.tls import ClientTls

SECURE: Final = b"suwsgi://"


class UwsgiCodec(Codec):
    """Compiled with the types of uwsgi_codec.pxd: an attribute has its line there too."""

    def __init__(self, conf: LocationConf, *, caching: bool = False, tls: ClientTls | None = None) -> None:
        Codec.__init__(self, b"uwsgi://" if tls is None else SECURE, tls)
        self.encoder = PacketEncoder(
            params_of(conf, caching=caching),
            modifier1=conf.modifier1,
            modifier2=conf.modifier2,
            pass_headers=conf.pass_request_headers,
            tail=to_bytes(conf.string),
        )

    def encode(self, exchange: Any) -> bytes:
        if isinstance(exchange, PeerTry):
            asking: PeerTry = exchange
            request = asking.request
        else:
            request = exchange.request  # of a health check
        try:
            return self.encoder.encode(request, request.head)
        except OverflowError as error:
            message = b"uwsgi request is too big: %d, the protocol allows %d bytes" % (error.args[0], MAX_SIZE)
            raise RequestRefused(431, message) from None

    def reader(self, exchange: Any) -> Reader:
        return PlainReader("uwsgi")

    def streams_body(self, request: Request) -> bool:
        # The application wants CONTENT_LENGTH first: a chunked body is read to its end before.
        return request.head.content_length >= 0 and not request.head.chunked
