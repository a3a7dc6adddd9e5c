"""gzip_static: the file of the same name with ".gz", compressed beforehand, for clients that take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, Directive, enum_, take
from gateway.core.files import FileError
from gateway.http import accept_encoding
from gateway.http.module import NOTHING, Contribution, Handler, HttpModule, Phase, Result
from gateway.modules.http import gzip
from gateway.modules.http.file_access import open_file
from gateway.modules.http.static import send_file

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request


@dataclass(slots=True)
class LocationConf(Conf):
    enable: str = setting("off")


def precompressed(location: Location, always: bool, suffix: bytes, coding: bytes) -> Handler:
    """What serves the file with this suffix, in this coding, to clients that take it; or to all."""
    conditions = location.confs[gzip.module]
    vary: bool = conditions.vary

    def takes(request: Request) -> bool:
        if coding == b"gzip":
            return accept_encoding.gzip_ok(request, conditions)
        field = request.head.accept_encoding
        return field is not None and request.parent is None and accept_encoding.accepts(field, coding)

    def serve(request: Request) -> Result:
        if request.method not in (b"GET", b"HEAD") or request.uri.endswith(b"/"):
            return None
        taken = always or takes(request)
        if not taken and not vary:
            return None
        path = request.map_uri_to_path(request.uri) + suffix
        try:
            file = open_file(request, path)
        except FileError as error:
            if error.status != 404:
                request.log(error.level, error.message, OSError(error.errno, ""))
            return None
        response = request.response
        if not always:
            # also where the plain file is sent: a cache has to keep the two apart
            response.gzip_vary = response.gzip_vary or vary
            if not taken:
                return None
        if file.is_dir:
            return None
        if not file.is_file:
            request.log("crit", b'"%s" is not a regular file' % path)
            return 404
        wrong = request.discard_body()
        if wrong:
            return wrong
        if request.location.core.etag:
            response.place(b"ETag", b"etag")
        response.place(b"Content-Encoding", b"content-encoding")
        response.content_encoding = coding
        return send_file(request, file)

    return serve


def static_module(name: str, suffix: bytes, coding: bytes) -> HttpModule:
    """The module of one directive, of the same name: off, on or always."""

    def plan(settings: LocationConf, location: Location) -> Contribution:
        if settings.enable == "off":
            return NOTHING
        serve = precompressed(location, settings.enable == "always", suffix, coding)
        return Contribution(handlers={Phase.CONTENT: serve})

    values = {word: word for word in ("off", "on", "always")}
    directives = (Directive(name, EVERYWHERE, take(1), enum_("enable", values)),)
    return HttpModule(name=name, location=LocationConf, directives=directives, plan=plan)


module = static_module("gzip_static", b".gz", b"gzip")
