"""stream_access: `allow` and `deny` by the client's address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.config.directive import Context, Directive, take
from gateway.modules.http.access import LocationConf, decision, set_rule
from gateway.stream.module import FORBIDDEN, NOTHING, Contribution, Phase, Result, StreamModule

if TYPE_CHECKING:
    from gateway.stream.servers import Server
    from gateway.stream.session import Session

_WHERE: Final = Context.STREAM | Context.STREAM_SERVER


def plan(conf: LocationConf, server: Server) -> Contribution:
    if not conf.rules:
        return NOTHING
    decide = decision(conf.rules)

    def check(session: Session) -> Result:
        result = decide(session.remote()[0])
        if result == FORBIDDEN:
            session.log("error", b"access forbidden by rule")
        return result

    return Contribution(handlers={Phase.ACCESS: check})


module = StreamModule(
    name="stream_access",
    server=LocationConf,
    directives=(
        Directive("allow", _WHERE, take(1), set_rule, level="server"),
        Directive("deny", _WHERE, take(1), set_rule, level="server"),
    ),
    plan=plan,
)
