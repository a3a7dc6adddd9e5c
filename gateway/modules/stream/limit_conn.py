"""stream_limit_conn: how many sessions of a key may be under way at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.directive import FLAG, Context, Directive, enum_, flag, take
from gateway.core.variables import Variable
from gateway.modules.http.limit_conn import (
    LEVELS,
    REJECTED,
    STATUS,
    LimitConf,
    Limits,
    limit_setter,
    zone_setter,
)
from gateway.stream.module import NOTHING, UNAVAILABLE, Contribution, Phase, Result, StreamModule

if TYPE_CHECKING:
    from gateway.stream.servers import Server
    from gateway.stream.session import Session

_WHERE: Final = Context.STREAM | Context.STREAM_SERVER
OWNER: Final = "stream limit_conn"


@dataclass(slots=True)
class ServerConf(LimitConf):
    pass


def plan(conf: ServerConf, server: Server) -> Contribution:
    if not conf.limits:
        return NOTHING

    limits = Limits(conf)

    def handler(session: Session) -> Result:
        outcome = limits.enter(session, session.cleanups)
        if outcome is None:
            return None
        session.values[STATUS] = outcome
        return UNAVAILABLE if outcome == REJECTED else None

    return Contribution(handlers={Phase.PREACCESS: handler})


module = StreamModule(
    name="stream_limit_conn",
    server=ServerConf,
    directives=(
        Directive("limit_conn_zone", Context.STREAM, take(2), zone_setter(OWNER), level="main"),
        Directive("limit_conn", _WHERE, take(2), limit_setter(OWNER), level="server"),
        Directive("limit_conn_log_level", _WHERE, take(1), enum_("level", LEVELS), level="server"),
        Directive("limit_conn_dry_run", _WHERE, FLAG, flag("dry_run"), level="server"),
    ),
    variables=(Variable(STATUS, lambda session: session.values.get(STATUS)),),
    plan=plan,
)
