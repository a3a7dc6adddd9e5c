"""`proxy_ssl`: TLS between a relay and its upstream, as a part of the try."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway._fast.errors import TlsError
from gateway.core.lane import park
from gateway.core.proxy_header import header
from gateway.stream.module import CONNECTED, FAILED, INTERNAL_ERROR

if TYPE_CHECKING:
    from gateway.modules.stream.relay import Relay
    from gateway.upstream.exchange.tls import ClientTls
    from gateway.upstream.peers.peers import Peer

_TIMED_OUT: Final = OSError(errno.ETIMEDOUT, "")


async def secure(relay: Relay, tls: ClientTls, peer: Peer, wake: Callable[[], object]) -> int:
    """TLS over the connection that is there: CONNECTED when it is done. A PROXY protocol header goes before it."""
    from gateway.upstream.exchange.tls import failure_of

    session, lane, settings = relay.session, relay.lane, relay.settings
    plain = relay.stream
    assert plain is not None and relay.upstream is not None
    deadline = lane.now + settings.connect_timeout
    if settings.proxy_protocol:
        relay.header_sent = True
        plain.send(header(settings.proxy_protocol, session))
        while plain.pending and await park(deadline):
            pass
    host = relay.upstream.name
    try:
        stream = relay.stream = tls.secure(plain, session, host, peer.sockaddr)
    except TlsError as error:
        session.log("error", str(error).encode("utf-8", "surrogateescape"))
        return INTERNAL_ERROR
    session.action = b"SSL handshaking to upstream"
    stream.handler = wake
    try:
        while not stream.handshake():
            if not await park(deadline):
                session.log("error", b"upstream timed out", _TIMED_OUT)
                return FAILED
    except OSError as error:
        level, words, number = failure_of(error)
        session.log(level, words, number)
        return FAILED
    problem = tls.problem(stream.ssl, session, host)
    if problem is not None:
        session.log("error", problem)
        return FAILED
    return CONNECTED
