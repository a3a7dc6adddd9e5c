"""mirror: the same request once more, elsewhere; nobody sees the answer. ngx_http_mirror_module.

The response does not wait for the mirrors, but the connection's next request does.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, Command, Directive, flag, take
from gateway.config.text import to_bytes
from gateway.http.body import BodyError, read_body, read_body_nowait
from gateway.http.module import NOTHING, Contribution, HttpModule, Phase, Result
from gateway.http.subrequest import aside

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request


@dataclass(slots=True)
class LocationConf(Conf):
    uris: tuple[bytes, ...] = setting(())
    request_body: bool = setting(True)


def set_mirror(conf: LocationConf, command: Command) -> None:
    """mirror uri | off; several times, but for off."""
    uri = command.args[0]
    if uri == "off":
        command.once(conf.uris)
        conf.uris = ()
        return
    if conf.uris == ():
        command.duplicate()
    conf.uris = (*(() if conf.uris is UNSET else conf.uris), to_bytes(uri))


def plan(settings: LocationConf, location: Location) -> Contribution:
    uris: tuple[bytes, ...] = settings.uris
    if not uris:
        return NOTHING

    def mirror(request: Request) -> Result:
        for uri in uris:
            subrequest = aside(request, uri, request.args, background=True)
            if subrequest is None:
                return 500
            subrequest.method = request.method
        return None

    async def mirror_after_body(request: Request) -> Result:
        status = await read_body(request)
        return mirror(request) if status is None else status

    def with_body(request: Request) -> Result | Awaitable[Result]:
        if request.parent is not None:
            return None
        try:
            if read_body_nowait(request):
                return mirror(request)
        except (BodyError, OSError):
            pass  # read_body meets it again and says what it means
        return mirror_after_body(request)

    def without_body(request: Request) -> Result:
        return mirror(request) if request.parent is None else None

    return Contribution(handlers={Phase.PRECONTENT: with_body if settings.request_body else without_body})


module = HttpModule(
    name="mirror",
    location=LocationConf,
    directives=(
        Directive("mirror", EVERYWHERE, take(1), set_mirror),
        Directive("mirror_request_body", EVERYWHERE, FLAG, flag("request_body")),
    ),
    plan=plan,
)
