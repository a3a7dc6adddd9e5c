"""limit_conn: how many requests of a key may be under way at once; `limit_conn_zone` and its directives.

nginx never takes back what a worker had counted that was killed, so that its clients stay limited for ever. Here each
worker has a record of its own for a key beside the sum, and the master takes off what a dead one left.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.cut import joined
from gateway.cluster.counts import Counts
from gateway.cluster.sync import SYNCED, Synced
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, HTTP, Command, Directive, enum_, flag, number, take
from gateway.config.text import to_bytes
from gateway.core.event_log import the_events
from gateway.core.variables import Variable
from gateway.core.zone_directives import add_zone, name_and_size, no_more_than
from gateway.core.zones import Zone, ZoneError
from gateway.http.module import NOTHING, Contribution, Count, HttpModule, Phase, Result
from gateway.http.part import Part
from gateway.http.setters import cycle_of, template

if TYPE_CHECKING:
    from gateway._fast.zones import Lock, Table, Words
    from gateway.core.template import Template
    from gateway.http.locations import Location
    from gateway.http.request import Request

# A record's words. Of a sum the pid is 0; a worker's own names the record of its sum.
_COUNT: Final = 0
_PID: Final = 1
_SUM: Final = 2
_WORDS: Final = 3
# Holds an IPv6 address and a pid; of longer keys the table keeps a digest.
_KEY_SIZE: Final = 24
_SUM_PID: Final = b"\0\0\0\0"
_OTHERS_PID: Final = b"\xff\xff\xff\xff"  # with `sync`: what the other nodes have
_MAX_KEY: Final = 255
_MAX_LIMIT: Final = 65535

# What the API shows of a zone, in a word each.
_OUTCOMES: Final = ("passed", "rejected", "rejected_dry_run")
_PASSED: Final = 0
_REJECTED: Final = 1
_REJECTED_DRY_RUN: Final = 2
# Beside them, how many of the newest records may have changed since the last round of `sync`.
_CHANGES: Final = len(_OUTCOMES)
STATUS: Final = "limit_conn_status"
REJECTED: Final = b"REJECTED"
LEVELS: Final = {"info": "info", "notice": "notice", "warn": "warn", "error": "error"}


class Full(Exception):
    """The key has as many as it may have, or (`no_memory`) the zone holds no more keys."""

    def __init__(self, no_memory: bool) -> None:
        super().__init__(no_memory)
        self.no_memory = no_memory


class Connections:
    """What a zone is used for: its key, and the counts in its memory."""

    def __init__(self, name: str, key: Template, synced: bool = False) -> None:
        self.name = name
        self.key = key
        self.synced = synced
        self.pid: int = -1  # of this worker, and as it begins its keys, once it has counted something
        self.pid_bytes = b""
        self.table: Table
        self.counts: Words
        self.zone: Zone
        self.lock: Lock

    def attach(self, zone: Zone, old: Connections | None) -> None:
        """Called when the zone has its memory, which may be the old cycle's."""
        self.zone = zone
        self.lock = zone.lock
        if old is None:
            self.counts = zone.words(len(_OUTCOMES) + 1)
            self.table = zone.table(_KEY_SIZE, _WORDS)
        elif old.key.text != self.key.text:
            raise ZoneError(
                f'limit_conn_zone "{self.name}" uses the "{self.key.text}" key '
                f'while previously it used the "{old.key.text}" key'
            )
        else:
            self.table, self.counts = old.table, old.counts
        zone.data = self

    def become(self, pid: Count) -> None:
        """What is counted from now on is this process's. The master counts nothing, so that no worker inherits one."""
        self.pid_bytes = int(pid).to_bytes(4, "big")
        self.pid = pid

    def enter(self, key: bytes, limit: Count) -> Count:
        """Count one more; the record to leave() with. Errors: Full."""
        table = self.table
        if self.pid < 0:
            self.become(os.getpid())
        lock = self.lock
        if self.synced:
            key = _fitted(key)
            self.counts.add(_CHANGES, 2)
        lock.acquire()
        try:
            total = table.insert(joined(_SUM_PID, key))
            if total < 0:
                raise Full(True)
            if table.word(total, _COUNT) >= limit:
                raise Full(False)
            own = table.insert(joined(self.pid_bytes, key))
            if own < 0:
                if not table.word(total, _COUNT):
                    table.remove(total)
                raise Full(True)
            table.set_word(own, _PID, self.pid)
            table.set_word(own, _SUM, total)
            table.add_word(own, _COUNT, 1)
            table.add_word(total, _COUNT, 1)
        finally:
            lock.release()
        return own

    def leave(self, own: Count) -> None:
        lock = self.lock
        lock.acquire()
        try:
            self._take(own, 1)
        finally:
            lock.release()

    def _take(self, own: Count, count: Count) -> None:
        table = self.table
        total = table.word(own, _SUM)
        if table.add_word(own, _COUNT, -count) <= 0:
            table.remove(own)
        if table.add_word(total, _COUNT, -count) <= 0 and not self.synced:
            table.remove(total)
        if self.synced:  # it stays until the other nodes know
            table.touch(total)
            self.counts.add(_CHANGES, 1)

    def bury(self, pid: int) -> None:
        """Take off what a worker had under way that is dead."""
        table = self.table
        with self.lock:
            for record in [record for record in table.newest() if table.word(record, _PID) == pid]:
                self._take(record, table.word(record, _COUNT))

    # `sync` (cluster/counts.py)

    def take_counts(self, everything: bool) -> list[tuple[bytes, int]]:
        """Keys whose count may have changed since the last time, or all; and how many this node has of each."""
        table = self.table
        found = []
        with self.zone.lock:
            changes = self.counts.fetch(_CHANGES, 0)
            for record in table.newest(-1 if everything else changes):
                name = table.key(record)
                if name[:4] == _SUM_PID:
                    others = table.get(_OTHERS_PID + name[4:])
                    here = table.word(record, _COUNT) - (table.word(others, _COUNT) if others >= 0 else 0)
                    found.append((name[4:], here))
                    if table.word(record, _COUNT) <= 0:
                        table.remove(record)
        return found

    def give_back(self, counts: list[tuple[bytes, int]]) -> None:
        """They did not arrive; the next round takes them again."""
        with self.zone.lock:
            for key, _ in reversed(counts):
                self.table.insert(_SUM_PID + key)
            self.counts.add(_CHANGES, len(counts))

    def set_others(self, counts: list[tuple[bytes, int]]) -> None:
        """How many the other nodes have."""
        table = self.table
        with self.zone.lock:
            for key, count in counts:
                record = table.get(_OTHERS_PID + key)
                had = table.word(record, _COUNT) if record >= 0 else 0
                if count == had:
                    continue
                total = table.get(_SUM_PID + key)
                if total < 0:
                    total = table.insert(_SUM_PID + key)
                    if total < 0:
                        continue  # the zone is full
                if record < 0:
                    record = table.insert(_OTHERS_PID + key)
                    if record < 0:
                        continue
                table.set_word(record, _COUNT, count)
                if not count:
                    table.remove(record)
                if table.add_word(total, _COUNT, count - had) <= 0:
                    table.remove(total)

    def forget_others(self) -> None:
        """Nothing is known of the other nodes."""
        table = self.table
        with self.zone.lock:
            names = map(table.key, table.newest())
            keys = [name[4:] for name in names if name[:4] == _OTHERS_PID]
        self.set_others([(key, 0) for key in keys])

    def show(self) -> dict[str, int]:
        """/http/limit_conns/NAME of the API."""
        return dict(zip(_OUTCOMES, self.counts.view[: len(_OUTCOMES)], strict=True))

    def reset(self) -> None:
        for index in range(len(_OUTCOMES)):
            self.counts.store(index, 0)


def _fitted(key: bytes) -> bytes:
    """A key that the table keeps as it is, behind a pid."""
    return key if len(key) <= _KEY_SIZE - 4 else blake2b(key, digest_size=16).digest()


class Held:
    """What was counted once; calling it takes it off again."""

    def __init__(self, connections: Connections, record: int) -> None:
        self.connections = connections
        self.record = record

    def __call__(self) -> None:
        self.connections.leave(self.record)


class Limit:
    """One `limit_conn` directive."""

    def __init__(self, zone: Zone, most: int) -> None:
        self.zone = zone
        self.most = most
        self.connections: Connections | None = None  # the zone's, once it has its memory


@dataclass(slots=True)
class LimitConf(Conf):
    """What http and stream have in common."""

    limits: list[Limit] = setting(factory=list)
    level: str = setting("error")
    dry_run: bool = setting(False)


@dataclass(slots=True)
class LocationConf(LimitConf):
    status: int = setting(503)


def zone_setter(owner: str) -> Any:
    def set_zone(conf: Any, command: Command) -> None:
        """limit_conn_zone KEY zone=NAME:SIZE [sync]; sync is NGINX Plus's (cluster/)."""
        no_more_than(command, 2)
        key = template(command, command.args[0])
        word = command.args[1]
        synced = command.args[2:] == ["sync"]
        if not word.startswith("zone="):
            command.fail(f'invalid parameter "{word}"')
        name, size = name_and_size(command, word)
        if not name:
            command.fail(f'"{command.name}" must have "zone" parameter')
        zone = add_zone(command, name, size, owner)
        user = zone.used_by(Connections)
        if user is not None:
            bound = user.key.text
            command.fail(f'{command.name} "{name}" is already bound to key "{bound}"')
        connections = zone.user = Connections(name, key, synced)
        if synced:
            command.loader.parts.get(SYNCED).append(Synced(command.where, partial(Counts, connections)))
        cycle_of(command).on_worker_death.append(connections.bury)

    return set_zone


def limit_setter(owner: str) -> Any:
    def set_limit(conf: LimitConf, command: Command) -> None:
        """limit_conn ZONE NUMBER."""
        name, text = command.args
        zone = add_zone(command, name, 0, owner)
        if conf.limits is UNSET:
            conf.limits = []
        if any(limit.zone is zone for limit in conf.limits):
            command.refuse("is duplicate")
        if not text.isascii() or not text.isdigit() or int(text) == 0:
            command.fail(f'invalid number of connections "{text}"')
        if int(text) > _MAX_LIMIT:
            command.fail("connection limit must be less 65536")
        conf.limits.append(Limit(zone, int(text)))

    return set_limit


class Limits:
    """All `limit_conn` of a location or a server."""

    def __init__(self, settings: LimitConf) -> None:
        self.limits: tuple[Limit, ...] = tuple(settings.limits)
        self.level = settings.level
        self.dry: bool = settings.dry_run

    def enter(self, subject: Any, held: list[Any]) -> bytes | None:
        """Count a request or a session in all zones: what became of it; None where no key had a value.

        What takes it off again is added to `held`.
        """
        before = len(held)
        outcome: bytes | None = None
        for limit in self.limits:
            connections = limit.connections
            if connections is None:
                connections = limit.connections = limit.zone.data
            key: bytes = connections.key.value(subject)
            if not key:
                continue
            if len(key) > _MAX_KEY:
                name = to_bytes(connections.key.text)
                subject.log("error", b'the value of the "%b" key is more than 255 bytes: "%b"' % (name, key))
                continue
            try:
                own = connections.enter(key, limit.most)
            except Full as full:
                for leave in held[before:]:
                    leave()
                del held[before:]
                return self._rejected(subject, connections, full)
            connections.counts.add(_PASSED, 1)
            held.append(Held(connections, own))
            outcome = b"PASSED"
        return outcome

    def _rejected(self, subject: Any, connections: Connections, full: Full) -> bytes:
        if not full.no_memory:
            dry = b", dry run," if self.dry else b""
            subject.log(self.level, b'limiting connections%b by zone "%b"' % (dry, to_bytes(connections.name)))
        else:
            the_events().tell_once("alert", "limit zone", connections.name, "is full", "its records are all in use")
        connections.counts.add(_REJECTED_DRY_RUN if self.dry else _REJECTED, 1)
        return b"REJECTED_DRY_RUN" if self.dry else REJECTED


class Check(Part):
    """The handler of one location."""

    def __init__(self, settings: LocationConf) -> None:
        self.limits = Limits(settings)
        self.status: int = settings.status

    def run(self, request: Request) -> Result:
        main = request.get_main()
        values = main.get_values()
        if STATUS in values:
            return None
        outcome = self.limits.enter(request, main.cleanups)
        if outcome is not None:
            values[STATUS] = outcome
            if outcome == REJECTED:
                return self.status
        return None


def plan(settings: LocationConf, location: Location) -> Contribution:
    return Contribution(handlers={Phase.PREACCESS: Check(settings)}) if settings.limits else NOTHING


def status(request: Request) -> bytes | None:
    return request.main.values.get(STATUS)


module = HttpModule(
    name="limit_conn",
    location=LocationConf,
    directives=(
        Directive("limit_conn_zone", HTTP, take(2, 3), zone_setter("limit_conn"), level="main"),
        Directive("limit_conn", EVERYWHERE, take(2), limit_setter("limit_conn")),
        Directive("limit_conn_log_level", EVERYWHERE, take(1), enum_("level", LEVELS)),
        Directive("limit_conn_status", EVERYWHERE, take(1), number("status", 400, 599)),
        Directive("limit_conn_dry_run", EVERYWHERE, FLAG, flag("dry_run")),
    ),
    variables=(Variable("limit_conn_status", status),),
    plan=plan,
)
