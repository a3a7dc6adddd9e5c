"""The $ssl_… variables, of requests and sessions alike: what is known of the client's TLS, and of its certificate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway._fast import uri
from gateway._fast.openssl import verify_error_text
from gateway._fast.x509 import seconds
from gateway.core.variables import Getter, Variable

if TYPE_CHECKING:
    from gateway._fast.tls_engine import Engine
    from gateway._fast.x509 import Certificate

_DAY: Final = 86400


def engine_of(request: Any) -> Engine | None:
    """The TLS of the connection that a request came on, or of a session; None without TLS."""
    return getattr(request.connection.stream, "ssl", None)


def _of(get: Callable[[Engine], bytes | None]) -> Getter:
    """A variable that there is only with TLS."""

    def value(request: Any) -> bytes | None:
        engine = engine_of(request)
        return get(engine) or None if engine is not None else None

    return value


def _of_certificate(get: Callable[[Certificate], bytes]) -> Getter:
    """A variable that there is only with a client's certificate."""

    def value(request: Any) -> bytes | None:
        engine = engine_of(request)
        certificate = engine.peer_certificate() if engine is not None else None
        return get(certificate) if certificate is not None else None

    return value


def _verify(request: Any) -> bytes | None:
    engine = engine_of(request)
    if engine is None:
        return None
    if engine.peer_certificate() is None:
        return b"NONE"
    problem = engine.verify_result()
    if problem:
        return b"FAILED:" + verify_error_text(problem).encode()
    return b"FAILED:" + engine.ocsp_problem.encode() if engine.ocsp_problem else b"SUCCESS"


def _remain(certificate: Certificate) -> bytes:
    """Whole days."""
    text = certificate.not_after().decode()
    try:
        end = seconds(text)
    except ValueError:
        return b""
    return b"%d" % max((end - int(time.time())) // _DAY, 0)


VARIABLES: Final = (
    *(
        Variable(f"ssl_{name}", _of(get), changeable=True)
        for name, get in (
            ("protocol", lambda e: e.version()),
            ("cipher", lambda e: e.cipher()),
            ("ciphers", lambda e: e.ciphers()),
            ("curve", lambda e: e.curve()),
            ("curves", lambda e: e.curves()),
            ("sigalg", lambda e: e.sigalg()),
            ("sigalgs", lambda e: e.sigalgs()),
            ("session_id", lambda e: e.session_id()),
            ("session_reused", lambda e: b"r" if e.session_reused else b"."),
            ("server_name", lambda e: e.server_name()),
            ("alpn_protocol", lambda e: e.alpn_protocol()),
            ("client_sigalg", lambda e: e.peer_sigalg()),
            # of OpenSSL 4.0
            ("ech_status", lambda e: None),
            ("ech_outer_server_name", lambda e: None),
        )
    ),
    Variable("ssl_client_verify", _verify, changeable=True),
    *(
        Variable(f"ssl_client_{name}", _of_certificate(get), changeable=True)
        for name, get in (
            ("cert", lambda c: c.pem()[:-1].replace(b"\n", b"\n\t")),
            ("raw_cert", lambda c: c.pem()),
            ("escaped_cert", lambda c: uri.escape(c.pem(), "uri_component")),
            ("s_dn", lambda c: c.subject()),
            ("i_dn", lambda c: c.issuer()),
            ("serial", lambda c: c.serial()),
            ("fingerprint", lambda c: c.fingerprint()),
            ("v_start", lambda c: c.not_before()),
            ("v_end", lambda c: c.not_after()),
            ("v_remain", _remain),
        )
    ),
)

# Those that http alone has.
HTTP_VARIABLES: Final = (
    *VARIABLES,
    Variable("ssl_early_data", _of(lambda e: b"1" if e.handshaking else None), changeable=True),
    Variable("ssl_client_s_dn_legacy", _of_certificate(lambda c: c.subject_legacy()), changeable=True),
    Variable("ssl_client_i_dn_legacy", _of_certificate(lambda c: c.issuer_legacy()), changeable=True),
)
