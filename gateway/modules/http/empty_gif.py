"""empty_gif: a transparent picture of one pixel, from memory; `empty_gif`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import LOCATION, Command, Directive, take
from gateway.http.module import NOTHING, Contribution, HttpModule, Result
from gateway.http.setters import answers

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

# GIF89a: screen 1x1 with two colours, of which the second is transparent; one image of that; end
_PICTURE: Final = (
    b"GIF89a" + bytes.fromhex("01000100 800100")
    + bytes.fromhex("000000 ffffff")
    + bytes.fromhex("21f90401 00000100")
    + bytes.fromhex("2c 0000 0000 0100 0100 00")
    + bytes.fromhex("02 02 4c01 00 3b")
)  # fmt: skip
# nginx's date of it: in September 1970
_MODIFIED: Final = 23349600


@dataclass(slots=True)
class LocationConf(Conf):
    enabled: bool = setting(False, inherit=False)


def set_empty_gif(conf: LocationConf, command: Command) -> None:
    conf.enabled = True
    answers(conf, command)


def show(request: Request) -> Result:
    if request.method not in (b"GET", b"HEAD"):
        return 405
    request.response.last_modified = _MODIFIED
    return request.discard_body() or request.respond(200, _PICTURE, b"image/gif")


def plan(settings: LocationConf, location: Location) -> Contribution:
    return Contribution(content=show) if settings.enabled else NOTHING


module = HttpModule(
    name="empty_gif",
    location=LocationConf,
    directives=(Directive("empty_gif", LOCATION, take(0), set_empty_gif),),
    plan=plan,
)
