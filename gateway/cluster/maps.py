"""Entries that every node knows: sessions that `sticky learn` found, pairs of `keyval`, servers that the API changed.

The store has the latest entry of each field, numbered in the order of the changes. A node brings what changed on it and
takes all that has a higher number than the last one that it saw; so one that was away misses nothing, and a new one
gets all. If the numbers have begun anew, somebody has emptied the store: each node then brings all that it knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from gateway.cluster.store import StoreError
from gateway.cluster.sync import Member

if TYPE_CHECKING:
    from gateway.cluster.store import Store
    from gateway.cluster.sync import Sync

_BATCH: Final = 500
_ROUNDS_BATCHES: Final = 20  # other zones want their turn
_KEEP_MS: Final = 7 * 24 * 3600 * 1000  # after this long without any node all is forgotten; so is what is gone
# What a node takes at most: an entry is bounded, and so is a batch.
_LONGEST: Final = 200_000
_MOST_BYTES: Final = 4 << 20

# KEYS: the last number, the entries, their numbers, when they end. ARGV: the last number seen, the most to take, how
# long all is kept, the longest entry and the most bytes to take, then for each entry its field, its payload and the
# milliseconds that are left of it (0: it does not end); nodes' clocks may differ, so that only the store's tells when.
# Gives the number up to which the node knows now, whether there is more, and fields, payloads and what is left in turn;
# -1 if the store had been emptied. What somebody else may have written is checked before it is used.
_EXCHANGE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local seen = tonumber(ARGV[1])
local known = tonumber(redis.call('GET', KEYS[1]) or '0')
if not known or known ~= math.floor(known) or known < 0 or known > 9e15 then known = 0 end
if known < seen then return {-1} end
for i = 6, #ARGV, 3 do
  known = known + 1
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[3], known, ARGV[i])
  redis.call('ZREM', KEYS[4], ARGV[i])
  if ARGV[i + 2] ~= '0' then redis.call('ZADD', KEYS[4], now + ARGV[i + 2], ARGV[i]) end
end
if #ARGV > 5 then redis.call('SET', KEYS[1], string.format('%.0f', known)) end
local over = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 500)
for _, field in ipairs(over) do
  redis.call('HDEL', KEYS[2], field)
  redis.call('ZREM', KEYS[3], field)
  redis.call('ZREM', KEYS[4], field)
end
for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
local most = tonumber(ARGV[2])
local new = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[1], known, 'WITHSCORES', 'LIMIT', 0, most)
local found, bytes = {seen, 0}, 0
if #new == 2 * most then found[2] = 1 end
for i = 1, #new, 2 do
  local field = new[i]
  local size = #field + redis.call('HSTRLEN', KEYS[2], field)
  if bytes + size > tonumber(ARGV[5]) and bytes > 0 then found[2] = 1 break end
  found[1] = math.floor(tonumber(new[i + 1]))
  if size <= tonumber(ARGV[4]) then
    bytes = bytes + size
    local ends = tonumber(redis.call('ZSCORE', KEYS[4], field) or 'nan')
    found[#found + 1] = field
    found[#found + 1] = redis.call('HGET', KEYS[2], field) or ''
    found[#found + 1] = ends and ends < 9e15 and math.max(math.floor(ends - now), 1) or 0
  end
end
return found
"""


# A field, its payload, and how many milliseconds are left of it, 0 for no end.
Entry = tuple[bytes, bytes, int]


class MapZone(Protocol):
    """A zone whose entries all nodes know, as far as it is told here."""

    name: str

    def take_changed(self) -> list[Entry]:
        """What changed here since the last time. A payload that is empty: the entry is gone."""

    def give_back(self, changed: list[Entry]) -> None:
        """They did not arrive; the next round takes them again."""

    def take_all(self) -> list[Entry]:
        """All that is known here."""

    def apply(self, entries: list[Entry]) -> None:
        """What any node, this one too, has brought; what has changed here since then stays. Entries may be damaged."""


class Map(Member):
    """The part of a round that is about one zone."""

    def __init__(self, kind: str, zone: MapZone, sync: Sync) -> None:
        super().__init__(zone.name)
        self.zone = zone
        self._seen = 0
        prefix = f"{sync.settings.prefix}:{{{kind}:{zone.name}}}:"
        self._keys = [prefix + part for part in ("number", "entries", "numbers", "ends")]

    async def round(self, store: Store) -> int:
        """Exchange what changed; how many entries went out. Errors: StoreError, and nothing is lost."""
        return await self._exchange(store, self.zone.take_changed())

    async def _exchange(self, store: Store, changed: list[Entry]) -> int:
        begin = batches = 0
        while True:
            part = changed[begin : begin + _BATCH]
            arguments: list[bytes | int] = [self._seen, _BATCH, _KEEP_MS, _LONGEST, _MOST_BYTES]
            for field, payload, left in part:
                arguments += (field, payload, left if payload else _KEEP_MS)
            try:
                seen, *more_found = await store.run(_EXCHANGE, self._keys, arguments)
            except StoreError:
                self.zone.give_back(changed[begin:])
                raise
            if seen < 0:
                self._seen = 0
                return await self._exchange(store, self.zone.take_all())
            self._seen = seen
            more, *found = more_found
            self.zone.apply(list(zip(found[::3], found[1::3], found[2::3], strict=True)))
            begin += len(part)
            batches += 1
            if begin >= len(changed) and (not more or batches >= _ROUNDS_BATCHES):
                return len(changed)
