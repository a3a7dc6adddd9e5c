"""A WSGI application that says what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

SHOWN = (
    "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH", "CONTENT_TYPE", "SERVER_PROTOCOL",
    "REMOTE_ADDR", "HTTP_X_A", "HTTP_COOKIE", "HTTP_ACCEPT",
)  # fmt: skip


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    query = environ.get("QUERY_STRING", "")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else b""
    if query.startswith("big"):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (bytes([65 + n % 26]) * 10000 for n in range(50))
    if query.startswith("status="):
        fields = [("Content-Type", "text/html"), ("X-Own", "1"), ("Set-Cookie", "a=b")]
        start_response(query[7:].replace("+", " "), fields)
        return [b"own page"]
    if query.startswith("redirect"):
        start_response("302 Found", [("Location", "http://example.org/there")])
        return []
    text = "".join(f"{name}={environ.get(name)!r}\n" for name in SHOWN).encode() + body
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
