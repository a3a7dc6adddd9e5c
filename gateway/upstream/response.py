"""An upstream's response head: what it tells the gateway, and what of it goes to the client."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError
from gateway.http.response import parse_http_date

if TYPE_CHECKING:
    from gateway._fast.http1_response import ResponseHead
    from gateway.http.request import Request
    from gateway.http.response import Response


class Ignore(enum.IntFlag):
    """What `*_ignore_headers` can name."""

    X_ACCEL_REDIRECT = 0x2
    X_ACCEL_EXPIRES = 0x4
    EXPIRES = 0x8
    CACHE_CONTROL = 0x10
    SET_COOKIE = 0x20
    X_ACCEL_LIMIT_RATE = 0x40
    X_ACCEL_BUFFERING = 0x80
    X_ACCEL_CHARSET = 0x100
    VARY = 0x200


# Of these the first one counts; a repeat is dropped with a warning.
_ONCE: Final = frozenset(
    {
        b"status",
        b"content-type",
        b"date",
        b"etag",
        b"server",
        b"location",
        b"refresh",
        b"x-accel-redirect",
        b"x-accel-expires",
        b"x-accel-limit-rate",
        b"last-modified",
        b"expires",
    }
)
_LOOKED_AT: Final = _ONCE | {
    b"content-length",
    b"transfer-encoding",
    b"connection",
    b"x-accel-buffering",
    b"x-accel-charset",
}
# Fields of one connection, not of the answer.
_HOP: Final = frozenset({b"content-length", b"connection", b"keep-alive", b"transfer-encoding"})
# Fields that have a place of their own in the response, or are passed under a condition.
_PLACED: Final = frozenset(
    {
        b"content-type",
        b"date",
        b"server",
        b"etag",
        b"last-modified",
        b"location",
        b"content-encoding",
        b"accept-ranges",
        b"upgrade",
    }
)
# What may name the upstream, as it knows itself.
_REWRITTEN: Final = frozenset({b"location", b"refresh", b"set-cookie"})
# What stays of an answer that X-Accel-Redirect sends elsewhere.
_KEPT_BY_REDIRECT: Final = frozenset(
    {b"content-type", b"set-cookie", b"content-disposition", b"cache-control", b"expires", b"accept-ranges"}
)


def digits(value: bytes) -> int:
    """nginx's ngx_atoi: decimal digits alone, -1 for anything else."""
    return int(value) if value.isdigit() and len(value) < 19 else -1


class UpstreamHead:
    """The head after the checks that nginx makes of it; `fields` is (lower-case name, name, value)."""

    def __init__(self, head: ResponseHead, request: Request) -> None:
        """Errors: HeadError."""
        self.head = head
        self.status = head.status
        self.status_line = head.status_line
        self.content_length = -1
        self.chunked = False
        self.connection_close = False
        self.redirect: bytes | None = None
        self.limit_rate = -1
        self.buffering: bytes = b""
        self.charset: bytes | None = None
        fields = self.fields = [(name.lower(), name, value) for name, value in head.fields]
        seen: dict[bytes, tuple[bytes, bytes]] | None = None
        repeated: list[int] = []
        for index, (lower, name, value) in enumerate(fields):
            if lower in _LOOKED_AT:
                if seen is None:
                    seen = {}
                if lower in seen and lower in _ONCE:
                    request.log(
                        "warn",
                        b'upstream sent duplicate header line: "%b: %b", previous value: "%b: %b", ignored'
                        % (name, value, *seen[lower]),
                    )
                    repeated.append(index)
                    continue
                self._look_at(lower, name, value, seen)
                seen.setdefault(lower, (name, value))
        for index in reversed(repeated):
            del fields[index]

    def _look_at(self, lower: bytes, name: bytes, value: bytes, seen: dict[bytes, tuple[bytes, bytes]]) -> None:
        if lower == b"content-length":
            if lower in seen:
                raise _twice(name, value, seen[lower])
            if b"transfer-encoding" in seen:
                raise _refused('upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time')
            self.content_length = digits(value)
            if self.content_length < 0:
                raise _refused(f'upstream sent invalid "Content-Length" header: "{_text(name)}: {_text(value)}"')
        elif lower == b"transfer-encoding":
            if lower in seen:
                raise _twice(name, value, seen[lower])
            if b"content-length" in seen:
                raise _refused('upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time')
            if value.lower() != b"chunked":
                raise _refused(f'upstream sent unknown "Transfer-Encoding": "{_text(value)}"')
            self.chunked = True
        elif lower == b"connection":
            if b"close" in value.lower():
                self.connection_close = True
        elif lower == b"x-accel-redirect":
            self.redirect = value
        elif lower == b"x-accel-limit-rate":
            self.limit_rate = digits(value)
        elif lower == b"x-accel-buffering":
            if value.lower() in (b"yes", b"no"):
                self.buffering = value.lower()
        elif lower == b"x-accel-charset":
            self.charset = value

    def get_all(self, lower_name: bytes) -> list[tuple[bytes, bytes]]:
        return [(name, value) for lower, name, value in self.fields if lower == lower_name]

    def apply_controls(self, request: Request, ignored: int) -> None:
        """X-Accel-Limit-Rate and -Charset act on the request, whatever becomes of this answer."""
        if self.limit_rate >= 0 and not ignored & Ignore.X_ACCEL_LIMIT_RATE:
            request.limit_rate = self.limit_rate
        if self.charset is not None and not ignored & Ignore.X_ACCEL_CHARSET:
            request.response.override_charset = self.charset

    def copy_for_redirect(self, request: Request, conf: Any) -> None:
        """The fields that the target of X-Accel-Redirect inherits."""
        for lower, name, value in self.fields:
            if lower in _KEPT_BY_REDIRECT:
                if lower == b"set-cookie":
                    changed = conf.rewrite_field(request, lower, value)
                    value = value if changed is None else changed
                if lower in _PLACED:
                    self._place(request, conf, lower, name, value)
                else:
                    request.response.fields.append((name, value))

    def copy(self, request: Request, conf: Any) -> None:
        """Make the client's response of it."""
        response = request.response
        response.status = self.status
        response.status_text = self.status_line or None
        response.content_length = self.content_length
        hidden = conf.hidden
        out = response.fields
        for lower, name, value in self.fields:
            if lower in hidden or lower in _HOP:
                continue
            if lower in _REWRITTEN:
                changed = conf.rewrite_field(request, lower, value)
                if changed is not None:
                    if lower == b"location":
                        response.location = changed  # made absolute, as our own redirects are
                        response.place(name, lower)
                        continue
                    value = changed
            if lower in _PLACED:
                self._place(request, conf, lower, name, value)
            else:
                out.append((name, value))
        if conf.passes_absence:
            # Where an upstream's own are passed on, that it sends none is passed on as well.
            if response.server is None and b"server" not in hidden:
                response.server = b""
            if response.date is None and b"date" not in hidden:
                response.date = b""
        response.disable_not_modified = True
        if conf.force_ranges:
            response.accept_ranges = response.single_range = True

    def _place(self, request: Request, conf: Any, lower: bytes, name: bytes, value: bytes) -> None:
        response = request.response
        if lower == b"content-type":
            set_content_type(response, value)
        elif lower == b"location":
            # A relative Location is left as it is: only nginx's own redirects are made absolute.
            if value.startswith(b"/"):
                response.fields.append((name, value))
            else:
                response.location = value
                response.place(name, lower)
        elif lower == b"date":
            response.date = value
            response.place(name, lower)
        elif lower == b"server":
            response.server = value
            response.place(name, lower)
        elif lower == b"etag":
            response.etag = value
            response.place(name, lower)
        elif lower == b"content-encoding":
            response.content_encoding = value
            response.place(name, lower)
        elif lower == b"last-modified":
            response.last_modified_text = value
            seconds = parse_http_date(value)
            response.last_modified = -1 if seconds is None else seconds
            response.place(name, lower)
        elif lower == b"accept-ranges":
            if not conf.force_ranges:
                response.fields.append((name, value))
        elif request.http_version < 20:  # upgrade: HTTP/2 has none
            response.fields.append((name, value))


def set_content_type(response: Response, value: bytes) -> None:
    """Split the charset off, as filters want it apart; nginx's ngx_http_upstream_copy_content_type."""
    response.content_type = value
    response.charset = response.charset_text = None
    at = value.find(b";")
    while at >= 0:
        start = at + 1
        while value[start : start + 1] == b" ":
            start += 1
        if value[start : start + 8].lower() == b"charset=":
            charset = value[start + 8 :]
            if charset.startswith(b'"'):
                charset = charset[1:]
            if charset.endswith(b'"'):
                charset = charset[:-1]
            response.content_type = value[:at]
            response.charset = charset
            response.charset_text = value[at:]
            return
        at = value.find(b";", at + 1)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _refused(message: str) -> HeadError:
    return HeadError(502, message, level="error")


def _twice(name: bytes, value: bytes, previous: tuple[bytes, bytes]) -> HeadError:
    return _refused(
        f'upstream sent duplicate header line: "{_text(name)}: {_text(value)}", '
        f'previous value: "{_text(previous[0])}: {_text(previous[1])}"'
    )
