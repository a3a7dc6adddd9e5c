"""The params of a CGI-like request (uwsgi, FastCGI, SCGI): names and values from a location's settings and a request.

Each protocol writes the pairs in its own way; what they are is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gateway._fast.request_head import RequestHead

Evaluate = Callable[[Any], "bytes | None"]
# One param: its name, its value or what gives it for a request, and whether an empty value leaves it out.
Param = tuple[bytes, "bytes | Evaluate", bool]
Field = tuple[bytes, bytes]


def header_param(name: bytes) -> bytes:
    """The param that a header field becomes: X-Forwarded-For is HTTP_X_FORWARDED_FOR."""
    return b"HTTP_" + name.upper().replace(b"-", b"_")


def ignored_fields(params: Iterable[Param]) -> tuple[bytes, ...]:
    """The HTTP_ params that take the place of a header field; one with an empty constant value only hides it."""
    return tuple(name for name, _, _ in params if len(name) > 5 and name.startswith(b"HTTP_"))


# What becomes of a field's name: in lower case, and as a param. Names are the clients': their number is limited.
_NAMES: dict[bytes, tuple[bytes, bytes]] = {}
_MOST_NAMES: Final = 1000


def _names(name: bytes) -> tuple[bytes, bytes]:
    found = name.lower(), header_param(name)
    if len(_NAMES) < _MOST_NAMES:
        _NAMES[name] = found
    return found


class Params:
    """The params of one location; `pairs` is one pass over them and a request's fields."""

    def __init__(self, params: Sequence[Param], *, pass_headers: bool = True) -> None:
        self.params = tuple(params)
        # HTTP_FOO_bar still stands for the field Foo-Bar: nginx compares without case.
        self.ignored = frozenset(name.upper() for name in ignored_fields(params))
        self.pass_headers = pass_headers

    def pairs(self, request: Any, head: RequestHead | list[Field]) -> list[Field]:
        """Names and values for a request; `head` is a RequestHead, or a list of (name, value).

        Errors: what evaluating a param raises.
        """
        pairs: list[Field] = []
        for name, value, skip_empty in self.params:
            if value.__class__ is bytes:
                if not value and name.startswith(b"HTTP_") and len(name) > 5:
                    continue
                text = value
            else:
                text = value(request) or b""  # type: ignore[operator]
            if text or not skip_empty:
                pairs.append((name, text))
        if self.pass_headers:
            # Repeated fields are one, in the first one's place: joined with a comma, cookies with a semicolon.
            ignored = self.ignored
            places: dict[bytes, int] = {}
            for name, text in head if isinstance(head, list) else head.fields():
                lower, key = _NAMES.get(name) or _names(name)
                if key in ignored:
                    continue
                place = places.get(lower)
                if place is None:
                    places[lower] = len(pairs)
                    pairs.append((key, text))
                else:
                    joined = pairs[place][1] + (b"; " if lower == b"cookie" else b", ") + text
                    pairs[place] = (key, joined)
        return pairs
