"""gunzip: unpacks compressed responses for clients that do not take gzip."""

from __future__ import annotations

import re
import zlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, Directive, bufs, flag, take
from gateway.core.pieces import Piece, data_of
from gateway.http import accept_encoding
from gateway.http.module import NOTHING, BodyFilter, Contribution, HttpModule
from gateway.modules.http import gzip

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

_GZIP: Final = zlib.MAX_WBITS + 16
_CODE: Final = re.compile(r"-\d+")  # zlib's own, in its exception's text
_DATA_ERROR, _BUF_ERROR = -3, -5
# What zlib may make of its input at a time: a small one can become a thousand times as much.
_AT_ONCE: Final = 65536


@dataclass(slots=True)
class LocationConf(Conf):
    enable: bool = setting(False)
    buffers: tuple[int, int] = setting((32, 4096))


class Unpacker(BodyFilter):
    """The body filter: one gzip member after the other."""

    def __init__(self, request: Request, room: int) -> None:
        self.request = request
        self.room = room  # for what is under way of it
        self.stream: Any = zlib.decompressobj(_GZIP)
        self.input: deque[bytes] = deque()
        self.last = False
        self.flush = False
        self.waits = False  # for room
        self.done = False

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece] | None:
        if self.done or self.request.header_only:
            return []
        self.input += data_of(pieces)
        self.last = self.last or last
        self.flush = self.flush or flush
        if self.waits:
            return None
        found = self._unpack()
        if found is None or not self.input:
            return found
        self.waits = True
        self.request.keeps(self)
        self.request.pass_on(self, found, False, False)
        return None

    def go_on(self) -> bool:
        found = self._unpack()
        if found is None:
            return False
        self.waits = bool(self.input)
        self.request.pass_on(self, found, self.last and not self.waits, self.flush and not self.waits)
        return self.waits

    def _unpack(self) -> list[Piece] | None:
        """Some of the output; what of the input is left is for the next time. None: it is no gzip."""
        found: list[Piece] = []
        size = 0
        try:
            while self.input and size < _AT_ONCE:
                data = self.input.popleft()
                if self.stream.eof:
                    self.stream = zlib.decompressobj(_GZIP)
                plain = self.stream.decompress(data, _AT_ONCE)
                if plain:
                    found.append(plain)
                    size += len(plain)
                data = self.stream.unused_data if self.stream.eof else self.stream.unconsumed_tail
                if data:
                    self.input.appendleft(data)
        except zlib.error as error:
            code = _CODE.search(str(error))
            how = zlib.Z_FINISH if self.last else zlib.Z_SYNC_FLUSH if self.flush else zlib.Z_NO_FLUSH
            self._fail(b"inflate() failed: %d, %d" % (how, int(code[0]) if code else _DATA_ERROR))
            return None
        if self.last and not self.input:
            if not self.stream.eof:
                self._fail(b"inflate() returned %d on response end" % _BUF_ERROR)
                return None
            self.done = True
        return found

    def _fail(self, message: bytes) -> None:
        """Cut the response, so that the client sees that it is not whole."""
        request = self.request
        self.done = True
        request.log("error", message)
        request.abort()
        if request.subrequests is not None:
            request.subrequests.terminate(0)


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not settings.enable:
        return NOTHING
    conditions = location.confs[gzip.module]
    count, each = settings.buffers
    room: int = count * each

    def filter_head(request: Request) -> BodyFilter | None:
        response = request.response
        encoding = response.content_encoding
        if encoding is None or encoding.lower() != b"gzip":
            return None
        if conditions.vary:
            response.gzip_vary = True
        if accept_encoding.gzip_ok(request, conditions):
            return None
        response.content_encoding = None
        response.clear_content_length()
        response.clear_accept_ranges()
        response.weaken_etag()
        return Unpacker(request, room)

    return Contribution(head_filter=filter_head)


module = HttpModule(
    name="gunzip",
    location=LocationConf,
    directives=(
        Directive("gunzip", EVERYWHERE, FLAG, flag("enable")),
        Directive("gunzip_buffers", EVERYWHERE, take(2), bufs("buffers")),
    ),
    plan=plan,
)
