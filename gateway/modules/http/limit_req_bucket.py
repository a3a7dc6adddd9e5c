"""limit_req: the buckets of one zone, in shared memory; with `sync`, what all nodes know of them."""

from __future__ import annotations

import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from gateway.core.zones import Zone, ZoneError

if TYPE_CHECKING:
    from gateway._fast.zones import Lock, Table, Words
    from gateway.cluster.exact import Exact
    from gateway.core.template import Template
    from gateway.http.module import Count

# A record's words. Times are the lane's, in milliseconds; excess is in thousandths of a request.
# _ADMITTED: with `sync`, the requests let in since the last round.
_LAST: Final = 0
_EXCESS: Final = 1
_COUNT: Final = 2
_ADMITTED: Final = 3
_WORDS: Final = 4
# What the API shows of a zone, in a word each.
_OUTCOMES: Final = ("passed", "delayed", "rejected", "delayed_dry_run", "rejected_dry_run")
# Beside them, how often a key was asked for since the last round: as many of the newest records may have changed.
_ASKED: Final = len(_OUTCOMES)
# And when that was (ms); 0 after a round that did not arrive.
_TAKEN: Final = _ASKED + 1
# Holds an IPv6 address; of longer keys the table keeps a digest.
_KEY_SIZE: Final = 24
_DIGEST: Final = 16
# Records whose bucket ran empty this long ago may go.
_IDLE_MS: Final = 60_000


class Bucket:
    """What a zone is used for: its key, its rate, and the records in its memory."""

    def __init__(self, name: str, key: Template, rate: int, synced: bool = False) -> None:
        self.name = name
        self.key = key
        self.rate = rate  # thousandths of a request a second
        self.synced = synced
        self.exact: Exact | None = None  # who asks the store, for the limits that are `exact`
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

    def let_go(self, record: Count) -> None:
        """Do not account for a request in a record that look() has held."""
        with self.lock:
            self.table.add_word(record, _COUNT, -1)

    def look(self, key: bytes, burst: Count, now: Count, account: bool) -> tuple[bool, int, int]:
        """(allowed, excess, record held for later or -1); the last zone accounts at once. Needs the lock."""
        table = self.table
        if self.synced:
            self.counts.add(_ASKED, 1)
            if len(key) > _KEY_SIZE:
                key = _named(key)
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
            for record in table.newest(self.counts.fetch(_ASKED, 0)):
                # What has drained meanwhile counts only since the last round: after an hour without the store, which
                # all nodes let in as much as each may, nobody is to be kept out for the next one.
                held = table.word(record, _EXCESS) - self.leaked(max(now - table.word(record, _LAST), 0))
                most = (max(held, 0) + drained) // 1000 + 1
                found.append((table.key(record), min(table.word(record, _ADMITTED), most)))
                table.set_word(record, _ADMITTED, 0)
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

    # `exact` (limit_req_exact.py)

    def withhold(self, key: bytes) -> bytes | None:
        """A request that was let in is told at once, not with the next round: what the key is called, if it is here."""
        name = _named(key)
        with self.zone.lock:
            record = self.table.get(name)
            if record < 0:
                return None
            self.table.add_word(record, _ADMITTED, -1)
        return name

    def let_in(self, name: bytes) -> None:
        """The next round is to tell it nevertheless."""
        with self.zone.lock:
            record = self.table.get(name)
            if record >= 0:
                self.table.add_word(record, _ADMITTED, 1)
                self.table.touch(record)
        self.counts.add(_ASKED, 1)

    def correct(self, name: bytes, excess: int, allowed: bool, now: int) -> None:
        """What the store says of a request that was let in here: how full the bucket is with it, and whether it may."""
        with self.zone.lock:
            record = self.table.get(name)
            if record >= 0:
                own = self.table.word(record, _EXCESS) - self.leaked(max(now - self.table.word(record, _LAST), 0))
                self.table.set_word(record, _EXCESS, max(own, excess) - (0 if allowed else 1000))
                self.table.set_word(record, _LAST, now)

    def take_back(self, key: bytes) -> None:
        """Another zone has refused the request, after this one had let it in."""
        name = _named(key) if self.synced else key
        with self.zone.lock:
            record = self.table.get(name)
            if record >= 0:
                self.table.add_word(record, _EXCESS, -1000)
                if self.synced:
                    self.table.add_word(record, _ADMITTED, -1)
                    self.table.touch(record)
        if self.synced:
            self.counts.add(_ASKED, 1)


def _named(key: bytes) -> bytes:
    """What a key is called on all nodes: the table keeps it as it is."""
    return key if len(key) <= _KEY_SIZE else blake2b(key, digest_size=_DIGEST).digest()
