"""Who may not look at a dashboard, or change something there: the pages of other sites in a browser that may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.text import to_str
from gateway.http.common_variables import host_and_port

if TYPE_CHECKING:
    from gateway.http.request import Request

_LOOPBACK = (b"127.", b"::1", b"::ffff:127.")


def refused(request: Request) -> str | None:
    """Why, if a browser says that the page of another site asks, or if such a page may have made itself ours."""
    if _from_elsewhere(request):
        return "dashboard: the page of another site asks"
    if _by_a_strange_name(request):
        name = to_str(request.host)
        return (
            f'dashboard: "{name}" is no server_name of this server, and a page of another site may have had its name'
            " lead to this machine; ask for localhost or the address, or add the name to server_name"
        )
    return None


def _from_elsewhere(request: Request) -> bool:
    origin = request.head.get(b"origin")
    if origin is not None:
        return origin.lower() != b"%b://%b" % (request.connection.scheme, asked_for(request).lower())
    site = request.head.get(b"sec-fetch-site")
    navigates = request.head.get(b"sec-fetch-mode") == b"navigate" and request.method == b"GET"
    return site is not None and site not in (b"same-origin", b"none") and not navigates


def _by_a_strange_name(request: Request) -> bool:
    """What listens on this machine alone is reached from other sites by a name of theirs that they point to it (DNS
    rebinding): for the browser it is then one site with them, and Origin says so. So the name must be one of ours."""
    local: Any = request.connection.local_address()[0]
    host = request.host
    if not local.startswith(_LOOPBACK) or not host or host == b"localhost" or host.endswith(b".localhost"):
        return False
    if host.startswith(b"[") or not host.strip(b"0123456789."):
        return False
    return request.connection.servers.find(host, None) is not request.server


def asked_for(request: Request) -> bytes:
    """What a browser calls the host: HTTP/3 has no Host field."""
    return request.head.host or host_and_port(request) or b""
