"""brotli_static: the file of the same name with ".br", compressed beforehand, for clients that take Brotli."""

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
    serve = precompressed(location, settings.enable == "always", b".br", b"br")
    return Contribution(handlers={Phase.CONTENT: serve})


module = HttpModule(
    name="brotli_static",
    location=LocationConf,
    directives=(
        Directive("brotli_static", EVERYWHERE, take(1), enum_("enable", {w: w for w in ("off", "on", "always")})),
    ),
    plan=plan,
)
