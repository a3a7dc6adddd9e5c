"""The name of an SMTP client's address, which the address has to be one of: found by the server's resolver."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway.core.lane import current_fibre, park
from gateway.core.resolver import Lookup, words_of
from gateway.protocol import dns

if TYPE_CHECKING:
    from gateway.mail.session import Session

# What stands for a name, in the words of XCLIENT.
UNAVAILABLE: Final = b"[UNAVAILABLE]"
TEMPORARY: Final = b"[TEMPUNAVAIL]"
# RFC 1034, 3.5; what another name server says goes on to auth_http and the mail server.
_LETTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.")


async def find_host(session: Session) -> None:
    """Set the session's host."""
    resolver = session.server.resolver
    host = session.peer[0]
    if resolver is None:
        session.host = UNAVAILABLE
        return
    if host.startswith(b"unix:"):
        session.host = TEMPORARY
        return
    session.action = b"in resolving client address"
    address = host.decode("ascii")
    found = await _wait(session, lambda wake: resolver.look_up_address(address, wake))
    if found.code:
        session.log("error", b"%b could not be resolved (%b)" % (host, words_of(found.code).encode()))
        session.host = _no_name(found)
        return
    name = found.names[0]
    if not name or not _LETTERS.issuperset(name):
        session.log("error", b'%b resolved to invalid host name "%b"' % (host, name))
        session.host = TEMPORARY
        return
    session.action = b"in resolving client hostname"
    found = await _wait(session, lambda wake: resolver.look_up(name, wake))
    if found.code:
        session.log("error", b'"%b" could not be resolved (%b)' % (name, words_of(found.code).encode()))
        session.host = _no_name(found)
    else:
        session.host = name if address in found.hosts else UNAVAILABLE


def _no_name(found: Lookup) -> bytes:
    return UNAVAILABLE if found.code == dns.NXDOMAIN else TEMPORARY


async def _wait(session: Session, begin: Callable[[Callable[[], object]], Lookup]) -> Lookup:
    """A lookup that is done."""
    fibre = current_fibre()
    assert fibre is not None
    lookup = begin(fibre.wake)
    timeout_s: float = session.server.resolver_timeout
    deadline = session.lane.now + timeout_s if timeout_s else 0.0
    try:
        while not lookup.done and await park(deadline):
            pass
        lookup.time_out()
    finally:
        lookup.cancel()
    return lookup
