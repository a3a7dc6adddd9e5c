"""TLS of a mail client: at once on a `listen … ssl`, or when it asks for it. Loaded by what uses TLS alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway._fast.openssl import verify_error_text
from gateway._fast.tls import TlsStream
from gateway.core.tls import is_ordinary, words_of
from gateway.core.tls_settings import ON
from gateway.mail.session import Gone

if TYPE_CHECKING:
    from gateway._fast.tls_engine import Engine
    from gateway.mail.session import Session


async def shake_hands(session: Session, deadline: float) -> bytes:
    """Put TLS over the client's connection: what to tell it if its certificate is not what we want, else nothing.

    Errors: Gone, when the handshake failed.
    """
    tls = session.server.tls
    assert tls is not None and tls.context is not None
    early, session.early = session.early, b""
    stream = TlsStream(session.stream, tls.context, early)
    session.stream = stream
    stream.ssl.alpn = tls.alpn
    try:
        while not stream.handshake():
            if not await stream.wait_readable(deadline):
                raise Gone
    except OSError as error:
        words, number = words_of(error)
        session.log("info" if is_ordinary(error) else "crit", words, number)
        raise Gone from None
    return _check(session, stream.ssl)


def _check(session: Session, engine: Engine) -> bytes:
    """The client's certificate, as the server wants it."""
    tls = session.server.tls
    if tls is None or not tls.verify:
        return b""
    protocol = session.server.protocol
    problem = tls.problem(engine)
    if problem:
        session.log("info", f"client SSL certificate verify error: ({problem}:{verify_error_text(problem)})")
        engine.forget_session()
        return protocol.certificate_error
    if tls.verify == ON and engine.peer_certificate() is None:
        session.log("info", "client sent no required SSL certificate")
        engine.forget_session()
        return protocol.no_certificate
    return b""
