"""auth_request: access by what a subrequest answers; ngx_http_auth_request_module.

2xx allows, 401 and 403 refuse as they are, anything else is a failure. The subrequest is asked without the request's
body, whose length is announced unless `proxy_set_header Content-Length ""` stands there (GW321 of gateway check).
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, Command, Directive, take
from gateway.config.text import to_bytes
from gateway.core.lane import current_fibre, park
from gateway.core.template import Template
from gateway.core.variables import Variable
from gateway.http.body import RequestBody
from gateway.http.module import NOTHING, OK, Contribution, HttpModule, Phase, Result
from gateway.http.setters import cycle_of, template, variable_name
from gateway.http.status import CLIENT_CLOSED
from gateway.http.subrequest import aside

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.http.subrequest import Subrequest


@dataclass(slots=True)
class LocationConf(Conf):
    uri: str = setting("")
    variables: tuple[tuple[Variable, Template], ...] = setting(())


def set_uri(conf: LocationConf, command: Command) -> None:
    """auth_request uri | off;"""
    command.once(conf.uri)
    conf.uri = "" if command.args[0] == "off" else command.args[0]


def set_variable(conf: LocationConf, command: Command) -> None:
    """auth_request_set $variable value; the value is the subrequest's."""
    name = variable_name(command, command.args[0])
    variable = cycle_of(command).variables.assign(name, lambda request: None, command.where)
    value = template(command, command.args[1])
    conf.variables = (*(() if conf.variables is UNSET else conf.variables), (variable, value))


def plan(settings: LocationConf, location: Location) -> Contribution:
    uri = to_bytes(settings.uri)
    if not uri:
        return NOTHING
    variables: tuple[tuple[Variable, Template], ...] = settings.variables

    def check(request: Request) -> Result | Awaitable[Result]:
        subrequest = aside(request, uri)
        if subrequest is None:
            return request.abort()
        body = subrequest.body = RequestBody(subrequest)
        body.complete = True
        return _ask(request, subrequest, variables)

    return Contribution(handlers={Phase.ACCESS: check})


async def _ask(
    request: Request, subrequest: Subrequest, variables: tuple[tuple[Variable, Template], ...]
) -> Result:
    """Wait for the answer. A client that goes away ends the subrequest, and that this wait."""
    fibre = current_fibre()
    assert fibre is not None
    subrequest.on_done = request.on_client_event = fibre.wake
    try:
        while not subrequest.done:
            if request.aborted:
                return CLIENT_CLOSED
            await park()
    finally:
        request.on_client_event = None
        subrequest.on_done = None
    for variable, value in variables:
        # stored whatever the answer is, so that an error page sees them
        text = value(subrequest)
        if variable.set is not None:
            variable.set(request, text)
        else:
            request.values[variable.name] = text
    status = subrequest.response.status
    if status == 401:
        request.response.fields += _challenges(subrequest)
    if status in (401, 403):
        return status
    if 200 <= status < 300:
        return OK
    request.log("error", b"auth request unexpected status: %d" % status)
    return 500


def _challenges(subrequest: Subrequest) -> list[tuple[bytes, bytes]]:
    """WWW-Authenticate of the answer, else of the upstream whose answer an error page took the place of."""
    found = [field for field in subrequest.response.fields if field[0].lower() == b"www-authenticate"]
    upstream = subrequest.upstream
    if not found and upstream is not None and upstream.head is not None:
        found = upstream.head.get_all(b"www-authenticate")
    return found


module = HttpModule(
    name="auth_request",
    location=LocationConf,
    directives=(
        Directive("auth_request", EVERYWHERE, take(1), set_uri),
        Directive("auth_request_set", EVERYWHERE, take(2), set_variable),
    ),
    plan=plan,
)
