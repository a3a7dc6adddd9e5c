"""gzip: compresses responses on their way out."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import (
    EVERYWHERE,
    FLAG,
    LIF,
    Command,
    Directive,
    at_least,
    bitmask,
    bufs,
    enum_,
    flag,
    number,
    size,
    take,
)
from gateway.core.pieces import Piece, data_of
from gateway.core.regex import Regex, RegexError
from gateway.core.variables import Variable
from gateway.http import accept_encoding as conditions
from gateway.http import deflate
from gateway.http.accept_encoding import gzip_ok
from gateway.http.media_types import HTML, set_types
from gateway.http.module import NOTHING, BodyFilter, Contribution, Count, HttpModule
from gateway.http.part import Part

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

# gzip_disable "msie6": Internet Explorer up to 6 without its service pack, unless it is Opera that says so
_MSIE6: Final = r"\A(?!.*Opera)(?:(?!MSIE ).)*MSIE (?:[45]\.|6\.(?!.*SV1))"

_DEFLATED: Final = zlib.DEFLATED
_FINISH: Final = zlib.Z_FINISH
_SYNC_FLUSH: Final = zlib.Z_SYNC_FLUSH


@dataclass(slots=True)
class LocationConf(Conf):
    enable: bool = setting(False)
    types: frozenset[bytes] = setting(HTML)
    level: int = setting(1)
    min_length: int = setting(20)
    http_version: int = setting(11)
    proxied: int = setting(conditions.OFF)
    disable: tuple[Regex, ...] = setting(())
    vary: bool = setting(False)
    window: int = setting(15)
    memory: int = setting(8)
    buffers: tuple[int, int] = setting((32, 4096))


def set_disable(conf: LocationConf, command: Command) -> None:
    patterns = [] if conf.disable is UNSET else list(conf.disable)
    for text in command.args:
        try:
            patterns.append(Regex(_MSIE6 if text == "msie6" else text, caseless=text != "msie6"))
        except RegexError as error:
            command.fail(str(error))
    conf.disable = tuple(patterns)


_WINDOWS = {1 << bits: bits for bits in range(9, 16)}
# nginx counts zlib's memory level from 128k, level 9, downwards.
_MEMORY = {1 << bits + 8: bits for bits in range(1, 10)}


def _power(name: str, values: dict[int, int], words: str) -> Any:
    """A size that must be one of these powers of two, kept as zlib's parameter."""

    def set_power(conf: LocationConf, command: Command) -> None:
        size(name)(conf, command)
        given = getattr(conf, name)
        if given not in values:
            command.refuse(f"must be 512, 1k, 2k, 4k, 8k, 16k, {words}")
        setattr(conf, name, values[given])

    return set_power


class Compressor:
    """The body filter: one deflate stream in gzip's wrapping (RFC 1952). Compiled with the types of gzip.pxd.

    A BodyFilter, whose attributes a class of C's cannot inherit.
    """

    first = False
    passes_files = False

    def __init__(self, stream: Any, room: int) -> None:
        self.stream = stream
        self.taken = 0
        self.sent = 0
        self.room = room  # what it makes may fill these

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        stream = self.stream
        if stream is None:
            return []
        found: list[bytes] = []
        for part in data_of(pieces):
            self.taken += len(part)
            found.append(stream.compress(part))
        if last:
            found.append(stream.flush(_FINISH))
            self.stream = None
        elif flush:
            found.append(stream.flush(_SYNC_FLUSH))
        data = b"".join(found)
        self.sent += len(data)
        return [data] if data else []


class Gzip(Part):
    """The head filter of one location."""

    def __init__(self, settings: LocationConf) -> None:
        self.settings = settings
        self.types: frozenset[bytes] = settings.types
        self.all_types = b"*" in settings.types
        self.other_type: bytes | None = None  # the last that is not among them: those of files are the same objects
        self.min_length: int = settings.min_length
        self.vary: bool = settings.vary
        self.compressor, self.level = deflate.compressor(settings.level)
        self.window: int = settings.window
        self.memory: int = settings.memory
        count, each = settings.buffers
        self.room: int = count * each

    def run(self, request: Request) -> BodyFilter | None:
        response = request.response
        status = response.status
        if (status != 200 and status != 403 and status != 404) or response.content_encoding:
            return None
        length = response.content_length
        if 0 <= length < self.min_length:
            return None
        if not self.all_types:
            content_type = response.content_type
            if content_type is None or content_type is self.other_type:
                return None
            if content_type not in self.types and content_type.lower() not in self.types:
                self.other_type = content_type
                return None
        if self.vary:
            response.gzip_vary = True
        if not gzip_ok(request, self.settings):
            return None
        response.content_encoding = b"gzip"
        response.place(b"Content-Encoding", b"content-encoding")
        response.clear_content_length()
        response.clear_accept_ranges()
        response.weaken_etag()
        compressor = request.state[module] = Compressor(self.open(length), self.room)
        return compressor

    def open(self, length: Count) -> Any:
        """A stream for a body of so many bytes, -1 where that is not known."""
        window = self.window
        memory = self.memory
        if length >= 0:
            # nginx: no larger a window than the body needs
            while length < (1 << (window - 1)) and window > 9:
                window -= 1
                memory -= 1
        return self.compressor(self.level, _DEFLATED, window + 16, max(memory, 1))


def plan(settings: LocationConf, location: Location) -> Contribution:
    return Contribution(head_filter=Gzip(settings)) if settings.enable else NOTHING


def _ratio(request: Request) -> bytes | None:
    """$gzip_ratio: how many times smaller it became, two digits rounded as nginx does."""
    compressor: Compressor | None = request.state.get(module)
    if compressor is None or not compressor.sent:
        return None
    whole, rest = divmod(compressor.taken, compressor.sent)
    hundredths = (rest * 1000 // compressor.sent + 5) // 10
    if hundredths > 99:
        whole, hundredths = whole + 1, 0
    return b"%d.%02d" % (whole, hundredths)


module = HttpModule(
    name="gzip",
    location=LocationConf,
    variables=(Variable("gzip_ratio", _ratio),),
    directives=(
        Directive("gzip", EVERYWHERE | LIF, FLAG, flag("enable")),
        Directive("gzip_types", EVERYWHERE, at_least(1), set_types),
        Directive("gzip_comp_level", EVERYWHERE, take(1), number("level", minimum=1, maximum=9)),
        Directive("gzip_window", EVERYWHERE, take(1), _power("window", _WINDOWS, "or 32k")),
        Directive("gzip_hash", EVERYWHERE, take(1), _power("memory", _MEMORY, "32k, 64k, or 128k")),
        Directive("gzip_buffers", EVERYWHERE, take(2), bufs("buffers")),
        Directive("gzip_min_length", EVERYWHERE, take(1), size("min_length")),
        Directive("gzip_vary", EVERYWHERE, FLAG, flag("vary")),
        Directive("gzip_http_version", EVERYWHERE, take(1), enum_("http_version", {"1.0": 10, "1.1": 11})),
        Directive(
            "gzip_proxied",
            EVERYWHERE,
            at_least(1),
            bitmask(
                "proxied",
                {
                    "off": conditions.OFF,
                    "expired": conditions.EXPIRED,
                    "no-cache": conditions.NO_CACHE,
                    "no-store": conditions.NO_STORE,
                    "private": conditions.PRIVATE,
                    "no_last_modified": conditions.NO_LAST_MODIFIED,
                    "no_etag": conditions.NO_ETAG,
                    "auth": conditions.AUTH,
                    "any": conditions.ANY,
                },
            ),
        ),
        Directive("gzip_disable", EVERYWHERE, at_least(1), set_disable),
    ),
    plan=plan,
)
