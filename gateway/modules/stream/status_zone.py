"""stream_status_zone: sessions counted by server, for the API; `status_zone NAME` of NGINX Plus.

Servers that name the same zone are counted together, over all workers and over a reload.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import Command, Context, Directive, take
from gateway.core.zones import LOCK_SIZE, ZONES, Zone
from gateway.stream.module import NOTHING, Contribution, Phase, Result, StreamModule

if TYPE_CHECKING:
    from gateway._fast.zones import Words
    from gateway.config.loader import Loader, Scope
    from gateway.stream.cycle import StreamCycle
    from gateway.stream.servers import Server
    from gateway.stream.session import Session

# The zone that all counts are in; nginx's own zones cannot have a name like this.
_ZONE: Final = " stream status_zone"
_PROCESSING, _CONNECTIONS, _DISCARDED, _RECEIVED, _SENT, _CLASSES = range(6)
_SHOWN: Final = {2: "2xx", 4: "4xx", 5: "5xx"}
_WORDS: Final = _CLASSES + len(_SHOWN)


class Counts:
    """What is counted under one name."""

    def __init__(self) -> None:
        self.words: Words

    def count(self, session: Session) -> None:
        """A session ends."""
        words = self.words
        words.add(_CONNECTIONS, 1)
        words.add(_RECEIVED, session.received)
        words.add(_SENT, session.stream.sent)
        kinds = list(_SHOWN)
        kind = session.status // 100
        words.add(_CLASSES + kinds.index(kind) if kind in kinds else _DISCARDED, 1)

    def show(self) -> dict[str, Any]:
        """As the API has it."""
        words = list(self.words.view)
        classes = words[_CLASSES:]
        return {
            "processing": words[_PROCESSING],
            "connections": words[_CONNECTIONS],
            "sessions": {**dict(zip(_SHOWN.values(), classes, strict=True)), "total": sum(classes)},
            "discarded": words[_DISCARDED],
            "received": words[_RECEIVED],
            "sent": words[_SENT],
        }


class Table:
    """All counts of one configuration."""

    def __init__(self) -> None:
        self.counts: dict[str, Counts] = {}

    def attach(self, zone: Zone, old: Table | None) -> None:
        """The zone has its memory: go on from what the old cycle had counted."""
        zone.data = self
        for name, counts in self.counts.items():
            counts.words = zone.words(_WORDS)
            if old is not None and name in old.counts:
                # what is under way is the old workers'
                counts.words.view[_CONNECTIONS:] = old.counts[name].words.view[_CONNECTIONS:]


@dataclass(slots=True)
class MainConf(Conf):
    table: Any = setting(None)


@dataclass(slots=True)
class ServerConf(Conf):
    counts: Any = setting(None, inherit=False)


def set_zone(conf: ServerConf, command: Command) -> None:
    name = command.args[0]
    if not name:
        command.fail(f'invalid zone name "{name}"')
    if conf.counts is not UNSET:
        command.duplicate()
    main: MainConf = command.scope.conf(module, "main")
    if main.table is UNSET:
        main.table = Table()
    conf.counts = main.table.counts.setdefault(name, Counts())


def prepare(scope: Scope, loader: Loader) -> None:
    table: Table | None = scope.conf(module, "main").table
    if table is not None:
        size = (LOCK_SIZE + 128 + len(table.counts) * _WORDS * 8 + 4095) // 4096 * 4096
        loader.parts.get(ZONES).add(_ZONE, size, "stream status_zone", reuse=False).user = table


def show(cycle: StreamCycle) -> dict[str, Any]:
    """/stream/server_zones."""
    table: Table | None = cycle.scope.conf(module, "main").table
    return {} if table is None else {name: counts.show() for name, counts in table.counts.items()}


def reset(cycle: StreamCycle, name: str) -> None:
    """Count from 0 on, but for what is under way."""
    words = cycle.scope.conf(module, "main").table.counts[name].words
    for index in range(_CONNECTIONS, _WORDS):
        words.store(index, 0)


def plan(conf: ServerConf, server: Server) -> Contribution:
    counts: Counts | None = conf.counts
    if counts is None:
        return NOTHING

    def end() -> None:
        counts.words.add(_PROCESSING, -1)

    def begin(session: Session) -> Result:
        counts.words.add(_PROCESSING, 1)
        session.cleanups.append(end)
        return None

    def log(session: Session) -> Result:
        counts.count(session)
        return None

    return Contribution(handlers={Phase.POST_ACCEPT: begin, Phase.LOG: log})


module = StreamModule(
    name="stream_status_zone",
    main=MainConf,
    server=ServerConf,
    directives=(Directive("status_zone", Context.STREAM_SERVER, take(1), set_zone, level="server"),),
    prepare=prepare,
    plan=plan,
)
