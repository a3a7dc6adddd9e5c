"""Servers of an upstream as the API changed them, on all nodes: `zone NAME SIZE sync`.

What a node has from its configuration is its own affair; a server that differs from that is told to the others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway.core.logs import WARN
from gateway.upstream.peers import api_objects

if TYPE_CHECKING:
    from gateway.cluster.maps import Entry
    from gateway.core.logs import Log
    from gateway.upstream.peers.peers import Peer
    from gateway.upstream.peers.upstreams import Upstream

# What the API may change of a server; its id is each node's own.
_CHANGEABLE = ("weight", "max_conns", "max_fails", "fail_timeout", "slow_start", "route", "down", "drain")


class Servers:
    """The zone's side: each server is an entry, by its address and whether it is a backup."""

    def __init__(self, upstream: Upstream, log: Log) -> None:
        self.upstream = upstream
        self.name = upstream.name.decode("utf-8", "surrogateescape")
        self.log = log
        self._told: dict[bytes, bytes] | None = None

    def _now(self) -> dict[bytes, tuple[Peer, bytes]]:
        shared = self.upstream.shared
        if shared is None:
            return {}
        found: dict[bytes, tuple[Peer, bytes]] = {}
        for peer in shared.members():
            if peer.parent < 0:
                values = api_objects.configured(shared, peer)
                values.setdefault("drain", False)
                field = f"{'backup ' if values['backup'] else ''}{values['server']}".encode("utf-8", "surrogateescape")
                del values["id"]
                found.setdefault(field, (peer, json.dumps(values, sort_keys=True).encode()))
        return found

    def take_changed(self) -> list[Entry]:
        now = {field: payload for field, (_, payload) in self._now().items()}
        told, self._told = self._told, now
        if told is None:
            return []
        changed = [(field, payload, 0) for field, payload in now.items() if told.get(field) != payload]
        return changed + [(field, b"", 0) for field in told if field not in now]

    def give_back(self, changed: list[Entry]) -> None:
        if self._told is not None:
            for field, payload, _ in changed:
                if payload:
                    self._told.pop(field, None)  # differs from what is there: told again
                else:
                    self._told[field] = b"?"

    def take_all(self) -> list[Entry]:
        return [(field, payload, 0) for field, (_, payload) in self._now().items()]

    def apply(self, entries: list[tuple[bytes, bytes]]) -> None:
        for field, payload in entries:
            try:
                self._apply(field, payload)
            except (api_objects.ApiError, ValueError) as error:
                words = b'server "%b" of another node for upstream "%b": %b'
                self.log.write(WARN, words % (field, self.upstream.name, str(error).encode()))

    def _apply(self, field: bytes, payload: bytes) -> None:
        told = {} if self._told is None else self._told
        peer, known = self._now().get(field, (None, b""))
        if known != told.get(field, b""):
            return  # it has changed here, which the others hear in the next round
        if payload:
            told[field] = payload
        else:
            told.pop(field, None)
        if known == payload:
            return
        if not payload:
            assert peer is not None
            api_objects.remove(self.upstream, peer)
            return
        values: dict[str, Any] = json.loads(payload)
        if peer is None:
            api_objects.add(self.upstream, values)
            peer = self._now()[field][0]
        api_objects.change(self.upstream, peer, {key: values[key] for key in _CHANGEABLE if key in values})
