"""One worker's task for the machine: every 100 ms a round of all zones that have `sync`.

Words in a zone of its own tell all workers who does it and how it goes; the API and the metrics show them.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.cluster.causes import explained
from gateway.cluster.store import StoreError, WrongKeysError, opened
from gateway.config.errors import Where
from gateway.config.parts import Part
from gateway.core.logs import ERROR, NOTICE, WARN, Log
from gateway.core.siblings import leave_duty, take_duty

if TYPE_CHECKING:
    from gateway.cluster.store import Store, StoreSettings
    from gateway.cluster.tickets import Sealer
    from gateway.core.zones import Words, Zone
    from gateway.serving.worker import Worker

_LOOK_S: Final = 1.0
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0
_COMPLAIN_S: Final = 60.0
_OFTEN: Final = 5  # a store that comes and goes is told so often in that time

(
    _DUTY, _ONLINE, _SINCE, _ROUNDS, _FAILURES, _SENT, _NODE,
    _LAST,  # when the last round ended (wall ms)
    _TOOK,  # and how long it took (us)
    _BYTES_SENT, _BYTES_RECEIVED, _CLEANED,
    _EXACT_ASKED, _EXACT_LOCAL,  # requests that the store decided (cluster/exact.py), and that it should have
    _EXACT_TOLD,  # it was said that it does not
    _GONE_TOLD,  # it was said that the store is gone
    _TOLD_FROM, _TOLD,  # how often, since when (wall ms)
    _COUNT,
) = range(19)  # fmt: skip
SIZE: Final = 4096


class Member(ABC):
    """What takes part in a round: one zone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.complained_at = float("-inf")

    @abstractmethod
    async def round(self, store: Store) -> int:
        """Exchange what changed; how many records. Errors: StoreError, and nothing is lost."""

    def offline(self) -> None:  # noqa: B027
        """The store is gone."""


@dataclass(frozen=True, slots=True)
class Synced:
    """A directive that has `sync`: where it stands, and what makes its zone take part."""

    where: Where
    join: Callable[[Sync], Member]


SYNCED: Part[list[Synced]] = Part("zones with sync", list)


class Sync:
    """`zone_sync_store`, and what takes part in it."""

    def __init__(self, settings: StoreSettings, interval: float, log: Log) -> None:
        self.settings = settings
        self.interval = interval
        self.log = log
        self.members: list[Member] = []
        self.sealer: Sealer | None = None  # with `ticket_key`: for what the store is not to read
        self.words: Words

    def attach(self, zone: Zone, old: Words | None) -> None:
        """Called when the zone has its memory, which may be the old cycle's."""
        if old is None:
            self.words = zone.words(_COUNT)
            self.words.store(_NODE, int.from_bytes(os.urandom(7), "big"))
        else:
            self.words = old
        zone.data = self.words

    @property
    def node(self) -> int:
        """The number of this machine's gateway, which no other has."""
        return self.words.load(_NODE)

    # -- a duty (upstream/duties.py) --------------------------------------------------------------------------------

    @property
    def kind_and_name(self) -> bytes:
        return b"zone sync store %b" % self.where

    @property
    def where(self) -> bytes:
        return str(self.settings.address).encode("utf-8", "surrogateescape")

    def on_duty(self) -> bool:
        """Take the duty if nobody alive has it; True while it is this worker's."""
        return take_duty(self.words, _DUTY)

    def off_duty(self) -> None:
        leave_duty(self.words, _DUTY)

    async def run(self, worker: Worker) -> None:
        """The task of each worker: the work of the one that has the duty."""
        import trio

        pause = _FIRST_PAUSE_S
        while True:
            if not self.on_duty():
                await trio.sleep(_LOOK_S)
                continue
            try:
                async with opened(self.settings) as store:
                    while self.on_duty():
                        began = trio.current_time()
                        sent = 0
                        for member in self.members:
                            sent += await self._turn(member, store)
                        self._went_well(sent, store, trio.current_time() - began)
                        pause = _FIRST_PAUSE_S
                        await trio.sleep_until(began + self.interval)
            except StoreError as error:
                self._failed(error)
                await trio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _turn(self, member: Member, store: Store) -> int:
        """A zone's part of a round. What somebody else has put under its keys is thrown away; the others go on."""
        try:
            return await member.round(store)
        except WrongKeysError as error:
            await store.call("delete", error.keys)
            self.words.add(_CLEANED, 1)
            now = time.monotonic()
            if now - member.complained_at > _COMPLAIN_S:
                member.complained_at = now
                name = member.name.encode("utf-8", "surrogateescape")
                words = b'%b: keys of zone "%b" held something else, which is deleted; the zone is filled again'
                self.log.write(WARN, words % (self.kind_and_name, name))
            return 0

    # -- how it goes --------------------------------------------------------------------------------------------------

    def _went_well(self, sent: int, store: Store, took_s: float) -> None:
        self.words.add(_ROUNDS, 1)
        self.words.add(_SENT, sent)
        self.words.add(_BYTES_SENT, store.sent)
        self.words.add(_BYTES_RECEIVED, store.received)
        store.sent = store.received = 0
        self.words.store(_LAST, _now_ms())
        self.words.store(_TOOK, int(took_s * 1e6))
        if not self.words.fetch(_ONLINE, 1):
            gone = self.words.fetch(_SINCE, _now_ms())
            if gone and self.words.fetch(_GONE_TOLD, 0):
                words = b"%b is back after %.1f s; zones are shared again"
                self.log.write(NOTICE, words % (self.kind_and_name, _seconds_since(gone)))

    @property
    def online(self) -> bool:
        return bool(self.words.load(_ONLINE))

    def count_exact(self, asked: int, local: int) -> None:
        if asked:
            self.words.add(_EXACT_ASKED, asked)
        if local:
            self.words.add(_EXACT_LOCAL, local)

    def tell_exact(self, failing: bool) -> bool:
        """Whether this is to be said: it is news, of all workers."""
        return self.words.fetch(_EXACT_TOLD, failing) != failing

    def _failed(self, error: StoreError) -> None:
        words = self.words
        words.add(_FAILURES, 1)
        if words.fetch(_ONLINE, 0) or not words.load(_SINCE):
            words.store(_SINCE, _now_ms())
            for member in self.members:
                member.offline()
            often = self._how_often()
            if often > _OFTEN:
                return
            words.store(_GONE_TOLD, 1)
            why = explained(str(error), self.settings.address)
            more = b" (it comes and goes; no more is said of that for a minute)" if often == _OFTEN else b""
            line = b"%b: %b; until it answers, each node goes by what it knows itself%b"
            self.log.write(ERROR, line % (self.kind_and_name, why.encode("utf-8", "surrogateescape"), more))

    def _how_often(self) -> int:
        """Times that it went lately, with this one."""
        words, now = self.words, _now_ms()
        if abs(now - words.load(_TOLD_FROM)) > _COMPLAIN_S * 1000:
            words.store(_TOLD_FROM, now)
            words.store(_TOLD, 0)
        return words.add(_TOLD, 1)

    def show(self) -> dict[str, object]:
        """/http/zone_sync of the API. `since` is when it came or went, in seconds since the epoch; `lag` is for how
        long this node has heard nothing of the others, in seconds."""
        words = self.words
        return {
            "store": str(self.settings.address),
            "online": self.online,
            "since": words.load(_SINCE) / 1000,
            "rounds": words.load(_ROUNDS),
            "failures": words.load(_FAILURES),
            "lag": _seconds_since(words.load(_LAST)) if words.load(_LAST) else None,
            "round_time": words.load(_TOOK) / 1e6,
            "records_sent": words.load(_SENT),
            "bytes_sent": words.load(_BYTES_SENT),
            "bytes_received": words.load(_BYTES_RECEIVED),
            "cleaned": words.load(_CLEANED),
            "exact_asked": words.load(_EXACT_ASKED),
            "exact_local": words.load(_EXACT_LOCAL),
            "zones": [member.name for member in self.members],
        }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _seconds_since(ms: int) -> float:
    return max(_now_ms() - ms, 0) / 1000
