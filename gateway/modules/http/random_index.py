"""random_index: any file of a folder stands for it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import Conf, setting
from gateway.config.directive import FLAG, LOCATION, Directive, flag
from gateway.core import folders
from gateway.core.files import FileError
from gateway.http.module import NOTHING, Contribution, HttpModule, Phase, Result
from gateway.http.redirects import internal_redirect

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request


@dataclass(slots=True)
class LocationConf(Conf):
    enable: bool = setting(False)


def choose(request: Request) -> Result:
    uri = request.uri
    if not uri.endswith(b"/") or request.method not in (b"GET", b"HEAD", b"POST"):
        return None
    path = request.map_uri_to_path(uri)
    try:
        files = [entry.name for entry in folders.names(path[:-1] or b"/") if folders.look(entry).is_file]
    except FileError as error:
        request.log(error.level, error.message, OSError(error.errno, ""))
        return error.status if error.failed == "opendir()" else 500
    if not files:
        return None
    return internal_redirect(request, uri + random.choice(files), request.args)


def plan(settings: LocationConf, location: Location) -> Contribution:
    return Contribution(handlers={Phase.CONTENT: choose}) if settings.enable else NOTHING


module = HttpModule(
    name="random_index",
    location=LocationConf,
    directives=(Directive("random_index", LOCATION, FLAG, flag("enable")),),
    plan=plan,
)
