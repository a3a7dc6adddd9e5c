"""limit_req: the rate of requests by a key, a leaky bucket in shared memory; `limit_req_zone` and its directives."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gateway.cluster.exact import EXACT, Exacted
from gateway.cluster.rates import Rates
from gateway.cluster.sync import SYNCED, Synced
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, HTTP, Command, Directive, enum_, flag, number, take
from gateway.config.errors import ConfigError
from gateway.config.text import to_bytes
from gateway.core.event_log import the_events
from gateway.core.variables import Variable
from gateway.core.zone_directives import add_zone, name_and_size, no_more_than
from gateway.http.delay import wait_until
from gateway.http.module import NOTHING, Contribution, Count, HttpModule, Phase, Result
from gateway.http.part import Part
from gateway.http.setters import template
from gateway.modules.http.limit_req_bucket import Bucket
from gateway.modules.http.limit_req_exact import ask_store

if TYPE_CHECKING:
    from gateway.cluster.exact import Exact
    from gateway.config.errors import Where
    from gateway.core.zones import Zone
    from gateway.http.client import Client
    from gateway.http.locations import Location
    from gateway.http.request import Request

# Of the API's words for outcomes (limit_req_bucket.py).
_PASSED, _DELAYED, _REJECTED, _DELAYED_DRY_RUN, _REJECTED_DRY_RUN = range(5)
_MAX_KEY: Final = 65535

_OWNER: Final = "limit_req"
_STATUS: Final = "limit_req_status"
_LEVELS: Final = {"info": "info", "notice": "notice", "warn": "warn", "error": "error"}
# A delay is logged one level below a refusal.
_DELAY_LEVELS: Final = {"info": "info", "notice": "info", "warn": "notice", "error": "warn"}


class Limit:
    """One `limit_req` directive."""

    def __init__(self, zone: Zone, burst: int, delay: int, exact: bool = False) -> None:
        self.zone = zone
        self.bucket: Bucket | None = None  # the zone's, once it is asked for
        self.burst = burst  # thousandths of a request, as is the next
        self.delay = delay  # an excess up to this is not delayed
        self.exact = exact  # the store is asked, too


@dataclass(slots=True)
class LocationConf(Conf):
    limits: list[Limit] = setting(factory=list)
    status: int = setting(503)
    level: str = setting("error")
    dry_run: bool = setting(False)


def set_zone(conf: Any, command: Command) -> None:
    """limit_req_zone KEY zone=NAME:SIZE [rate=N] [sync]; sync is NGINX Plus's (cluster/)."""
    no_more_than(command, 3)
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
    """limit_req zone=NAME [burst=N] [nodelay | delay=N] [exact]."""
    zone: Zone | None = None
    burst = delay = 0
    exact = False
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
        elif word == "exact":
            exact = True
        else:
            command.fail(f'invalid parameter "{word}"')
    if zone is None:
        command.fail(f'"{command.name}" must have "zone" parameter')
    if conf.limits is UNSET:
        conf.limits = []
    if any(limit.zone is zone for limit in conf.limits):
        command.refuse("is duplicate")
    conf.limits.append(Limit(zone, burst * 1000, delay * 1000, exact))
    if exact:
        command.loader.parts.get(EXACT).append(Exacted(command.where, partial(_asks, zone, command.where)))


def _asks(zone: Zone, where: Where, exact: Exact) -> None:
    """The configuration is read: who asks the store for this zone."""
    bucket = zone.user
    if not isinstance(bucket, Bucket) or not bucket.synced:
        raise ConfigError(f'"exact" needs "sync" on "limit_req_zone" of "{zone.name}"', where)
    bucket.exact = exact


class Check(Part):
    """The handler of one location."""

    def __init__(self, conf: LocationConf) -> None:
        self.limits = tuple(conf.limits)
        self.status: int = conf.status
        self.level: str = conf.level
        self.dry: bytes = b", dry run" if conf.dry_run else b""
        self.exact = any(limit.exact for limit in self.limits)

    def run(self, request: Request) -> Result | Awaitable[Result]:
        main = request.get_main()
        values = main.get_values()
        if _STATUS in values:
            return None
        client: Client = request.connection
        now = int(client.lane.fresh() * 1000)
        held: list[tuple[Limit, int]] | None = None
        asked: list[Bucket] = []
        passed: list[tuple[Limit, bytes]] | None = [] if self.exact else None
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
                the_events().tell_once("alert", "limit zone", bucket.name, "is full", "its records are all in use")
                allowed, record = False, -1
            else:
                if not allowed:
                    request.log(self.level, _line(b"limiting requests%b, excess" % self.dry, excess, bucket))
            if not allowed:
                if held is not None:
                    _release(held)
                return self.refuse(request, bucket)
            limited = limit
            asked.append(bucket)
            if passed is not None:
                passed.append((limit, key))
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
        if passed is not None:
            return ask_store(self, request, passed, asked, worst, excess, limited)
        return self.let_in(request, asked, worst, excess, limited)

    def refuse(self, request: Request, bucket: Bucket) -> Result:
        request.get_main().get_values()[_STATUS] = b"REJECTED_DRY_RUN" if self.dry else b"REJECTED"
        bucket.counts.add(_REJECTED_DRY_RUN if self.dry else _REJECTED, 1)
        return None if self.dry else self.status

    def refuse_full(self, request: Request, bucket: Bucket, excess: int) -> Result:
        """The bucket of all nodes is full."""
        request.log(self.level, _line(b"limiting requests%b, excess" % self.dry, excess, bucket))
        return self.refuse(request, bucket)

    def let_in(
        self, request: Request, asked: Any, worst: Count, excess: Count, limited: Limit
    ) -> Result | Awaitable[Result]:
        """It goes on, at once or after `worst` milliseconds."""
        values = request.get_main().get_values()
        client: Client = request.connection
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
        bucket.let_go(record)


def status(request: Request) -> bytes | None:
    return request.main.values.get(_STATUS)


module = HttpModule(
    name="limit_req",
    location=LocationConf,
    directives=(
        Directive("limit_req_zone", HTTP, take(3, 4), set_zone, level="main"),
        Directive("limit_req", EVERYWHERE, take(1, 2, 3, 4), set_limit),
        Directive("limit_req_log_level", EVERYWHERE, take(1), enum_("level", _LEVELS)),
        Directive("limit_req_status", EVERYWHERE, take(1), number("status", 400, 599)),
        Directive("limit_req_dry_run", EVERYWHERE, FLAG, flag("dry_run")),
    ),
    variables=(Variable("limit_req_status", status),),
    plan=plan,
)
