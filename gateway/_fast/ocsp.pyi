"""OCSP: what is asked of a responder, and what its answer says."""

from gateway._fast.tls_context import Context
from gateway._fast.x509 import Certificate, Chain

GOOD: int
FOREVER: int
NOT_AT_ALL: int
BY_AUTHORITIES: int
BY_CHAIN: int

def responders(subject: Certificate) -> list[str]: ...
def issuer_in(context: Context, subject: Certificate) -> Certificate | None: ...
def question(subject: Certificate, issuer: Certificate) -> bytes: ...
def is_response(data: bytes) -> bool: ...
def answer(
    context: Context, data: bytes, subject: Certificate, issuer: Certificate, chain: Chain | None, belief: int
) -> tuple[int, str, int]: ...
