"""stream_status_zone: sessions counted by server, for the API; `status_zone NAME` of NGINX Plus.

Servers that name the same zone are counted together, over all workers and over reloads: each worker in words of its
own (serving/count_table).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import Command, Context, Directive, take
from gateway.serving.count_table import CountTable
from gateway.stream.module import NOTHING, Contribution, Phase, Result, StreamModule

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.core.worker_rows import WorkerRows
    from gateway.stream.cycle import StreamCycle
    from gateway.stream.servers import Server
    from gateway.stream.session import Session

# The zone that all counts are in; nginx's own zones cannot have a name like this.
ZONE: Final = " stream status_zone"
_PROCESSING, _CONNECTIONS, _DISCARDED, _RECEIVED, _SENT, _CLASSES = range(6)
_SHOWN: Final = {2: "2xx", 4: "4xx", 5: "5xx"}
_WORDS: Final = _CLASSES + len(_SHOWN)
_PLACES: Final = {kind: _CLASSES + i for i, kind in enumerate(_SHOWN)}


class Counts:
    """What is counted under one name."""

    def __init__(self) -> None:
        self.rows: WorkerRows
        self.words: memoryview  # of this worker

    def attach(self, rows: WorkerRows) -> None:
        self.rows = rows
        self.use(0)

    def use(self, worker: int) -> None:
        """Count in this worker's row from now on; nothing is under way in it yet."""
        self.words = self.rows.use(worker).view
        self.words[_PROCESSING] = 0  # of one that died

    def count(self, session: Session) -> None:
        """A session ends."""
        words = self.words
        words[_CONNECTIONS] += 1
        words[_RECEIVED] += session.received
        words[_SENT] += session.stream.sent
        words[_PLACES.get(session.status // 100, _DISCARDED)] += 1

    def show(self) -> dict[str, Any]:
        """As the API has it."""
        connections, discarded, received, sent, *classes = self.rows.sums(_CONNECTIONS, _WORDS)
        return {
            # what is under way in the old workers is theirs
            "processing": self.rows.under_way(_PROCESSING),
            "connections": connections,
            "sessions": {**dict(zip(_SHOWN.values(), classes, strict=True)), "total": sum(classes)},
            "discarded": discarded,
            "received": received,
            "sent": sent,
        }


class Table(CountTable[str, Counts]):
    """All counts of one configuration, by name."""

    def __init__(self) -> None:
        super().__init__(_WORDS)


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
        table.add_zone(ZONE, "stream status_zone", scope, loader)


def show(cycle: StreamCycle) -> dict[str, Any]:
    """/stream/server_zones."""
    table: Table | None = cycle.scope.conf(module, "main").table
    return {} if table is None else {name: counts.show() for name, counts in table.counts.items()}


def reset(cycle: StreamCycle, name: str) -> None:
    """Count from 0 on, but for what is under way."""
    cycle.scope.conf(module, "main").table.counts[name].rows.clear(_CONNECTIONS, _WORDS)


def plan(conf: ServerConf, server: Server) -> Contribution:
    counts: Counts | None = conf.counts
    if counts is None:
        return NOTHING

    def end() -> None:
        counts.words[_PROCESSING] -= 1

    def begin(session: Session) -> Result:
        counts.words[_PROCESSING] += 1
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
