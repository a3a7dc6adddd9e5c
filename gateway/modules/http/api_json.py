"""The API's JSON, of what is long a portion after the other: others have their turn between.

What there are many of may be given as an iterator, which makes each when its turn has come; none of them is kept, and
the text is sent as the pieces that it was made in: gathering all of it at the end, and freeing what it was made of,
would be the longest turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from gateway.core.turns import PORTION, Work
from gateway.http.module import OK

if TYPE_CHECKING:
    from gateway.http.module import Result, Status
    from gateway.http.request import Request

_dumps = partial(json.dumps, separators=(",", ":"))


def encoded(found: Any) -> Work[list[bytes]]:
    """A list, an iterator or an object with many things in it takes several turns; all else takes none."""
    pieces: list[bytes] = []
    yield from _encode(found, pieces)
    return pieces


def answer(request: Request, status: Status, pieces: list[bytes], kind: bytes) -> Result:
    """Request.respond, with a body in pieces."""
    if len(pieces) < 2:
        return request.respond(status, b"".join(pieces), kind)
    response = request.response
    response.status = status
    response.content_type = kind
    response.content_length = sum(map(len, pieces))
    if not request.send_head():
        request.send([*pieces], last=True)
    return OK


def _text(found: Any) -> bytes:
    return _dumps(found).encode()


def _encode(found: Any, pieces: list[bytes]) -> Work[None]:
    if isinstance(found, Iterator):
        some = list(islice(found, PORTION + 1))
        if len(some) <= PORTION:
            pieces.append(_text(some))
            return
        found = chain(some, found)
        yield from _items(found, pieces, PORTION // 2)  # they are made as well
    elif not _long(found):
        pieces.append(_text(found))
    elif isinstance(found, list):
        yield from _items(iter(found), pieces, PORTION)
    else:
        yield from _object(found, pieces)


def _items(found: Iterator[Any], pieces: list[bytes], portion: int) -> Work[None]:
    sign = b"["
    while some := list(islice(found, portion)):
        pieces.append(sign + _text(some)[1:-1])
        sign = b","
        yield
    pieces.append(b"]")


def _object(found: dict[str, Any], pieces: list[bytes]) -> Work[None]:
    sign = b"{"
    short: dict[str, Any] = {}
    for key, value in found.items():
        long = _long(value)
        if short and (long or len(short) == PORTION):
            pieces.append(sign + _text(short)[1:-1])
            sign = b","
            short = {}
            yield
        if long:
            pieces.append(b"%b%b:" % (sign, _text(key)))
            sign = b","
            yield from _encode(value, pieces)
        else:
            short[key] = value
    if short:
        pieces.append(sign + _text(short)[1:-1])
    pieces.append(b"}")


def _long(found: Any) -> bool:
    """Whether it has more than a portion in it, or may have; what a short list has is taken for short."""
    if isinstance(found, dict):
        return len(found) > PORTION or any(map(_long, found.values()))
    return isinstance(found, Iterator) or (isinstance(found, list) and len(found) > PORTION)
