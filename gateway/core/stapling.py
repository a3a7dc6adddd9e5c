"""`ssl_stapling`: what the responder says of a server's certificate is sent along with it.

An answer is asked for when the first client wants it, and again before it ends. All workers have the same one: it is in
memory that they share, and one of them asks at a time.
"""

from __future__ import annotations

import base64
import mmap
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from gateway._fast import ocsp, tls_callbacks
from gateway._fast.errors import TlsError
from gateway.core.zones import LOCK_SIZE, Lock, Words

if TYPE_CHECKING:
    from gateway._fast.tls_context import Context
    from gateway._fast.x509 import Certificate, Chain
    from gateway.core.tls_settings import TlsConf

# An answer has some 500 bytes, and a few certificates at most.
_MOST: Final = 32768
_WORDS_AT: Final = -(-LOCK_SIZE // 64) * 64
_DATA_AT: Final = _WORDS_AT + 64
_VALID, _REFRESH, _LENGTH = range(3)

_AGAIN_S: Final = 300  # nobody is asked more often
_OFTEN_S: Final = 3600  # and everybody at least so often
_TIMEOUT_S: Final = 60.0


class Staple:
    """That of one certificate."""

    def __init__(self, context: Context, chain: Chain, responder: str, issuer: Certificate | None) -> None:
        self.context = context
        self.chain = chain
        self.responder = responder  # its URL; empty: nobody is asked
        self.issuer = issuer
        self.belief = ocsp.NOT_AT_ALL
        self._memory = mmap.mmap(-1, _DATA_AT + _MOST)
        self._lock = Lock(self._memory, 0, True)
        self._words = Words(self._memory, _WORDS_AT, 3)

    def set(self, data: bytes, valid: int, refresh: int) -> None:
        with self._lock:
            words = self._words
            words.store(_LENGTH, 0)
            self._memory[_DATA_AT : _DATA_AT + len(data)] = data
            words.store(_VALID, valid)
            words.store(_REFRESH, refresh)
            words.store(_LENGTH, len(data))

    def get(self, now: int) -> bytes | None:
        with self._lock:
            length = self._words.load(_LENGTH)
            if not length or self._words.load(_VALID) < now:
                return None
            return self._memory[_DATA_AT : _DATA_AT + length]

    def is_mine(self, now: int) -> bool:
        """Whether this worker shall ask now: the others wait for a while."""
        if not self.responder:
            return False
        due = self._words.load(_REFRESH)
        return due < now and self._words.cas(_REFRESH, due, now + _AGAIN_S)


class Staples:
    """Those of a context's certificates, in their order."""

    def __init__(self, staples: list[Staple | None]) -> None:
        self.staples = staples
        self.worker: Any = None  # once there is one
        self.resolver: Any = None
        self.resolver_timeout: float = 0.0

    def answer(self, index: int) -> bytes | None:
        """What OpenSSL asks (tls_callbacks.staple)."""
        staple = self.staples[index]
        if staple is None:
            return None
        now = int(time.time())
        data = staple.get(now)
        if self.worker is not None and staple.is_mine(now):
            self.worker.nursery.start_soon(self._refresh, staple)
        return data

    def begin(self, worker: Any) -> None:
        self.worker = worker

    async def _refresh(self, staple: Staple) -> None:
        """Ask the responder. Cancelled: another worker asks in a while."""
        from gateway.core.ocsp_client import OcspFailed, ask

        assert staple.issuer is not None
        subject = staple.chain.certificate()
        uri = quote(base64.b64encode(ocsp.question(subject, staple.issuer)).decode(), safe="")
        whom = f'responder: {staple.responder}, certificate: "{staple.chain.name}"'
        try:
            data = await ask(staple.responder, uri, self.resolver, self.resolver_timeout, _TIMEOUT_S)
            status, words, valid = ocsp.answer(
                staple.context, data, subject, staple.issuer, staple.chain, staple.belief
            )
            if status != ocsp.GOOD:
                raise TlsError(f'certificate status "{words}" in the OCSP response')
            if len(data) > _MOST:
                raise TlsError("OCSP response is too large")
        except (OcspFailed, TlsError) as error:
            words = f"{error} while requesting certificate status, {whom}"
            self.worker.log("error", words.encode("utf-8", "surrogateescape"))
            return
        now = int(time.time())
        staple.set(data, valid, max(min(valid - _AGAIN_S, now + _OFTEN_S), now + _AGAIN_S))


def make(conf: TlsConf, context: Context, warn: Any) -> Staples:
    """Of a server with `ssl_stapling on`. Errors: TlsError, for a file that cannot be used."""
    made: list[Staple | None] = []
    for chain in context.chains:
        staple: Staple | None
        if conf.stapling_file:
            staple = Staple(context, chain, "", None)
            staple.set(_read(conf.stapling_file), ocsp.FOREVER, ocsp.FOREVER)
        else:
            staple = _asking(conf, context, chain, warn)
        made.append(staple)
    staples = Staples(made)
    tls_callbacks.staple(context, staples)
    return staples


def _asking(conf: TlsConf, context: Context, chain: Chain, warn: Any) -> Staple | None:
    certificate = chain.certificate()
    issuer = chain.issuer() or ocsp.issuer_in(context, certificate)
    if issuer is None:
        warn(f'"ssl_stapling" ignored, issuer certificate not found for certificate "{chain.name}"')
        return None
    responder = conf.stapling_responder or next(iter(ocsp.responders(certificate)), "")
    if not responder:
        warn(f'"ssl_stapling" ignored, no OCSP responder URL in the certificate "{chain.name}"')
        return None
    if not responder.lower().startswith("http://"):
        words = f'invalid URL prefix in OCSP responder "{responder}" in the certificate "{chain.name}"'
        warn(f'"ssl_stapling" ignored, {words}')
        return None
    staple = Staple(context, chain, responder, issuer)
    staple.belief = ocsp.BY_CHAIN if conf.stapling_verify else ocsp.NOT_AT_ALL
    return staple


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as opened:
            data = opened.read(_MOST + 1)
    except OSError as error:
        raise TlsError(f'BIO_new_file("{path}") failed ({error.errno}: {error.strerror})', "stapling_file") from None
    if len(data) > _MOST or not ocsp.is_response(data):
        raise TlsError(f'd2i_OCSP_RESPONSE_bio("{path}") failed', "stapling_file")
    return data
