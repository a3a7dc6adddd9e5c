"""flv: Flash video from any byte on, `?start=N`, with a head of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast import uri as uri_grammar
from gateway.config.conf import Conf, setting
from gateway.config.directive import LOCATION, Command, Directive, take
from gateway.config.units import MAX_INTEGER
from gateway.core.pieces import FileSlice
from gateway.http.module import NOTHING, Contribution, HttpModule, Result
from gateway.http.setters import answers
from gateway.modules.http import pseudo_streaming

if TYPE_CHECKING:
    from gateway.core.pieces import Piece
    from gateway.http.locations import Location
    from gateway.http.request import Request

# signature, version 1, video and audio, length of the head, size of the tag before
_HEAD: Final = b"FLV" + bytes([1, 5, 0, 0, 0, 9, 0, 0, 0, 0])


@dataclass(slots=True)
class LocationConf(Conf):
    enabled: bool = setting(False, inherit=False)


def set_flv(conf: LocationConf, command: Command) -> None:
    conf.enabled = True
    answers(conf, command)


def serve(request: Request) -> Result:
    file = pseudo_streaming.find(request)
    if file is None or isinstance(file, int):
        return file
    text = uri_grammar.args_get(request.args, b"start") or b""
    start = int(text) if text.isdigit() and len(text) < 20 else 0
    if start >= file.size or start > MAX_INTEGER:
        start = 0
    size = file.size - start
    pieces: list[Piece] = [FileSlice(file.fd, start, size, file)] if size else []
    if start:
        pieces.insert(0, _HEAD)
        size += len(_HEAD)
    return pseudo_streaming.answer(request, file, pieces, size)


def plan(settings: LocationConf, location: Location) -> Contribution:
    return Contribution(content=serve) if settings.enabled else NOTHING


module = HttpModule(
    name="flv",
    location=LocationConf,
    directives=(Directive("flv", LOCATION, take(0), set_flv),),
    plan=plan,
)
