"""What the client gets instead of an upstream's answer: an error page of ours, or what another location says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway._fast.uri import safe_uri
from gateway.http.redirects import internal_redirect, named_location

if TYPE_CHECKING:
    from gateway.http.module import Result
    from gateway.http.request import Request
    from gateway.upstream.exchange.conf import UpstreamConf
    from gateway.upstream.exchange.response import UpstreamHead


def has_error_page(request: Request, head: UpstreamHead) -> bool:
    """`*_intercept_errors`: whether an error_page names the status; a challenge goes with it."""
    if not any(page.status == head.status for page in request.location.core.error_pages or ()):
        return False
    if head.status == 401:
        request.response.fields += head.get_all(b"www-authenticate")
    return True


def redirect(request: Request, conf: UpstreamConf, head: UpstreamHead) -> Result:
    """X-Accel-Redirect: another location answers, with some of this answer's fields."""
    target = head.redirect
    assert target is not None
    head.copy_for_redirect(request, conf)
    if target.startswith(b"@"):
        return named_location(request, target)
    parsed = safe_uri(target)
    if parsed is None:
        request.log("error", b'unsafe URI "%b" was detected' % target)
        return 404
    if request.method != b"HEAD":
        request.method = b"GET"
    return internal_redirect(request, *parsed)
