"""limit_req over all nodes: each tells what it let in, and learns how full the bucket of all nodes is.

The store has one bucket for each key, which drains by its own clock. A node adds what it let in since its last
round, and takes the sum for its own bucket where that is fuller: so a node decides at once and alone, is as strict as
it would be by itself, and is behind the others by one round at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from gateway.cluster.store import StoreError
from gateway.cluster.sync import Member

if TYPE_CHECKING:
    from gateway.cluster.store import Store
    from gateway.cluster.sync import Sync

# Keys in one call: the store does nothing else meanwhile, about 2 µs for each.
_BATCH: Final = 500

# What a script of buckets begins with. A bucket is read as if anybody could have written it: what is no number is
# nothing, and what is more than any limit lets in is cut, so that it drains some day.
BUCKETS: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local rate = tonumber(ARGV[1])
local most = rate * 60 + 10000000
local function level(key)
  local had = redis.call('HMGET', key, 'excess', 'at')
  local excess, at = tonumber(had[1] or ''), tonumber(had[2] or '')
  if not (excess and at) or excess ~= excess or at ~= at then return nil end
  if at > now then  -- the clock is another one now: what is full drains from here on
    redis.call('HSET', key, 'at', now)
    at = now
  end
  return math.min(excess, most) - rate * math.max(now - at, 0) / 1000
end
local function keep(key, excess)
  redis.call('HSET', key, 'excess', excess, 'at', now)
  redis.call('PEXPIRE', key, math.max(math.floor(excess * 1000 / rate), 0) + 10000)
end
"""

# KEYS: the buckets. ARGV: rate (thousandths of a request a second), what a round may lend (thousandths), then for
# each bucket the requests let in. Gives each bucket's excess in thousandths. A bucket may owe one round's worth: nodes
# come in turn, and what one brings late must not count as a burst.
_ADD: Final = (
    BUCKETS
    + """
local lent = tonumber(ARGV[2])
local full = {}
for i, key in ipairs(KEYS) do
  local had = level(key)
  local excess = tonumber(ARGV[i + 2]) * 1000
  if had then excess = math.max(had + excess, -lent) else excess = math.max(excess - 1000 - lent, 0) end
  excess = math.floor(math.min(excess, most))
  keep(key, excess)
  full[i] = excess
end
return full
"""
)


def key_prefix(prefix: str, zone: str) -> bytes:
    """What the keys of a zone's buckets begin with; the braces keep them together in a cluster."""
    return f"{prefix}:{{limit_req:{zone}}}:".encode("utf-8", "surrogateescape")


class RateZone(Protocol):
    """A limit_req zone, as far as it is told here."""

    name: str
    rate: int  # thousandths of a request a second

    def take_admitted(self) -> list[tuple[bytes, int]]:
        """Keys that were asked for since the last time, and how many requests each let in meanwhile."""

    def give_back(self, admitted: list[tuple[bytes, int]]) -> None:
        """They did not arrive; the next round takes them again."""

    def merge(self, excesses: list[tuple[bytes, int]]) -> None:
        """How full the buckets of all nodes are, in thousandths of a request."""


class Rates(Member):
    """The part of a round that is about one zone."""

    def __init__(self, zone: RateZone, sync: Sync) -> None:
        super().__init__(zone.name)
        self.zone = zone
        self._prefix = key_prefix(sync.settings.prefix, zone.name)
        self._lent = int(zone.rate * sync.interval)

    async def round(self, store: Store) -> int:
        """Exchange what changed; how many keys. Errors: StoreError, and nothing is lost."""
        admitted = self.zone.take_admitted()
        for begin in range(0, len(admitted), _BATCH):
            part = admitted[begin : begin + _BATCH]
            keys = [self._prefix + key for key, _ in part]
            try:
                full = await store.run(_ADD, keys, [self.zone.rate, self._lent, *(count for _, count in part)])
            except StoreError:
                self.zone.give_back(admitted[begin:])
                raise
            self.zone.merge([(key, int(excess)) for (key, _), excess in zip(part, full, strict=True)])
        return len(admitted)
