"""zstd: responses in Zstandard (RFC 8878), with the directives of zstd-nginx-module.

For clients that take both, it goes before gzip, and behind Brotli. The package zstandard is an extra.
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

_CODING: Final = b"zstd"
_KEY: Final = "zstd"


@dataclass(slots=True)
class LocationConf(Conf):
    enable: bool = setting(False)
    types: frozenset[bytes] = setting(HTML)
    level: int = setting(1)
    min_length: int = setting(20)
    buffers: tuple[int, int] = setting((32, 4096))
    package: Any = setting(None)


class Stream:
    """The package's object with the names of content_coding.Encoder."""

    __slots__ = ("_block", "_stream", "process")

    def __init__(self, package: Any, level: int) -> None:
        self._stream = package.ZstdCompressor(level=level).compressobj()
        self._block = package.COMPRESSOBJ_FLUSH_BLOCK
        self.process = self._stream.compress

    def flush(self) -> bytes:
        data: bytes = self._stream.flush(self._block)
        return data

    def finish(self) -> bytes:
        data: bytes = self._stream.flush()
        return data


def set_zstd(conf: LocationConf, command: Command) -> None:
    flag("enable")(conf, command)
    if conf.enable:
        conf.package = content_coding.package("zstandard", "zstd", command)


def plan(settings: LocationConf, location: Location) -> Contribution:
    def make() -> content_coding.Encoder:
        return Stream(settings.package, settings.level)

    return content_coding.plan(settings, location, _CODING, make, _KEY)


module = HttpModule(
    name="zstd",
    location=LocationConf,
    directives=(
        Directive("zstd", EVERYWHERE | LIF, FLAG, set_zstd),
        Directive("zstd_types", EVERYWHERE, at_least(1), set_types),
        Directive("zstd_comp_level", EVERYWHERE, take(1), number("level", 1, 22)),
        Directive("zstd_min_length", EVERYWHERE, take(1), size("min_length")),
        Directive("zstd_buffers", EVERYWHERE, take(2), bufs("buffers")),
    ),
    variables=(Variable("zstd_ratio", content_coding.ratio(_KEY)),),
    plan=plan,
)
