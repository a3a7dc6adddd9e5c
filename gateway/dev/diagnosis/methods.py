"""HTTP methods as a uwsgi server misreads them: the second and third letter are the size of its block."""

from __future__ import annotations

from typing import Final

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PROPFIND")
_MISREAD: Final = {int.from_bytes(method[1:3].encode(), "little"): method for method in _METHODS}


def misread_method(size: int) -> str | None:
    """`"ET" of GET` for 21573: what uWSGI's "invalid request block size" really was."""
    method = _MISREAD.get(size)
    return f'"{method[1:3]}" of {method}' if method else None
