"""What the API shows and changes of an upstream: NGINX Plus's objects, version 9.

Only upstreams with `zone` are shown. Of an upstream's `keepalive` the number is this worker's.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any, Final

from gateway.config import units
from gateway.config.text import to_bytes
from gateway.core.turns import PORTION, Work
from gateway.upstream.peers import changes
from gateway.upstream.peers.address import inet_address, parse_target
from gateway.upstream.peers.peers import DOWN, DRAINING, PEER, TEMPLATE, UNHEALTHY, Peer, UpstreamServer
from gateway.upstream.peers.zone import clear_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.upstream.peers.address import Address
    from gateway.upstream.peers.upstreams import Upstream
    from gateway.upstream.peers.zone import SharedPeers

_HTTP_PORT: Final = 80
_ROUTE_MAX: Final = 32
_MOST: Final = 1 << 31


class ApiError(Exception):
    """What the API refuses: the status, the text and NGINX Plus's code of it."""

    def __init__(self, status: int, text: str, code: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code


def stamp(wall_ms: int) -> str:
    """A time as the API writes it."""
    seconds, ms = divmod(wall_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ms:03}Z"


def text_of(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


# -- what is shown -----------------------------------------------------------------------------------------------------


def describe_stream(upstream: Upstream, now: int) -> dict[str, Any]:
    """/stream/upstreams/NAME: peers have connections instead of requests, and no responses of theirs are known."""
    shared = upstream.shared
    assert shared is not None
    return {"peers": map(_of_sessions, _peers(shared, now)), "zombies": shared.zombies, "zone": shared.zone.name}


def _of_sessions(peer: dict[str, Any]) -> dict[str, Any]:
    peer["connections"] = peer.pop("requests")
    peer["first_byte_time"] = peer.pop("header_time")
    del peer["responses"]
    return peer


def describe(upstream: Upstream, now: int) -> dict[str, Any]:
    """/http/upstreams/NAME; peers, of which there may be thousands, are made as they are asked for."""
    shared = upstream.shared
    assert shared is not None
    found: dict[str, Any] = {
        "peers": _peers(shared, now),
        "keepalive": upstream.keepalive.idle_count() if upstream.keepalive is not None else 0,
        "zombies": shared.zombies,
        "zone": shared.zone.name,
    }
    queue = upstream.queue
    if queue is not None:
        found["queue"] = {"size": len(queue), "max_size": queue.size, "overflows": queue.overflows}
    return found


def _peers(shared: SharedPeers, now: int) -> Iterator[dict[str, Any]]:
    return (_peer(shared, peer, now) for peer in shared.members() if peer.slot == PEER)


def responses(counts: list[int], codes: list[int] | dict[int, int] | None = None) -> dict[str, Any]:
    """The counts of 1xx to 5xx, and their sum; `codes`, where they are counted, by status or all from 100 on."""
    found: dict[str, Any] = {f"{number}xx": count for number, count in enumerate(counts, 1)}
    if isinstance(codes, dict):
        found["codes"] = {str(code): count for code, count in codes.items()}
    elif codes is not None:
        # most zones have none of most codes: C looks for the first of each hundred
        found["codes"] = {
            str(code): count
            for start in range(0, len(codes), 100)
            if any(codes[start : start + 100])
            for code, count in enumerate(codes[start : start + 100], start + 100)
            if count
        }
    return {**found, "total": sum(counts)}


def _peer(shared: SharedPeers, peer: Peer, now: int) -> dict[str, Any]:
    counts = [getattr(peer, f"responses_{number}xx") for number in range(1, 6)]
    found: dict[str, Any] = {
        "id": peer.id,
        "server": text_of(peer.name),
        "name": text_of(peer.server),
        "backup": shared.is_backup(peer),
        "weight": peer.weight,
        "state": peer.state(now),
        "active": peer.conns,
        "requests": peer.requests,
        "header_time": peer.header_time,
        "response_time": peer.response_time,
        "responses": responses(counts, peer.codes),
        "sent": peer.sent,
        "received": peer.received,
        "fails": peer.failed,
        "unavail": peer.unavail,
        "health_checks": {
            "checks": peer.checks,
            "fails": peer.check_fails,
            "unhealthy": peer.unhealthy,
        },
        "downtime": peer.downtime,
    }
    if peer.service:
        found["service"] = text_of(peer.service)
    if peer.max_conns:
        found["max_conns"] = peer.max_conns
    if peer.checks:
        found["health_checks"]["last_passed"] = bool(peer.last_passed)
    if peer.downstart:
        found["downtime"] += max(time.time_ns() // 1_000_000 - peer.downstart, 0)
        found["downstart"] = stamp(peer.downstart)
    if peer.selected:
        found["selected"] = stamp(peer.selected)
    return found


def duration(ms: int) -> str:
    return f"{ms // 1000}s" if ms % 1000 == 0 else f"{ms}ms"


def configured(shared: SharedPeers, peer: Peer) -> dict[str, Any]:
    """/http/upstreams/NAME/servers/ID."""
    found: dict[str, Any] = {
        "id": peer.id,
        "server": text_of(peer.name or peer.server),
        "weight": peer.weight,
        "max_conns": peer.max_conns,
        "max_fails": peer.max_fails,
        "fail_timeout": duration(peer.fail_timeout * 1000),
        "slow_start": duration(peer.slow_start),
        "route": text_of(peer.route),
        "backup": shared.is_backup(peer),
        "down": bool(peer.down & DOWN),
    }
    if peer.down & DRAINING:
        found["drain"] = True
    if peer.service:
        found["service"] = text_of(peer.service)
    if peer.parent >= 0:
        found["parent"] = peer.parent
        found["host"] = text_of(peer.server)
    return found


def servers(shared: SharedPeers) -> Iterator[dict[str, Any]]:
    """/http/upstreams/NAME/servers."""
    return (configured(shared, peer) for peer in shared.members())


def find(shared: SharedPeers, text: str) -> Peer:
    """The peer of an id in a path. Errors: ApiError."""
    if not text.isascii() or not text.isdigit():
        raise ApiError(400, "invalid server ID", "UpstreamBadServerId")
    number = units.number_of(text)
    for peer in shared.members():
        if peer.id == number:
            return peer
    raise ApiError(404, f'server with ID "{text}" does not exist', "UpstreamServerNotFound")


# -- what is changed ---------------------------------------------------------------------------------------------------

_FORMAT: Final = "UpstreamConfFormatError"


def _number(values: dict[str, Any], key: str, code: str, least: int) -> int:
    value = values[key]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < _MOST:
        raise ApiError(400, f"invalid {key}", code)
    return value


def _flag(values: dict[str, Any], key: str) -> bool:
    value = values[key]
    if not isinstance(value, bool):
        raise ApiError(400, "invalid parameter value", _FORMAT)
    return value


def _text(values: dict[str, Any], key: str) -> str:
    value = values[key]
    if not isinstance(value, str):
        raise ApiError(400, "invalid parameter value", _FORMAT)
    return value


def _bytes(values: dict[str, Any], key: str) -> bytes:
    try:
        return to_bytes(_text(values, key))
    except UnicodeEncodeError:  # half of a surrogate pair that stands for no byte
        raise ApiError(400, "invalid parameter value", _FORMAT) from None


def _time_ms(values: dict[str, Any], key: str, code: str) -> int:
    value = values[key]
    try:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(value)
        return units.parse_time_ms(str(value))
    except ValueError:
        raise ApiError(400, f"invalid {key}", code) from None


def _read(server: UpstreamServer, values: dict[str, Any]) -> None:
    """Put the parameters of a request into a Server, all but its address. Errors: ApiError."""
    for key, value in values.items():
        if isinstance(value, dict | list):
            raise ApiError(400, "nested object or list", _FORMAT)
        if key == "weight":
            server.weight = _number(values, key, "UpstreamBadWeight", 1)
        elif key == "max_conns":
            server.max_conns = _number(values, key, "UpstreamBadMaxConns", 0)
        elif key == "max_fails":
            server.max_fails = _number(values, key, "UpstreamBadMaxFails", 0)
        elif key == "fail_timeout":
            server.fail_timeout = _time_ms(values, key, "UpstreamBadFailTimeout") // 1000
        elif key == "slow_start":
            server.slow_start = _time_ms(values, key, "UpstreamBadSlowStart")
        elif key == "route":
            server.route = _bytes(values, key)
            if len(server.route) > _ROUTE_MAX:
                raise ApiError(400, "route is too long", "UpstreamBadRoute")
        elif key == "backup":
            server.backup = _flag(values, key)
        elif key == "down":
            server.down = DOWN if _flag(values, key) else 0
        elif key == "drain":
            if _flag(values, key):
                server.down = DRAINING
            elif server.down == DRAINING:
                server.down = 0
        elif key == "service":
            server.service = _bytes(values, key)
            if not server.service:
                raise ApiError(400, '"service" is empty', "UpstreamBadService")
        elif key == "server":
            _text(values, key)
        else:
            raise ApiError(400, f'unknown parameter "{key}"', _FORMAT)


def _aim(upstream: Upstream, server: UpstreamServer, text: str) -> Address | None:
    """Where the server is; None for a name, which is resolved at run time. Errors: ApiError."""
    try:
        target = parse_target(text.encode("utf-8", "surrogateescape"), _HTTP_PORT)
    except ValueError as error:
        raise ApiError(400, f'{error} in upstream "{text}"', "UpstreamBadAddress") from None
    address = target.address
    if server.service:
        if address is not None:
            raise ApiError(400, f'service upstream "{text}" requires domain name', "UpstreamBadAddress")
        if not target.no_port:
            raise ApiError(400, f'service upstream "{text}" may not have port', "UpstreamBadAddress")
        server.name = target.host
    elif address is not None:
        if target.no_port and not address.is_unix:
            address = inet_address(text.strip("[]"), target.port)
        server.name = address.name
    else:
        server.name = b"%b:%d" % (target.host, target.port)
    if address is None:
        if upstream.resolver is None:
            raise ApiError(400, f'no resolver defined to resolve "{text}"', "UpstreamConfNoResolver")
        server.resolve = True
    return address


def add(upstream: Upstream, values: dict[str, Any], by: str = "") -> dict[str, Any]:
    """POST: another server; `by` is who asked, for the event log. Errors: ApiError."""
    shared = upstream.shared
    assert shared is not None
    server = UpstreamServer(b"")
    _read(server, values)
    if "server" not in values:
        raise ApiError(400, 'missing "server" argument', _FORMAT)
    if server.backup and upstream.without_backup:
        raise ApiError(400, f'upstream "{text_of(upstream.name)}" has no backup', "UpstreamNoBackup")
    address = _aim(upstream, server, values["server"])
    try:
        peer = shared.add(server, address)
    except MemoryError:
        name = text_of(upstream.name)
        raise ApiError(500, f'upstream "{name}" memory exhausted', "UpstreamOutOfMemory") from None
    except ValueError as error:
        raise ApiError(400, str(error), "UpstreamBadAddress") from None
    changes.tell(upstream.name, peer, b"was added", to_bytes(by), good=True)
    return configured(shared, peer)


def change(upstream: Upstream, peer: Peer, values: dict[str, Any], by: str = "") -> dict[str, Any]:
    """PATCH: other parameters for a server; `by` is who asked. Errors: ApiError."""
    shared = upstream.shared
    assert shared is not None
    server = UpstreamServer(
        peer.server,
        weight=peer.weight,
        max_conns=peer.max_conns,
        max_fails=peer.max_fails,
        fail_timeout=peer.fail_timeout,
        slow_start=peer.slow_start,
        backup=shared.is_backup(peer),
        down=peer.down,
        route=peer.route,
        service=peer.service,
    )
    before, name = dataclasses.replace(server), peer.name
    _read(server, values)
    for key, old, new in (("backup", before.backup, server.backup), ("service", before.service, server.service)):
        if old != new:
            raise ApiError(400, f'"{key}" cannot be changed', _FORMAT)
    if peer.slot == TEMPLATE and server.route != before.route:
        raise ApiError(400, '"route" cannot be changed', _FORMAT)
    address = peer.address
    if "server" in values and values["server"] not in (text_of(peer.name), text_of(peer.server)):
        moved = _aim(upstream, server, values["server"])
        if moved is None or peer.slot == TEMPLATE or peer.parent >= 0:
            raise ApiError(400, f'server "{peer.id}" cannot be moved', "UpstreamServerImmutable")
        address = moved
    if server.name != peer.server or address != peer.address or server.route != before.route:
        peer = shared.rename(peer.id, server, address) or peer
    shared.change(
        peer.id,
        weight=server.weight,
        max_conns=server.max_conns,
        max_fails=server.max_fails,
        fail_timeout=server.fail_timeout,
        slow_start=server.slow_start,
        down=server.down,
    )
    changes.tell_setting(upstream.name, name, before, server, by)
    return configured(shared, peer)


def remove(upstream: Upstream, peer: Peer, by: str = "") -> None:
    """DELETE; `by` is who asked. Errors: ApiError."""
    shared = upstream.shared
    assert shared is not None
    if peer.parent >= 0:
        raise ApiError(400, f'server "{peer.id}" not removable', "UpstreamServerImmutable")
    shared.remove(peer.id)
    changes.tell(upstream.name, peer, b"was removed", to_bytes(by), good=True)


_COUNTERS: Final = (
    "checks", "check_fails", "unhealthy", "requests", "sent", "received", "failed", "unavail", "downtime",
    "responses_1xx", "responses_2xx", "responses_3xx", "responses_4xx", "responses_5xx",
)  # fmt: skip


def reset(upstream: Upstream) -> Work[None]:
    """DELETE of an upstream: its counters begin anew."""
    shared = upstream.shared
    assert shared is not None
    for number, peer in enumerate(shared.members(), 1):
        if number % PORTION == 0:
            yield
        with shared.lock:
            for word in _COUNTERS:
                setattr(peer, word, 0)
            clear_codes(peer)
            peer.unhealthy = int(peer.health == UNHEALTHY)
