"""mp4: a film from one time to another, `?start=SECONDS&end=SECONDS`, as a film of its own (protocol/mp4.py)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast import uri as uri_grammar
from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, LOCATION, Command, Directive, flag, size, take
from gateway.config.units import MAX_INTEGER, number_of
from gateway.core.pieces import FileSlice
from gateway.http.module import NOTHING, Contribution, HttpModule, Result
from gateway.http.setters import answers
from gateway.modules.http import pseudo_streaming
from gateway.protocol.mp4 import Cut, Mp4Error, cut

if TYPE_CHECKING:
    from gateway._fast.files import OpenedFile
    from gateway.core.pieces import Piece
    from gateway.http.locations import Location
    from gateway.http.request import Request

_SECONDS: Final = re.compile(rb"(\d*)(?:\.(\d*))?")


@dataclass(slots=True)
class LocationConf(Conf):
    enabled: bool = setting(False, inherit=False)
    buffer_size: int = setting(512 * 1024)
    max_buffer_size: int = setting(10 * 1024 * 1024)
    start_key_frame: bool = setting(False)


def set_mp4(conf: LocationConf, command: Command) -> None:
    conf.enabled = True
    answers(conf, command)


def milliseconds(text: bytes | None) -> int:
    """What a client says, to the third digit behind the dot; -1 if it is no number."""
    match = _SECONDS.fullmatch(text) if text else None
    if match is None:
        return -1
    value = number_of((match[1] + (match[2] or b"").ljust(3, b"0")[:3]) or b"0")
    return value if value <= MAX_INTEGER else -1


def _part(request: Request, file: OpenedFile, settings: LocationConf, start: int, length: int) -> Cut | None:
    def read(offset: int, count: int) -> bytes:
        data = os.pread(file.fd, count, offset)
        if len(data) != count:
            raise Mp4Error('"%s" mp4 file truncated')
        return data

    most = max(settings.max_buffer_size, settings.buffer_size)
    return cut(read, file.size, start, length, settings.start_key_frame, most)


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not settings.enabled:
        return NOTHING

    def serve(request: Request) -> Result:
        file = pseudo_streaming.find(request)
        if file is None or isinstance(file, int):
            return file
        args = request.args
        start = milliseconds(uri_grammar.args_get(args, b"start"))
        end = milliseconds(uri_grammar.args_get(args, b"end"))
        if end > 0:
            start = max(start, 0)
        length = end - start if end > start else 0
        part: Cut | None = None
        if start >= 0:
            request.response.single_range = True
            try:
                part = _part(request, file, settings, start, length)
            except Mp4Error as error:
                path = request.map_uri_to_path(request.uri)
                request.log("error", str(error).encode().replace(b"%s", path))
                return 500
            except OSError as error:
                request.log("crit", b'pread() "%b" failed' % request.map_uri_to_path(request.uri), error)
                return 500
        pieces: list[Piece] = []
        if part is None:
            whole = file.size
            if whole:
                pieces.append(FileSlice(file.fd, 0, whole, file))
        else:
            rest = part.end - part.start
            whole = len(part.head) + rest
            pieces += [part.head, FileSlice(file.fd, part.start, rest, file)]
        return pseudo_streaming.answer(request, file, pieces, whole)

    return Contribution(content=serve)


module = HttpModule(
    name="mp4",
    location=LocationConf,
    directives=(
        Directive("mp4", LOCATION, take(0), set_mp4),
        Directive("mp4_buffer_size", EVERYWHERE, take(1), size("buffer_size")),
        Directive("mp4_max_buffer_size", EVERYWHERE, take(1), size("max_buffer_size")),
        Directive("mp4_start_key_frame", EVERYWHERE, FLAG, flag("start_key_frame")),
    ),
    plan=plan,
)
