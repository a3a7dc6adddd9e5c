"""Internal redirects: another URI, or a named location, serves the request instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.module import RESTART, Result

if TYPE_CHECKING:
    from gateway.http.request import Request


def redirect(request: Request, target: bytes) -> Result:
    """To `@name`, or to a URI with what stands behind its question mark."""
    if target.startswith(b"@"):
        return named_location(request, target)
    uri, _, args = target.partition(b"?")
    return internal_redirect(request, uri, args)


def internal_redirect(request: Request, uri: bytes, args: bytes | None = None) -> Result:
    """Serve another URI of this server instead; `args` None keeps none, as nginx does."""
    if not request.count_uri_change():
        request.log("error", b'rewrite or internal redirection cycle while internally redirecting to "%s"' % uri)
        return 500
    request.uri = uri
    request.args = args or b""
    request.action = b""
    request.internal = True
    request.valid_unparsed_uri = False
    request.valid_location = True
    request.add_uri_to_alias = False
    request.forget_filters()
    request.location = request.server.root
    return request.enter_server()  # type: ignore[return-value]  # only the first time may wait


def named_location(request: Request, name: bytes) -> Result:
    """Go on in `@name` with the URI as it is."""
    if not request.count_uri_change():
        request.log("error", b'rewrite or internal redirection cycle while redirect to named location "%s"' % name)
        return 500
    if not request.uri:
        request.log("error", b'empty URI in redirect to named location "%s"' % name)
        return 500
    location = request.server.locations.named.get(name)
    if location is None:
        request.log("error", b'could not find named location "%s"' % name)
        return 500
    request.internal = True
    request.uri_changed = False
    request.add_uri_to_alias = True
    request.forget_filters()
    request.enter(location)
    return RESTART
