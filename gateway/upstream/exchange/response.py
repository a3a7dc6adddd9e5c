"""An upstream's response head: what it tells the gateway, and what of it goes to the client."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from gateway._fast.errors import HeadError
from gateway._fast.http1_response import KINDS
from gateway.http.response import parse_http_date

# A number of C's, see response.pxd; of Python's, were it called int.
Kind = int

if TYPE_CHECKING:
    from gateway._fast.http1_response import ResponseHead
    from gateway.http.request import Request
    from gateway.http.response import Response
    from gateway.upstream.exchange.settings import ExchangeSettings


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


def _kinds(*names: bytes) -> int:
    """A set of kinds of fields (see _fast.http1_response.KINDS) as bits."""
    return sum(1 << KINDS.index(name) + 1 for name in names)


# Of these the first one counts; a repeat is dropped with a warning.
_ONCE: int = sum(1 << kind for kind in range(1, 13))
_LOOKED_AT: int = _ONCE | _kinds(
    b"content-length", b"transfer-encoding", b"connection", b"x-accel-buffering", b"x-accel-charset"
)
# Fields of one connection, not of the answer.
_HOP: int = _kinds(b"content-length", b"connection", b"keep-alive", b"transfer-encoding")
# Fields that have a place of their own in the response, or are passed under a condition.
_PLACED: int = _kinds(
    b"content-type",
    b"date",
    b"server",
    b"etag",
    b"last-modified",
    b"location",
    b"content-encoding",
    b"accept-ranges",
    b"upgrade",
)
# What may name the upstream, as it knows itself.
_REWRITTEN: int = _kinds(b"location", b"refresh", b"set-cookie")
# What stays of an answer that X-Accel-Redirect sends elsewhere.
_KEPT_BY_REDIRECT: int = _kinds(
    b"content-type", b"set-cookie", b"content-disposition", b"cache-control", b"expires", b"accept-ranges"
)


_CONTENT_TYPE: int = KINDS.index(b"content-type") + 1
_DATE: int = KINDS.index(b"date") + 1
_ETAG: int = KINDS.index(b"etag") + 1
_SERVER: int = KINDS.index(b"server") + 1
_LOCATION: int = KINDS.index(b"location") + 1
_X_ACCEL_REDIRECT: int = KINDS.index(b"x-accel-redirect") + 1
_X_ACCEL_LIMIT_RATE: int = KINDS.index(b"x-accel-limit-rate") + 1
_LAST_MODIFIED: int = KINDS.index(b"last-modified") + 1
_CONTENT_LENGTH: int = KINDS.index(b"content-length") + 1
_TRANSFER_ENCODING: int = KINDS.index(b"transfer-encoding") + 1
_CONNECTION: int = KINDS.index(b"connection") + 1
_X_ACCEL_BUFFERING: int = KINDS.index(b"x-accel-buffering") + 1
_X_ACCEL_CHARSET: int = KINDS.index(b"x-accel-charset") + 1
_CONTENT_ENCODING: int = KINDS.index(b"content-encoding") + 1
_ACCEPT_RANGES: int = KINDS.index(b"accept-ranges") + 1
_SET_COOKIE: int = KINDS.index(b"set-cookie") + 1


class Hidden:
    """`*_hide_header` and what is hidden by default: known kinds as bits, the other names."""

    def __init__(self, names: frozenset[bytes]) -> None:
        known = [name for name in names if name in KINDS]
        self.kinds: int = _kinds(*known)
        self.names: frozenset[bytes] = names.difference(known)


def digits(value: bytes) -> int:
    """nginx's ngx_atoi: decimal digits alone, -1 for anything else."""
    if not 0 < len(value) < 19:
        return -1
    number = 0
    for digit in value:
        if not 48 <= digit <= 57:
            return -1
        number = number * 10 + digit - 48
    return number


class UpstreamHead:
    """The head after the checks that nginx makes of it.

    Compiled, and a field is known by its kind, a number that the parser finds by the name's hash: most fields go on as
    the pair that came, where each was a third object, a lower-case name and five look-ups in sets.
    """

    def __init__(self, head: ResponseHead, request: Request) -> None:
        """Errors: HeadError."""
        self._read(head, request)

    def _read(self, head: ResponseHead, request: Request) -> None:
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
        kinds = self.kinds = head.kinds
        pairs = self.pairs = head.fields
        seen = 0
        for index in range(len(kinds)):
            kind = kinds[index]
            if kind and _LOOKED_AT >> kind & 1:
                if seen >> kind & 1 and _ONCE >> kind & 1:
                    self._drop_repeated(request)
                    break
                name, value = pairs[index]
                self._look_at(kind, name, value, seen)
                seen |= 1 << kind

    def _drop_repeated(self, request: Request) -> None:
        """A field came twice of which the first one counts: look at all of them again, and leave the others out."""
        pairs: list[tuple[bytes, bytes]] = []
        kinds: list[int] = []
        seen = 0
        self.content_length = -1
        self.chunked = False
        for kind, (name, value) in zip(self.head.kinds, self.head.fields, strict=True):
            if kind and _LOOKED_AT >> kind & 1:
                if seen >> kind & 1 and _ONCE >> kind & 1:
                    request.log(
                        "warn",
                        b'upstream sent duplicate header line: "%b: %b", previous value: "%b: %b", ignored'
                        b" while reading response header from upstream"
                        % (name, value, *self._first(kind)),
                    )
                    continue
                self._look_at(kind, name, value, seen)
                seen |= 1 << kind
            pairs.append((name, value))
            kinds.append(kind)
        self.pairs = pairs
        self.kinds = kinds

    def _first(self, kind: Kind) -> tuple[bytes, bytes]:
        return self.head.fields[self.head.kinds.index(kind)]

    @property
    def fields(self) -> list[tuple[bytes, bytes, bytes]]:
        """(lower-case name, name, value) of each field."""
        return [(name.lower(), name, value) for name, value in self.pairs]

    def _look_at(self, kind: Kind, name: bytes, value: bytes, seen: Kind) -> None:
        if kind == _CONTENT_LENGTH:
            if seen >> kind & 1:
                raise _twice(name, value, self._first(kind))
            if seen >> _TRANSFER_ENCODING & 1:
                raise _refused('upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time')
            self.content_length = digits(value)
            if self.content_length < 0:
                raise _refused(f'upstream sent invalid "Content-Length" header: "{_text(name)}: {_text(value)}"')
        elif kind == _TRANSFER_ENCODING:
            if seen >> kind & 1:
                raise _twice(name, value, self._first(kind))
            if seen >> _CONTENT_LENGTH & 1:
                raise _refused('upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time')
            if value.lower() != b"chunked":
                raise _refused(f'upstream sent unknown "Transfer-Encoding": "{_text(value)}"')
            self.chunked = True
        elif kind == _CONNECTION:
            if b"close" in value.lower():
                self.connection_close = True
        elif kind == _X_ACCEL_REDIRECT:
            self.redirect = value
        elif kind == _X_ACCEL_LIMIT_RATE:
            self.limit_rate = digits(value)
        elif kind == _X_ACCEL_BUFFERING:
            if value.lower() in (b"yes", b"no"):
                self.buffering = value.lower()
        elif kind == _X_ACCEL_CHARSET:
            self.charset = value

    def get_all(self, lower_name: bytes) -> list[tuple[bytes, bytes]]:
        return [(name, value) for name, value in self.pairs if name.lower() == lower_name]

    def apply_controls(self, request: Request, ignored: Kind) -> None:
        """X-Accel-Limit-Rate and -Charset act on the request, whatever becomes of this answer."""
        if self.limit_rate >= 0 and not ignored & Ignore.X_ACCEL_LIMIT_RATE:
            request.limit_rate = self.limit_rate
        if self.charset is not None and not ignored & Ignore.X_ACCEL_CHARSET:
            request.response.override_charset = self.charset

    def copy_for_redirect(self, request: Request, conf: Any) -> None:
        """The fields that the target of X-Accel-Redirect inherits."""
        for kind, (name, value) in zip(self.kinds, self.pairs, strict=True):
            if kind and _KEPT_BY_REDIRECT >> kind & 1:
                if kind == _SET_COOKIE:
                    changed = conf.rewrite_field(request, b"set-cookie", value)
                    value = value if changed is None else changed
                if _PLACED >> kind & 1:
                    self._place(request, conf, kind, name, value)
                else:
                    request.response.fields.append((name, value))

    def copy(self, request: Request, conf: Any, settings: ExchangeSettings) -> None:
        """Make the client's response of it."""
        response = request.response
        response.status = self.status
        response.status_text = self.status_line or None
        response.content_length = self.content_length
        hidden = settings.hidden_fields
        names = hidden.names
        left_out = hidden.kinds | _HOP
        out = response.fields
        kinds = self.kinds
        pairs = self.pairs
        for index in range(len(kinds)):
            kind = kinds[index]
            pair = pairs[index]
            if not kind:
                if not names or pair[0].lower() not in names:
                    out.append(pair)
                continue
            if left_out >> kind & 1:
                continue
            if _PLACED >> kind & 1 or _REWRITTEN >> kind & 1:
                self._copy_special(request, conf, kind, pair[0], pair[1])
            else:
                out.append(pair)
        if settings.passes_absence:
            # Where an upstream's own are passed on, that it sends none is passed on as well.
            if response.server is None and not hidden.kinds >> _SERVER & 1:
                response.server = b""
            if response.date is None and not hidden.kinds >> _DATE & 1:
                response.date = b""
        response.disable_not_modified = True
        if settings.force_ranges:
            response.accept_ranges = response.single_range = True

    def _copy_special(self, request: Request, conf: Any, kind: Kind, name: bytes, value: bytes) -> None:
        if _REWRITTEN >> kind & 1:
            lower = KINDS[kind - 1]
            changed = conf.rewrite_field(request, lower, value)
            if changed is not None:
                if kind == _LOCATION:
                    request.response.location = changed  # made absolute, as our own redirects are
                    request.response.place(name, lower)
                    return
                value = changed
        if _PLACED >> kind & 1:
            self._place(request, conf, kind, name, value)
        else:
            request.response.fields.append((name, value))

    def _place(self, request: Request, conf: Any, kind: Kind, name: bytes, value: bytes) -> None:
        response = request.response
        if kind == _CONTENT_TYPE:
            set_content_type(response, value)
            return
        if kind == _LOCATION:
            # A relative Location is left as it is: only nginx's own redirects are made absolute.
            if value.startswith(b"/"):
                response.fields.append((name, value))
                return
            response.location = value
        elif kind == _DATE:
            response.date = value
        elif kind == _SERVER:
            response.server = value
        elif kind == _ETAG:
            response.etag = value
        elif kind == _CONTENT_ENCODING:
            response.content_encoding = value
        elif kind == _LAST_MODIFIED:
            response.last_modified_text = value
            seconds = parse_http_date(value)
            response.last_modified = -1 if seconds is None else seconds
        elif kind == _ACCEPT_RANGES:
            if not conf.force_ranges:
                response.fields.append((name, value))
            return
        else:
            if request.http_version < 20:  # upgrade: HTTP/2 has none
                response.fields.append((name, value))
            return
        response.place(name, KINDS[kind - 1])


def set_content_type(response: Response, value: bytes) -> None:
    """Split the charset off, as filters want it apart; nginx's ngx_http_upstream_copy_content_type."""
    response.content_type = value
    response.charset = response.charset_text = None
    if b";" not in value:
        return
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
