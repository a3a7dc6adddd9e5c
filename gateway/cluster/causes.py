"""What is wrong with the store, in a sentence that says what to write: for the error log."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.cluster.address import StoreAddress

# What the store or a library says, and what to do about it.
_CAUSES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (r"HELLO must be called|Authentication required|NOAUTH", 'it wants a password: "password_file=FILE"'),
        (r"invalid username-password|without any password configured", "the user of the URL or the password is wrong"),
        (r"no permissions", 'its ACL for this user must have "~PREFIX:* +@all -@dangerous"'),
        (r"unknown command .?HELLO|NOPROTO|protocol version", "it is too old: Redis 6 and any Valkey will do"),
        (r"unknown command .?(EVAL|SCRIPT)", "scripts are forbidden there, and nothing goes without them"),
        (r"Unknown RESP data type", "what listens there is neither Valkey nor Redis"),
        (r"mismatch, certificate|doesn't match", "its certificate is for another name than the host of the URL"),
        (r"CERTIFICATE_VERIFY_FAILED", 'who signed its certificate is not known: "trusted_certificate=FILE"'),
        (r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE", "it speaks no TLS there: redis:// is without"),
        (r"NO_CERTIFICATE_OR_CRL_FOUND", '"trusted_certificate" has no certificate'),
        (r"^MOVED|Hash slot not served", "it is part of a cluster"),
        (r"at least one reachable node", "none of the hosts can be reached, or it is no cluster, but a single server"),
        (r"slots are covered", "the cluster is not whole"),
        (r"OOM command", "its memory is full"),
    )
)


def said(error: BaseException) -> str:
    """An error's words, or those of what is behind it: libraries say "connection failed" and keep the reason."""
    seen = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, TimeoutError) or type(found).__name__ == "Cancelled":  # its time was over
            return "no answer in time"
        if isinstance(found, ssl.SSLError):
            return str(found).partition(" (_ssl.c")[0]
        if isinstance(found, OSError) and found.errno is not None and found.strerror:
            return f"{found.strerror} ({found.errno})"
        inner = found.__cause__ or found.__context__
        found = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else inner
    text = str(error)
    if type(error).__name__ in ("MovedError", "AskError"):
        return f"MOVED {text}"  # of a slot, which is all that the text says
    return text or type(error).__name__


def explained(text: str, address: StoreAddress) -> str:
    """The words with what to do, where that is known."""
    for pattern, advice in _CAUSES:
        if pattern.search(text):
            if advice.endswith("a cluster") and address.kind != "cluster":
                advice += ": redis+cluster://HOST,HOST finds the right node"
            return f"{text} ({advice})"
    if address.kind != "unix" and re.search(r"no answer in time|Connection lost|Connection reset", text):
        other = "redis:// is without" if address.tls else "rediss:// is with"
        return f"{text} (if it speaks {'no ' if address.tls else ''}TLS there: {other})"
    return text
