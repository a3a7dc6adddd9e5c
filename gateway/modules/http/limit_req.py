"""limit_req: the rate of requests by a key, a leaky bucket in shared memory; `limit_req_zone` and its directives."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gateway.cluster.rates import Rates
from gateway.cluster.sync import SYNCED, Synced
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, HTTP, Command, Directive, enum_, flag, number, take
from gateway.config.text import to_bytes
from gateway.core.variables import Variable
from gateway.core.zone_directives import add_zone, name_and_size
from gateway.core.zones import Zone, ZoneError
from gateway.http.delay import wait_until
from gateway.http.module import NOTHING, Contribution, Count, HttpModule, Phase, Result
from gateway.http.part import Part
from gateway.http.setters import template

if TYPE_CHECKING:
    from gateway._fast.zones import Lock, Table, Words
    from gateway.core.template import Template
    from gateway.http.client import Client
    from gateway.http.locations import Location
    from gateway.http.request import Request

# A record's words. Times are the lane's, in milliseconds; excess is in thousandths of a request.
# _ADMITTED: with `sync`, the requests let in since the last round.
_LAST: Final = 0
_EXCESS: Final = 1
_COUNT: Final = 2
_ADMITTED: Final = 3
_WORDS: Final = 4
# What the API shows of a zone, in a word each.
_OUTCOMES: Final = ("passed", "delayed", "rejected", "delayed_dry_run", "rejected_dry_run")
_PASSED, _DELAYED, _REJECTED, _DELAYED_DRY_RUN, _REJECTED_DRY_RUN = range(5)
# Beside them, how often a key was asked for since the last round: as many of the newest records may have changed.
_ASKED: Final = len(_OUTCOMES)
# And when that was (ms); 0 after a round that did not arrive.
_TAKEN: Final = _ASKED + 1
# Holds an IPv6 address; of longer keys the table keeps a digest.
_KEY_SIZE: Final = 24
_MAX_KEY: Final = 65535
# Records whose bucket ran empty this long ago may go.
_IDLE_MS: Final = 60_000

_OWNER: Final = "limit_req"
_STATUS: Final = "limit_req_status"
_LEVELS: Final = {"info": "info", "notice": "notice", "warn": "warn", "error": "error"}
# A delay is logged one level below a refusal.
_DELAY_LEVELS: Final = {"info": "info", "notice": "info", "warn": "notice", "error": "warn"}


class Bucket:
    """What a zone is used for: its key, its rate, and the records in its memory."""

    def __init__(self, name: str, key: Template, rate: int, synced: bool = False) -> None:
        self.name = name
        self.key = key
        self.rate = rate  # thousandths of a request a second
        self.synced = synced
        self.longest = (1 << 62) // rate  # as many milliseconds as can be counted: any bucket is empty by then
        self.table: Table
        self.counts: Words
        self.zone: Zone
        self.lock: Lock

    def attach(self, zone: Zone, old: Bucket | None) -> None:
        """Called when the zone has its memory, which may be the old cycle's."""
        self.zone = zone
        self.lock = zone.lock
        if old is None:
            self.counts = zone.words(_TAKEN + 1)
            self.table = zone.table(_KEY_SIZE, _WORDS)
        elif old.key.text != self.key.text:
            raise ZoneError(
                f'limit_req "{self.name}" uses the "{self.key.text}" key '
                f'while previously it used the "{old.key.text}" key'
            )
        else:
            self.table, self.counts = old.table, old.counts
        zone.data = self

    def show(self) -> dict[str, int]:
        """/http/limit_reqs/NAME of the API."""
        return dict(zip(_OUTCOMES, self.counts.view[: len(_OUTCOMES)], strict=True))

    def reset(self) -> None:
        for index in range(len(_OUTCOMES)):
            self.counts.store(index, 0)

    def elapsed(self, record: Count, now: Count) -> Count:
        """Milliseconds since the record's last request."""
        elapsed = now - self.table.word(record, _LAST)
        if elapsed < -_IDLE_MS:
            return 1
        return max(elapsed, 0)

    def excess(self, record: Count, elapsed: Count) -> Count:
        """What the bucket holds with one request more."""
        return max(self.table.word(record, _EXCESS) - self.leaked(elapsed) + 1000, 0)

    def leaked(self, elapsed: Count) -> Count:
        return self.rate * min(elapsed, self.longest) // 1000

    def look_locked(self, key: bytes, burst: Count, now: Count, account: bool) -> tuple[bool, int, int]:
        lock = self.lock
        lock.acquire()
        try:
            return self.look(key, burst, now, account)
        finally:
            lock.release()

    def settle(self, record: Count, now: Count) -> Count:
        """Account for a request in a record that look() has held."""
        lock = self.lock
        lock.acquire()
        try:
            elapsed = self.elapsed(record, now)
            filled = self.excess(record, elapsed)
            self.fill(record, filled, elapsed, now)
            self.table.add_word(record, _COUNT, -1)
        finally:
            lock.release()
        return filled

    def look(self, key: bytes, burst: Count, now: Count, account: bool) -> tuple[bool, int, int]:
        """(allowed, excess, record held for later or -1); the last zone accounts at once. Needs the lock."""
        table = self.table
        if self.synced:
            self.counts.add(_ASKED, 1)
        record = table.get(key)
        if record >= 0:
            table.touch(record)
            elapsed = self.elapsed(record, now)
            excess = self.excess(record, elapsed)
            if excess > burst:
                return False, excess, -1
            if account:
                self.fill(record, excess, elapsed, now)
                return True, excess, -1
            table.add_word(record, _COUNT, 1)
            return True, excess, record
        self.expire(now, 1)
        record = table.insert(key)
        if record < 0:
            self.expire(now, 0)
            record = table.insert(key)
            if record < 0:
                raise MemoryError
        if account:
            table.set_word(record, _LAST, now)
            if self.synced:
                table.set_word(record, _ADMITTED, 1)
            return True, 0, -1
        table.set_word(record, _COUNT, 1)
        return True, 0, record

    def fill(self, record: Count, excess: Count, elapsed: Count, now: Count) -> None:
        self.table.set_word(record, _EXCESS, excess)
        if elapsed:
            self.table.set_word(record, _LAST, now)
        if self.synced:
            self.table.add_word(record, _ADMITTED, 1)

    def expire(self, now: Count, begin: Count) -> None:
        """Drop one or two empty buckets; before them, with 0, the oldest whatever it holds."""
        table = self.table
        for attempt in range(begin, 3):
            record = table.oldest()
            if record < 0 or table.word(record, _COUNT):
                return
            if attempt:
                elapsed = abs(now - table.word(record, _LAST))
                if elapsed < _IDLE_MS or table.word(record, _EXCESS) > self.leaked(elapsed):
                    return
            table.remove(record)

    # `sync` (cluster/rates.py)

    def take_admitted(self) -> list[tuple[bytes, int]]:
        """Keys that were asked for since the last time, and how many requests each let in meanwhile."""
        table = self.table
        now = int(time.monotonic() * 1000)
        found = []
        with self.zone.lock:
            before = self.counts.fetch(_TAKEN, now)
            drained = self.leaked(min(max(now - before, 0), 1000)) if before else 0
            record = table.newest()
            for _ in range(self.counts.fetch(_ASKED, 0)):
                if record < 0:
                    break
                # What has drained meanwhile counts only since the last round: after an hour without the store, which
                # all nodes let in as much as each may, nobody is to be kept out for the next one.
                held = table.word(record, _EXCESS) - self.leaked(max(now - table.word(record, _LAST), 0))
                most = (max(held, 0) + drained) // 1000 + 1
                found.append((table.key(record), min(table.word(record, _ADMITTED), most)))
                table.set_word(record, _ADMITTED, 0)
                record = table.older(record)
        return found

    def give_back(self, admitted: list[tuple[bytes, int]]) -> None:
        """They did not arrive; the next round takes them again."""
        table = self.table
        with self.zone.lock:
            for key, count in reversed(admitted):
                record = table.get(key)
                if record >= 0:
                    table.touch(record)
                    table.add_word(record, _ADMITTED, count)
            self.counts.add(_ASKED, len(admitted))
            self.counts.store(_TAKEN, 0)

    def merge(self, excesses: list[tuple[bytes, int]]) -> None:
        """How full the buckets of all nodes are: where that is more than what is known here, it counts."""
        table = self.table
        now = int(time.monotonic() * 1000)
        with self.zone.lock:
            for key, excess in excesses:
                record = table.get(key)
                if record < 0:
                    continue
                excess += table.word(record, _ADMITTED) * 1000  # let in while the store was asked
                own = table.word(record, _EXCESS) - self.rate * max(now - table.word(record, _LAST), 0) // 1000
                if excess > own:
                    table.set_word(record, _EXCESS, excess)
                    table.set_word(record, _LAST, now)


class Limit:
    """One `limit_req` directive."""

    def __init__(self, zone: Zone, burst: int, delay: int) -> None:
        self.zone = zone
        self.bucket: Bucket | None = None  # the zone's, once it is asked for
        self.burst = burst  # thousandths of a request, as is the next
        self.delay = delay  # an excess up to this is not delayed


@dataclass(slots=True)
class LocationConf(Conf):
    limits: list[Limit] = setting(factory=list)
    status: int = setting(503)
    level: str = setting("error")
    dry_run: bool = setting(False)


def set_zone(conf: Any, command: Command) -> None:
    """limit_req_zone KEY zone=NAME:SIZE [rate=N] [sync]; sync is NGINX Plus's (cluster/)."""
    key = template(command, command.args[0])
    name, size, rate, scale, synced = "", 0, 1, 1, False
    for word in command.args[1:]:
        if word.startswith("zone="):
            name, size = name_and_size(command, word)
        elif word.startswith("rate="):
            text = word[5:]
            if text[-3:] in ("r/s", "r/m"):
                scale = 60 if text.endswith("r/m") else 1
                text = text[:-3]
            if not text.isascii() or not text.isdigit() or int(text) == 0:
                command.fail(f'invalid rate "{word}"')
            rate = int(text)
        elif word == "sync":
            synced = True
        else:
            command.fail(f'invalid parameter "{word}"')
    if not name:
        command.fail(f'"{command.name}" must have "zone" parameter')
    zone = add_zone(command, name, size, _OWNER)
    user = zone.used_by(Bucket)
    if user is not None:
        bound = user.key.text
        command.fail(f'{command.name} "{name}" is already bound to key "{bound}"')
    zone.user = bucket = Bucket(name, key, rate * 1000 // scale, synced)
    if synced:
        command.loader.parts.get(SYNCED).append(Synced(command.where, partial(Rates, bucket)))


def set_limit(conf: LocationConf, command: Command) -> None:
    """limit_req zone=NAME [burst=N] [nodelay | delay=N]."""
    zone: Zone | None = None
    burst = delay = 0
    for word in command.args:
        name, _, text = word.partition("=")
        if name == "zone" and text:
            zone = add_zone(command, text, 0, _OWNER)
        elif name in ("burst", "delay") and word != name:
            if not text.isascii() or not text.isdigit() or int(text) == 0:
                command.fail(f'invalid {name} value "{word}"')
            if name == "burst":
                burst = int(text)
            else:
                delay = int(text)
        elif word == "nodelay":
            delay = 1 << 40
        else:
            command.fail(f'invalid parameter "{word}"')
    if zone is None:
        command.fail(f'"{command.name}" must have "zone" parameter')
    if conf.limits is UNSET:
        conf.limits = []
    if any(limit.zone is zone for limit in conf.limits):
        command.refuse("is duplicate")
    conf.limits.append(Limit(zone, burst * 1000, delay * 1000))


class Check(Part):
    """The handler of one location."""

    def __init__(self, conf: LocationConf) -> None:
        self.limits = tuple(conf.limits)
        self.status: int = conf.status
        self.level: str = conf.level
        self.dry: bytes = b", dry run" if conf.dry_run else b""

    def run(self, request: Request) -> Result | Awaitable[Result]:
        main = request.get_main()
        values = main.get_values()
        if _STATUS in values:
            return None
        client: Client = request.connection
        now = int(client.lane.fresh() * 1000)
        held: list[tuple[Limit, int]] | None = None
        asked: list[Bucket] = []
        worst, excess, limited = 0, 0, None
        last = self.limits[-1]
        for limit in self.limits:
            bucket = limit.bucket
            if bucket is None:
                bucket = limit.bucket = limit.zone.data
            key = bucket.key.value(request)
            if not key:
                continue
            if len(key) > _MAX_KEY:
                request.log(
                    "error",
                    b'the value of the "%b" key is more than 65535 bytes: "%b"' % (to_bytes(bucket.key.text), key),
                )
                continue
            try:
                allowed, excess, record = bucket.look_locked(key, limit.burst, now, limit is last)
            except MemoryError:
                request.log("alert", b'could not allocate node in limit_req zone "%b"' % to_bytes(bucket.name))
                allowed, record = False, -1
            else:
                if not allowed:
                    request.log(self.level, _line(b"limiting requests%b, excess" % self.dry, excess, bucket))
            if not allowed:
                if held is not None:
                    _release(held)
                values[_STATUS] = b"REJECTED_DRY_RUN" if self.dry else b"REJECTED"
                bucket.counts.add(_REJECTED_DRY_RUN if self.dry else _REJECTED, 1)
                return None if self.dry else self.status
            limited = limit
            asked.append(bucket)
            if record >= 0:
                if held is None:
                    held = []
                held.append((limit, record))
            elif excess > limit.delay:
                worst = (excess - limit.delay) * 1000 // bucket.rate
        if limited is None:
            return None
        if held is not None:
            for limit, record in reversed(held):
                bucket = limit.zone.data
                filled = bucket.settle(record, now)
                delay = (filled - limit.delay) * 1000 // bucket.rate
                if filled > limit.delay and delay > worst:
                    worst, excess, limited = delay, filled, limit
        slowest: Bucket | None = limited.zone.data if worst else None
        for bucket in asked:
            outcome = _PASSED if bucket is not slowest else _DELAYED_DRY_RUN if self.dry else _DELAYED
            bucket.counts.add(outcome, 1)
        if slowest is None:
            values[_STATUS] = b"PASSED"
            return None
        request.log(
            _DELAY_LEVELS[self.level], _line(b"delaying request%b, excess" % self.dry, excess, slowest, b",")
        )
        values[_STATUS] = b"DELAYED_DRY_RUN" if self.dry else b"DELAYED"
        return None if self.dry else wait_until(request, client.lane.fresh() + worst / 1000, None)


def plan(conf: LocationConf, location: Location) -> Contribution:
    return Contribution(handlers={Phase.PREACCESS: Check(conf)}) if conf.limits else NOTHING


def _line(what: bytes, excess: int, bucket: Bucket, comma: bytes = b"") -> bytes:
    return b'%b: %d.%03d%b by zone "%b"' % (what, excess // 1000, excess % 1000, comma, to_bytes(bucket.name))


def _release(held: list[tuple[Limit, int]]) -> None:
    """The request was refused by another zone: these do not count it."""
    for limit, record in held:
        bucket: Bucket = limit.zone.data
        with bucket.lock:
            bucket.table.add_word(record, _COUNT, -1)


def status(request: Request) -> bytes | None:
    return request.main.values.get(_STATUS)


module = HttpModule(
    name="limit_req",
    location=LocationConf,
    directives=(
        Directive("limit_req_zone", HTTP, take(3, 4), set_zone, level="main"),
        Directive("limit_req", EVERYWHERE, take(1, 2, 3), set_limit),
        Directive("limit_req_log_level", EVERYWHERE, take(1), enum_("level", _LEVELS)),
        Directive("limit_req_status", EVERYWHERE, take(1), number("status", 400, 599)),
        Directive("limit_req_dry_run", EVERYWHERE, FLAG, flag("dry_run")),
    ),
    variables=(Variable("limit_req_status", status),),
    plan=plan,
)
