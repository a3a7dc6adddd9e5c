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
_BY = "by another node"
_SHOWN = 200  # of what somebody else has written, in the log
_CHANGEABLE = ("weight", "max_conns", "max_fails", "fail_timeout", "slow_start", "route", "down", "drain")


def _field(values: dict[str, Any]) -> bytes:
    """The entry of a server: backups have one of their own."""
    return f"{'backup ' if values.get('backup') else ''}{values.get('server')}".encode("utf-8", "surrogateescape")


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
                del values["id"]
                found.setdefault(_field(values), (peer, json.dumps(values, sort_keys=True).encode()))
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

    def apply(self, entries: list[Entry]) -> None:
        if not entries:
            return
        now = self._now()
        for field, payload, _ in entries:
            try:
                self._apply(now, field, payload)
            except (api_objects.ApiError, ValueError, TypeError, RecursionError) as error:
                if field not in now and self._told is not None:
                    self._told.pop(field, None)  # one that cannot be here is not gone elsewhere
                words = b'server "%b" of another node for upstream "%b": %b'
                name, why = repr(field[:_SHOWN])[2:-1], str(error)[:_SHOWN]
                self.log.write(WARN, words % (name.encode(), self.upstream.name, why.encode("utf-8", "replace")))

    def _apply(self, now: dict[bytes, tuple[Peer, bytes]], field: bytes, payload: bytes) -> None:
        """One entry; `now` is what there was before them all, each of which is about another server."""
        told = {} if self._told is None else self._told
        peer, known = now.get(field, (None, b""))
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
            api_objects.remove(self.upstream, peer, _BY)
            return
        values: dict[str, Any] = json.loads(payload)
        if not isinstance(values, dict) or _field(values) != field:
            raise ValueError("it says to be another one")
        if peer is None:
            api_objects.add(self.upstream, values, _BY)
        else:
            changed = {key: values[key] for key in _CHANGEABLE if key in values}
            api_objects.change(self.upstream, peer, changed, _BY)
