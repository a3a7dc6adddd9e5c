"""zstd_static: the file of the same name with ".zst", compressed beforehand, for clients that take Zstandard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, Directive, enum_, take
from gateway.http.module import NOTHING, Contribution, HttpModule, Phase
from gateway.modules.http.gzip_static import precompressed

if TYPE_CHECKING:
    from gateway.http.locations import Location


@dataclass(slots=True)
class LocationConf(Conf):
    enable: str = setting("off")


def plan(settings: LocationConf, location: Location) -> Contribution:
    if settings.enable == "off":
        return NOTHING
    serve = precompressed(location, settings.enable == "always", b".zst", b"zstd")
    return Contribution(handlers={Phase.CONTENT: serve})


module = HttpModule(
    name="zstd_static",
    location=LocationConf,
    directives=(
        Directive("zstd_static", EVERYWHERE, take(1), enum_("enable", {w: w for w in ("off", "on", "always")})),
    ),
    plan=plan,
)
