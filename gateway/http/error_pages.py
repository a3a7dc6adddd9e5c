"""Error pages: the `error_page` directive, and the pages that nginx makes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway._fast import uri as uri_grammar
from gateway.http.module import OK, Result, Status
from gateway.http.redirects import internal_redirect, named_location
from gateway.http.status import SENT_AS, error_page
from gateway.http.user_agent import is_chrome, is_msie

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.http.request import Request

_NO_KEEPALIVE: Final = frozenset({400, 413, 414, 494, 495, 496, 497, 500, 501})
_NO_LINGERING: Final = frozenset({400, 494, 495, 496, 497})
_HTML: Final = b"text/html"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class ErrorPage:
    """One status of an `error_page`; `overwrite`: -1 keep the status, 0 take the page's own, else this one."""

    def __init__(self, status: Status, overwrite: Status, target: Template) -> None:
        self.status = status
        self.overwrite = overwrite
        self.target = target


def special_response(request: Request, status: Status) -> Result:
    """Answer with a status that has no response yet; nginx's ngx_http_special_response_handler."""
    request.err_status = status
    if status in _NO_KEEPALIVE:
        request.keepalive = False
    if status in _NO_LINGERING:
        request.lingering_close = False
    response = request.response
    response.content_type = None
    response.charset = None
    core = request.location.core
    pages = core.error_pages
    if pages and not request.in_error_page and request.uri_changes > 0:
        if not core.recursive_error_pages:
            request.in_error_page = True
        for page in pages:
            if page.status == status:
                return _send_error_page(request, page)
    request.expect_tested = True
    request.discard_body()
    if core.msie_refresh and status in (301, 302) and is_msie(request.head.user_agent or b""):
        return _send_refresh(request)
    sent = SENT_AS.get(status, status)
    request.err_status = sent
    if status == 204:
        response.content_length = -1
        request.send_head()
        return OK
    maker = request.cycle.failure_pages
    if maker is not None and status >= 400 and request.parent is None:
        made = maker.page(request, status)
        if made is not None:
            return _send_page(request, made[1], made[0])
    body = None if status == 201 else error_page(status, core.signature, _padding(request, status))
    return _send_page(request, body, _HTML)


def _padding(request: Request, status: Status) -> bool:
    core = request.location.core
    if not core.msie_padding or status < 400 or request.http_version < 10:
        return False
    agent = request.field(b"user-agent") or b""
    return is_msie(agent) or is_chrome(agent)


def _send_page(request: Request, body: bytes | None, content_type: bytes) -> Result:
    response = request.response
    response.clear_accept_ranges()
    response.clear_last_modified()
    response.etag = None
    response.content_encoding = None
    response.status_text = None
    if body is None:
        response.content_length = 0
    else:
        response.content_type = content_type
        response.content_length = len(body)
    if not request.send_head():
        request.send([body] if body else [], last=True)
    return OK


def _send_refresh(request: Request) -> Result:
    """msie_refresh: a page that goes elsewhere by itself, instead of a redirect."""
    response = request.response
    target = uri_grammar.escape(response.location or b"", "refresh")
    response.location = None
    request.err_status = 200
    page = b'<html><head><meta http-equiv="Refresh" content="0; URL=%b"></head><body></body></html>\r\n'
    return _send_page(request, page % target, _HTML)


def _send_error_page(request: Request, page: ErrorPage) -> Result:
    if page.overwrite > 0 and page.overwrite != 200:
        request.expect_tested = True
    if page.overwrite >= 0:
        request.err_status = page.overwrite
    target: bytes = page.target.value(request)
    if target[:1] == b"/":
        uri, _, args = target.partition(b"?")
        if request.method != b"HEAD":
            request.method = b"GET"
        return internal_redirect(request, uri, args)
    if target[:1] == b"@":
        return named_location(request, target)
    request.expect_tested = True
    request.discard_body()
    if page.overwrite not in _REDIRECTS:
        request.err_status = 302
    response = request.response
    response.redirect_to(target, request.http_version)
    if request.location.core.msie_refresh and is_msie(request.head.user_agent or b""):
        return _send_refresh(request)
    return _send_page(request, error_page(request.err_status, request.location.core.signature, False), _HTML)
