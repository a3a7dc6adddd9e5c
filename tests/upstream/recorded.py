"""Picks recorded from a real nginx (tests/data/balancers), replayed on our balancers."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.upstream.exchange.attempt import Attempt
from gateway.upstream.peers.address import inet_address
from gateway.upstream.peers.peers import DRAINING, Choice, Group, Outcome, UpstreamServer, make_groups

FILE = Path(__file__).parent.parent / "data" / "balancers" / "picks.json"
CASES: dict[str, Any] = json.loads(FILE.read_text())["cases"]
DEAD = (b"127.0.0.9", b"127.0.0.10")
KEYS = [f"/key/{n}" for n in range(60)]


def server(text: str, port: int = 80) -> UpstreamServer:
    """A Server from the short form of the recorder: `2 weight=5`."""
    number, *options = text.split()
    name = f"127.0.0.{number}:{port}".encode()
    made = UpstreamServer(name, [inet_address(f"127.0.0.{number}", port)])
    for option in options:
        key, _, value = option.partition("=")
        if key in ("backup", "down"):
            setattr(made, key, True)
        elif key == "drain":
            made.down = DRAINING
        elif key == "route":
            made.route = value.encode()
        elif key == "fail_timeout":
            made.fail_timeout = 3600
        else:
            setattr(made, key, int(value))
    return made


def group(*servers: str) -> Group:
    return make_groups(b"test", [server(text) for text in servers])


def pick(choice: Choice, now: int = 1000) -> bytes | None:
    """The last octet of the peer picked."""
    peer = choice.get(now)
    return None if peer is None else peer.name.partition(b":")[0].rpartition(b".")[2]


def replay(name: str, start: Callable[[Group, bytes, bytes], Choice]) -> tuple[list[list[str]], list[list[str]]]:
    """(recorded, ours): the peers tried for each request of a case; `start(group, key, client address)`."""
    case = CASES[name]
    peers = make_groups(name.encode(), [server(text, case["port"]) for text in case["servers"]])
    ours = []
    for index in range(len(case["picks"])):
        key = case["keys"][index].encode() if "keys" in case else b"/"
        client = ipaddress.ip_address(case["clients"][index]).packed if "clients" in case else b"\x7f\0\0\1"
        choice = start(peers, key, client)
        if case.get("routes"):
            choice.hint = case["routes"][index].encode() or None
        tried: list[str] = []
        while (peer := choice.get(1000)) is not None:
            tried.append(peer.name.decode())
            if not peer.name.startswith(DEAD):
                answered = Attempt(peer.name, 0.0)
                answered.head_read = answered.ended = 0.001
                choice.free(Outcome.OK, 1000, answered)
                break
            choice.free(Outcome.FAILED, 1000)
        ours.append(tried)
    return case["picks"], ours
