"""`ssl_ocsp`: whether a client's certificate, and those between it and its authority, were revoked.

A responder is asked while the client's handshake waits; what it says is kept for all workers in the zone of
`ssl_ocsp_cache`, if there is one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from gateway._fast import ocsp, x509
from gateway._fast.errors import TlsError
from gateway.core.ocsp_cache import OcspCache
from gateway.core.tls_settings import LEAF

if TYPE_CHECKING:
    from gateway._fast.tls_context import Context
    from gateway._fast.tls_engine import Engine
    from gateway._fast.x509 import Certificate, Chain
    from gateway.core.tls_settings import TlsConf

_TIMEOUT_S: Final = 60.0
_FAILED: Final = "certificate status request failed"
_REVOKED: Final = 1  # V_OCSP_CERTSTATUS_REVOKED


class ClientOcsp:
    """That of one server."""

    def __init__(self, conf: TlsConf, context: Context) -> None:
        self.conf = conf
        self.context = context
        self.resolver: Any = None
        self.resolver_timeout: float = 0.0

    def concerns(self, engine: Engine) -> bool:
        """Whether there is a certificate, and nothing else is wrong with it."""
        return engine.peer_certificate() is not None and engine.verify_result() == 0

    def begin(self, engine: Engine, worker: Any, done: Callable[[], None]) -> None:
        """Find out, then call `done`: engine.ocsp_problem says what is wrong."""
        worker.nursery.start_soon(self._validate, engine, worker, done)

    async def _validate(self, engine: Engine, worker: Any, done: Callable[[], None]) -> None:
        chain = engine.verified_chain()
        if not chain:
            chain = _rebuilt(self.context, engine)
        known = x509.load_chain("data:" + b"".join([one.pem() for one in chain]).decode())
        problem = ""
        # the last one is the authority that we trust
        for index, subject in enumerate(chain[:-1]):
            problem = await self._problem(subject, chain[index + 1], known, worker)
            if problem or self.conf.ocsp == LEAF:
                break
        engine.ocsp_problem = problem
        done()

    async def _problem(self, subject: Certificate, issuer: Certificate, known: Chain, worker: Any) -> str:
        cache = self.conf.ocsp_cache.used_by(OcspCache) if self.conf.ocsp_cache is not None else None
        question = ocsp.question(subject, issuer)
        key = hashlib.sha1(question + subject.der(), usedforsecurity=False).digest()
        status: int | None = cache.find(key) if cache is not None else None
        if status is None:
            try:
                status, valid = await self._ask(subject, issuer, known, question)
            except (TlsError, OSError) as error:
                name = subject.subject().decode("utf-8", "replace")
                text = f'{error} while requesting certificate status, certificate: "{name}"'
                worker.log("error", text.encode("utf-8", "surrogateescape"))
                return _FAILED
            if cache is not None and valid != ocsp.FOREVER:
                cache.add(key, status, valid)
        if status == ocsp.GOOD:
            return ""
        return "certificate revoked" if status == _REVOKED else "certificate status unknown"

    async def _ask(
        self, subject: Certificate, issuer: Certificate, known: Chain, question: bytes
    ) -> tuple[int, int]:
        from gateway.core.ocsp_client import OcspFailed, ask

        url = self.conf.ocsp_responder or next(iter(ocsp.responders(subject)), "")
        if not url:
            raise TlsError("no OCSP responder URL in the certificate")
        if not url.lower().startswith("http://"):
            raise TlsError(f'invalid URL prefix in OCSP responder "{url}"')
        uri = quote(base64.b64encode(question).decode(), safe="")
        try:
            data = await ask(url, uri, self.resolver, self.resolver_timeout, _TIMEOUT_S)
        except OcspFailed as error:
            raise TlsError(f"{error}, responder: {url}") from None
        status, _, valid = ocsp.answer(self.context, data, subject, issuer, known, ocsp.BY_AUTHORITIES)
        return status, valid


def _rebuilt(context: Context, engine: Engine) -> list[Certificate]:
    """Of a session that was resumed: the certificate alone is known, and the authorities that we have."""
    found: list[Certificate] = []
    subject = engine.peer_certificate()
    while subject is not None and len(found) < 10:
        found.append(subject)
        subject = None if subject.subject() == subject.issuer() else ocsp.issuer_in(context, subject)
    return found
