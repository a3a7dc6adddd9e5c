"""Words for what head filters do to a response, and why one that is configured does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.dev.explain.findings import Findings, show
from gateway.http.accept_encoding import gzip_ok
from gateway.http.media_types import is_of

if TYPE_CHECKING:
    from gateway.config.loader import Scope
    from gateway.http.request import Request

_GZIP_STATUSES = (200, 403, 404)


def state_of(request: Request) -> tuple[Any, ...]:
    """What of a response filters change."""
    response = request.response
    return (
        response.status,
        response.content_encoding,
        response.full_content_type,
        response.content_length,
        tuple(response.fields),
        response.etag,
    )


def tell_filter(
    name: str, request: Request, settings: Any, before: tuple[Any, ...], filters_body: bool, findings: Findings
) -> None:
    """Called when a head filter of the plan has run."""
    if name == "headers":
        _tell_headers(request, settings, before, findings)
    elif name == "gzip":
        _tell_gzip(request, settings, filters_body, findings)
    elif filters_body or state_of(request) != before:
        if name == "range" and not filters_body and request.response.status == before[0]:
            return  # it only says that it could
        statement = request.location.scope.set_by(*_directives(name))
        findings.tell("filter", f"{name} works on the response", statement.where if statement else None)


def _directives(name: str) -> tuple[str, ...]:
    return {
        "sub": ("sub_filter",),
        "ssi": ("ssi",),
        "charset": ("charset",),
        "addition": ("add_before_body", "add_after_body"),
        "slice": ("slice",),
        "range": ("max_ranges",),
        "not_modified": ("if_modified_since",),
        "gunzip": ("gunzip",),
        "userid": ("userid",),
    }.get(name, (name,))


def _tell_gzip(request: Request, settings: Any, acts: bool, findings: Findings) -> None:
    statement = request.location.scope.set_by("gzip")
    where = statement.where if statement is not None else None
    if acts:
        findings.tell("filter", "gzip compresses the response", where, gzip=True)
        return
    response = request.response
    kind = show(response.content_type)
    if response.status not in _GZIP_STATUSES:
        why = f"status {response.status} is not compressed"
    elif response.content_encoding:
        why = f"it is encoded already: {show(response.content_encoding)}"
    elif 0 <= response.content_length < settings.min_length:
        why = f"{response.content_length} bytes are less than gzip_min_length {settings.min_length}"
    elif not is_of(settings.types)(response):
        why = f"{kind} is not in gzip_types"
    elif not gzip_ok(request, settings):
        why = _client_wants_none(request, settings)
    else:
        why = "an inner filter has the response"
    findings.tell("filter", f"gzip does nothing: {why}", where, gzip=False)


def _client_wants_none(request: Request, settings: Any) -> str:
    field = request.head.accept_encoding
    if field is None:
        return "the request has no Accept-Encoding"
    if b"gzip" not in field.lower():
        return f'the request\'s Accept-Encoding is "{show(field)}"'
    if request.http_version < settings.http_version:
        return "the request's HTTP version is lower than gzip_http_version"
    if request.head.via is not None:
        return "the request came through a proxy (Via), and gzip_proxied does not allow it"
    return "Accept-Encoding or gzip_disable rule it out"


def _tell_headers(request: Request, settings: Any, before: tuple[Any, ...], findings: Findings) -> None:
    had = list(before[4])
    scope = request.location.scope
    for field in settings.headers:
        where = _line_of(scope, field)
        name = show(field.name)
        added = [f for f in request.response.fields if f[0].lower() == field.name.lower() and f not in had]
        if added:
            findings.tell("header", f"{name}: {show(added[0][1])}", where, name=name)
        elif not field.always and request.response.status >= 400:
            findings.tell("header", f'{name} is left out: without "always" not with {request.response.status}', where)
    for name, where in dropped(scope):
        findings.tell(
            "dropped",
            f"add_header {name} of an outer block does not hold here: this block has its own add_header",
            where,
        )


def _line_of(scope: Scope | None, field: Any) -> Any:
    name = show(field.name)
    while scope is not None:
        for statement in scope.statements:
            if statement.name == "add_header" and statement.args[0] == name and statement.args[1] == field.value.text:
                return statement.where
        scope = scope.parent
    return None


def dropped(scope: Scope) -> list[tuple[str, Any]]:
    """add_header lines of outer blocks that an inner block's replace (`add_header_inherit` is `on`)."""
    inherit = scope.set_by("add_header_inherit")
    if inherit is not None and inherit.args[0] == "merge":
        return []
    lost: list[tuple[str, Any]] = []
    found: set[str] = set()
    at: Scope | None = scope
    holds = False
    while at is not None:
        here = [statement for statement in at.statements if statement.name == "add_header"]
        if holds:
            lost += [(s.args[0], s.where) for s in here if s.args[0].lower() not in found]
        if here:
            holds = True
            found |= {statement.args[0].lower() for statement in here}
        at = at.parent
    return lost
