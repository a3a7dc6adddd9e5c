"""copy: how much of a file is in memory for the sake of body filters; ngx_http_copy_filter_module.

The work is done by http/feed.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import Conf, setting
from gateway.config.directive import HTTP, LOCATION, SERVER, Directive, bufs, take
from gateway.http.module import NOTHING, Contribution, HttpModule

if TYPE_CHECKING:
    from gateway.http.locations import Location


@dataclass(slots=True)
class LocationConf(Conf):
    buffers: tuple[int, int] = setting((2, 32768))


def plan(settings: LocationConf, location: Location) -> Contribution:
    count, each = settings.buffers
    location.output_buffer = each
    location.output_room = count * each
    return NOTHING


module = HttpModule(
    name="copy",
    location=LocationConf,
    directives=(Directive("output_buffers", HTTP | SERVER | LOCATION, take(2), bufs("buffers")),),
    plan=plan,
)
