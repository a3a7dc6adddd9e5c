"""User and password of Basic authentication (RFC 7617), as nginx's ngx_http_auth_basic_user takes them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.passwords import decode_base64

if TYPE_CHECKING:
    from gateway.http.request import Request


def credentials(request: Request) -> tuple[bytes, bytes] | None:
    """Of Authorization, or Proxy-Authorization where a tunnel is asked for; None if there are none."""
    return parse_credentials(given_credentials(request))


def given_credentials(request: Request) -> bytes | None:
    """The field that they stand in."""
    if request.method == b"CONNECT":
        return request.head.get(b"proxy-authorization")
    return request.head.get_authorization()


def parse_credentials(value: bytes | None) -> tuple[bytes, bytes] | None:
    if value is None or value[:6].lower() != b"basic ":
        return None
    decoded = decode_base64(value[6:].lstrip(b" "))
    if decoded is None:
        return None
    user, colon, password = decoded.partition(b":")
    return (user, password) if user and colon else None
