"""An answer whose head or body breaks HTTP's rules: which rule, and where such a thing is usually made."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family

_DUPLICATE: Final = re.compile(rb'upstream sent duplicate header line: "([^:"]*)')
_CODING: Final = b'upstream sent unknown "Transfer-Encoding"'
_BOTH: Final = b'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time'
_CHUNKED: Final = b"upstream sent invalid chunked response"
_LENGTH: Final = b'upstream sent invalid "Content-Length" header'


def _kind(failure: Failure) -> str:
    found = _DUPLICATE.match(failure.message)
    return found[1].decode("latin-1") if found else failure.message[:40].decode("latin-1")


def _key(failure: Failure) -> Hashable:
    return failure.peer, _kind(failure)


def _text(failure: Failure) -> str:
    message = failure.message
    if message.startswith(_BOTH):
        return (
            "a body has one length (RFC 9112, 6.2), and two are how requests are smuggled: the application sets one of "
            "the two although its server does so: let it leave Transfer-Encoding and Connection to its server"
        )
    if message.startswith(_CODING):
        return (
            "the only coding that is taken from an upstream is chunked, as with nginx: an application does not set "
            "Transfer-Encoding itself (compressed is what Content-Encoding says)"
        )
    if message.startswith(_CHUNKED):
        return (
            "the head promises chunks (RFC 9112, 7.1), and what follows are none: the application sets "
            "Transfer-Encoding: chunked itself and writes its body plainly, or somebody else writes there, too"
        )
    if message.startswith(_LENGTH):
        return "Content-Length is a number of bytes and nothing else: the application sets it to something that is none"
    name = _kind(failure)
    return (
        f"{name} stands in the head of the answer twice, which it may not: two of the application, its framework, "
        f"a middleware, and its server set {name} (often one was passed on from elsewhere): leave it to one"
    )


FAMILY: Final = Family((b"upstream sent duplicate header line", _BOTH, _CODING, _CHUNKED, _LENGTH), _key, _text)
