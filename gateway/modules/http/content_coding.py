"""What brotli and zstd have in common: responses compressed on their way out, by a package that is an extra."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

from gateway.core.pieces import Piece, data_of
from gateway.http import accept_encoding
from gateway.http.media_types import is_of
from gateway.http.module import NOTHING, BodyFilter, Contribution
from gateway.modules.http import gzip

if TYPE_CHECKING:
    from gateway.config.directive import Command
    from gateway.core.variables import Getter
    from gateway.http.locations import Location
    from gateway.http.request import Request

_STATUSES: Final = frozenset({200, 403, 404})


class Encoder(Protocol):
    """One stream."""

    def process(self, data: bytes) -> bytes: ...
    def flush(self) -> bytes: ...
    def finish(self) -> bytes: ...


def package(name: str, extra: str, command: Command) -> Any:
    """The package that does the work; refuse the directive where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        command.refuse(f"needs the package {name}: pip install 'gateway[{extra}]'")


class Compressor(BodyFilter):
    """The body filter."""

    def __init__(self, encoder: Encoder, room: int) -> None:
        self.encoder: Encoder | None = encoder
        self.room = room  # for what is under way of it
        self.taken = 0
        self.sent = 0

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        encoder = self.encoder
        if encoder is None:
            return []
        found: list[bytes] = []
        for part in data_of(pieces):
            self.taken += len(part)
            found.append(encoder.process(part))
        if last:
            found.append(encoder.finish())
            self.encoder = None
        elif flush:
            found.append(encoder.flush())
        data = b"".join(found)
        self.sent += len(data)
        return [data] if data else []


def plan(settings: Any, location: Location, coding: bytes, make: Callable[[], Encoder], key: str) -> Contribution:
    """The filter of a location whose `enable`, `types`, `min_length` and `buffers` are these."""
    if not settings.enable:
        return NOTHING
    wanted = is_of(settings.types)
    vary: bool = location.confs[gzip.module].vary
    count, each = settings.buffers

    def filter_head(request: Request) -> BodyFilter | None:
        response = request.response
        if response.status not in _STATUSES or response.content_encoding or request.parent is not None:
            return None
        if 0 <= response.content_length < settings.min_length or not wanted(response):
            return None
        if vary:
            response.gzip_vary = True
        field = request.head.accept_encoding
        if field is None or not accept_encoding.accepts(field, coding):
            return None
        response.content_encoding = coding
        response.place(b"Content-Encoding", b"content-encoding")
        response.clear_content_length()
        response.clear_accept_ranges()
        response.weaken_etag()
        compressor = request.state[key] = Compressor(make(), count * each)
        return compressor

    return Contribution(head_filter=filter_head)


def ratio(key: str) -> Getter:
    """How many times smaller it became, as $gzip_ratio."""

    def get(request: Request) -> bytes | None:
        compressor: Compressor | None = request.state.get(key)
        if compressor is None or not compressor.sent:
            return None
        return b"%.2f" % (compressor.taken / compressor.sent)

    return get
