"""The TLS of a server block as http asks it: what a client's certificate has to be for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway._fast.openssl import verify_error_text
from gateway.core.tls_settings import ON
from gateway.core.tls_variables import engine_of
from gateway.http.status import CERT_ERROR, NO_CERT

if TYPE_CHECKING:
    from gateway.core.tls_server import ServerTls
    from gateway.http.request import Request

MISDIRECTED = 421


def check(tls: ServerTls, request: Request) -> int | None:
    """What is wrong with the client's certificate: a status, None if it may ask."""
    if not tls.verify:
        return None
    connection = request.connection
    handshake = connection.handshake
    if handshake is not None and handshake.name is not None and request.host != handshake.name:
        words = b"client attempted to request the server name different from the one that was negotiated"
        request.log("info", words)
        return MISDIRECTED
    engine = engine_of(request)
    if engine is None:
        return None
    problem = tls.problem(engine)
    if problem:
        request.log("info", f"client SSL certificate verify error: ({problem}:{verify_error_text(problem)})")
        engine.forget_session()
        return CERT_ERROR
    if tls.verify == ON and engine.peer_certificate() is None:
        request.log("info", b"client sent no required SSL certificate")
        engine.forget_session()
        return NO_CERT
    if engine.ocsp_problem:
        request.log("info", f"client SSL certificate verify error: {engine.ocsp_problem}")
        engine.forget_session()
        return CERT_ERROR
    return None
