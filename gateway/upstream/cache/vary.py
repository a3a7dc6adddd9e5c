"""Which variant of an answer a request asks for: a hash of the fields that the answer's Vary names."""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.http.request import Request

# Lists whose spaces are of no account.
_NORMALIZED: Final = frozenset({b"accept-charset", b"accept-encoding", b"accept-language"})


def _words(text: bytes) -> list[bytes]:
    return text.replace(b",", b" ").split(b" ")


def variant(request: Request, main: bytes, vary: bytes) -> bytes:
    """The secondary key of this request's variant of the answer with the key `main` (ngx_http_file_cache_vary)."""
    parts = [main]
    for name in filter(None, _words(vary.lower())):
        values = [value for field, value in request.head.fields() if field.lower() == name]
        if name in _NORMALIZED:
            values = [word for value in values for word in _words(value) if word]
        parts += (name, b":", b",".join(values), b"\r\n")
    return md5(b"".join(parts), usedforsecurity=False).digest()
