"""TLS of a session with its client, on a `listen … ssl`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway._fast.host import validate_host
from gateway._fast.tls import TlsStream
from gateway.core.lane import current_fibre, park
from gateway.core.tls import is_ordinary, words_of
from gateway.core.tls_settings import ON
from gateway.stream.module import INTERNAL_ERROR, OK, Result

if TYPE_CHECKING:
    from gateway._fast.tls_engine import Engine
    from gateway.core.tls_server import ServerTls
    from gateway.stream.session import Session


class Handshake:
    """Answers what OpenSSL asks (core.tls_server.Chooser)."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session

    def choose(self, engine: Engine, name: bytes | None) -> int:
        session = self.session
        checked = validate_host(name) if name else None
        if checked is not None:
            session.switch(session.address.names.find(checked[0], session))
        tls: ServerTls | None = session.server.tls
        if tls is None:
            return 0
        engine.alpn = tls.alpn
        return tls.accept(engine)

    def prove(self, engine: Engine, name: bytes) -> None:
        """Names of the stream block are nobody's at an authority."""

    def certify(self, engine: Engine) -> bool:
        session = self.session
        tls: Any = session.server.tls
        if tls is None or tls.context is None:
            tls = session.address.server.tls
        try:
            tls.certify(engine, session, session.lane.now)
        except ValueError as error:
            session.log("error", str(error).encode("utf-8", "surrogateescape"))
            return False
        return True


async def shake_hands(session: Session, timeout_s: float) -> Result:
    """The phase: put TLS over the client's connection, and look at its certificate."""
    session.action = b"SSL handshaking"
    tls: ServerTls = session.server.tls
    assert tls.context is not None
    if isinstance(session.stream, TlsStream):
        return _check(session, session.stream.ssl)  # of the socket that has passed it on
    if session.server.core.tcp_nodelay and not session.peer[0].startswith(b"unix:"):
        session.stream.nodelay()
    early, session.buffer = session.buffer, b""
    stream = TlsStream(session.stream, tls.context, early)
    session.stream = stream
    engine = stream.ssl
    engine.alpn = tls.alpn
    engine.chooser = Handshake(session)
    deadline = session.lane.now + timeout_s
    try:
        while not stream.handshake():
            if not await stream.wait_readable(deadline):
                return INTERNAL_ERROR
    except OSError as error:
        words, number = words_of(error)
        session.log("info" if is_ordinary(error) else "crit", words, number)
        return INTERNAL_ERROR
    finally:
        engine.chooser = None
    chosen = session.server.tls
    if chosen is not None and chosen.ocsp is not None and chosen.ocsp.concerns(engine):
        fibre = current_fibre()
        assert fibre is not None
        done: list[bool] = []

        def go_on() -> None:
            done.append(True)
            fibre.wake()

        chosen.ocsp.begin(engine, session.worker, go_on)
        while not done:
            await park(0.0)
    return _check(session, engine)


def _check(session: Session, engine: Engine) -> Result:
    """The client's certificate, as the server that it asked for wants it."""
    tls: ServerTls | None = session.server.tls
    if tls is None or not tls.verify:
        return OK
    from gateway._fast.openssl import verify_error_text

    problem = tls.problem(engine)
    if problem:
        text = f"client SSL certificate verify error: ({problem}:{verify_error_text(problem)})"
    elif tls.verify == ON and engine.peer_certificate() is None:
        text = "client sent no required SSL certificate"
    elif engine.ocsp_problem:
        text = f"client SSL certificate verify error: {engine.ocsp_problem}"
    else:
        return OK
    session.log("info", text)
    engine.forget_session()
    return INTERNAL_ERROR
