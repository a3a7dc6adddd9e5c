from __future__ import annotations

import pytest

from gateway.upstream.peers import api_objects
from gateway.upstream.peers.api_objects import ApiError, duration, responses, stamp
from gateway.upstream.peers.peers import DRAINING, UNHEALTHY, UpstreamServer
from tests.upstream.peers.test_zone import mapped, shared_of, upstream
from tests.upstream.recorded import server


def test_stamp() -> None:
    assert stamp(1_573_743_927_130) == "2019-11-14T15:05:27.130Z"


def test_duration() -> None:
    assert [duration(ms) for ms in (0, 1000, 90_000, 1500)] == ["0s", "1s", "90s", "1500ms"]


def test_responses() -> None:
    assert responses([0, 5, 1, 0, 2])["total"] == 8


def test_what_a_check_found() -> None:
    made = upstream(b"a", server("1"), server("2 drain"))
    mapped(made)
    peer = made.group.peers[0]
    peer.checks, peer.check_fails, peer.last_passed = 5, 3, 0
    peer.set_health(UNHEALTHY)
    peer.downstart -= 7000
    shown = next(api_objects.describe(made, 1000)["peers"])
    assert shown["health_checks"] == {"checks": 5, "fails": 3, "unhealthy": 1, "last_passed": False}
    assert shown["state"] == "unhealthy" and shown["downtime"] >= 7000 and shown["downstart"].endswith("Z")


def test_children_of_a_name() -> None:
    name = UpstreamServer(b"app.example:80", resolve=True)
    made = upstream(b"a", server("1"))
    made.servers.append(name)
    mapped(made)
    shared = shared_of(made)
    child = shared.add(name, made.group.peers[0].address, parent=1)
    shown = api_objects.configured(shared, child)
    assert (shown["parent"], shown["host"]) == (1, "app.example:80")
    with pytest.raises(ApiError) as caught:
        api_objects.remove(made, child)
    assert caught.value.code == "UpstreamServerImmutable"
    with pytest.raises(ApiError) as caught:
        api_objects.change(made, child, {"server": "127.0.0.9"})
    assert caught.value.code == "UpstreamServerImmutable"
    for value in ({"server": "127.0.0.9"}, {"route": "x"}):
        with pytest.raises(ApiError, match="cannot be"):
            api_objects.change(made, shared.members()[1], value)
    api_objects.change(made, shared.members()[1], {"drain": True})
    assert child.down == DRAINING
    api_objects.remove(made, shared.members()[1])
    assert len(list(api_objects.servers(shared))) == 1


def test_a_renamed_server_keeps_its_requests_apart() -> None:
    made = upstream(b"a", server("1 weight=4"), server("2"))
    mapped(made)
    first = made.group.peers[0]
    first.conns, first.requests = 2, 9
    shown = api_objects.change(made, first, {"server": "127.0.0.5:80"})
    assert (shown["id"], shown["server"], shown["weight"]) == (0, "127.0.0.5:80", 4)
    renamed = made.group.peers[0]
    assert (renamed.name, renamed.conns, renamed.requests) == (b"127.0.0.5:80", 0, 9)
    assert shared_of(made).zombies == 1
