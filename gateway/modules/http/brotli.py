"""brotli: responses in Brotli (RFC 7932), with the directives of ngx_brotli.

For clients that take both, it goes before gzip. The package brotli is an extra.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import (
    EVERYWHERE,
    FLAG,
    LIF,
    Command,
    Directive,
    at_least,
    bufs,
    flag,
    number,
    size,
    take,
)
from gateway.core.variables import Variable
from gateway.http.media_types import HTML, set_types
from gateway.http.module import Contribution, HttpModule
from gateway.modules.http import content_coding

if TYPE_CHECKING:
    from gateway.http.locations import Location

_CODING: Final = b"br"
_KEY: Final = "brotli"
# the sizes of brotli_window, kept as the package's parameter
_WINDOWS: Final = {1 << bits: bits for bits in range(10, 25)}


@dataclass(slots=True)
class LocationConf(Conf):
    enable: bool = setting(False)
    types: frozenset[bytes] = setting(HTML)
    level: int = setting(6)
    window: int = setting(19)
    min_length: int = setting(20)
    buffers: tuple[int, int] = setting((32, 4096))
    package: Any = setting(None)


def set_brotli(conf: LocationConf, command: Command) -> None:
    flag("enable")(conf, command)
    if conf.enable:
        conf.package = content_coding.package("brotli", "brotli", command)


def set_window(conf: LocationConf, command: Command) -> None:
    size("window")(conf, command)
    given = conf.window
    if given not in _WINDOWS:
        command.refuse("must be 1k, 2k, 4k, 8k, 16k, 32k, 64k, 128k, 256k, 512k, 1m, 2m, 4m, 8m or 16m")
    conf.window = _WINDOWS[given]


def plan(settings: LocationConf, location: Location) -> Contribution:
    def make() -> content_coding.Encoder:
        made: content_coding.Encoder = settings.package.Compressor(quality=settings.level, lgwin=settings.window)
        return made

    return content_coding.plan(settings, location, _CODING, make, _KEY)


module = HttpModule(
    name="brotli",
    location=LocationConf,
    directives=(
        Directive("brotli", EVERYWHERE | LIF, FLAG, set_brotli),
        Directive("brotli_types", EVERYWHERE, at_least(1), set_types),
        Directive("brotli_comp_level", EVERYWHERE, take(1), number("level", 0, 11)),
        Directive("brotli_window", EVERYWHERE, take(1), set_window),
        Directive("brotli_min_length", EVERYWHERE, take(1), size("min_length")),
        Directive("brotli_buffers", EVERYWHERE, take(2), bufs("buffers")),
    ),
    variables=(Variable("brotli_ratio", content_coding.ratio(_KEY)),),
    plan=plan,
)
