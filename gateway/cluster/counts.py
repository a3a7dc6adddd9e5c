"""limit_conn over all nodes: each tells how many it has, and learns how many the others have together.

What the others have stands in the zone beside what the workers have, so that a connection is let in or not by the
sum. A node that says nothing for some seconds has none.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from gateway.cluster.store import StoreError
from gateway.cluster.sync import Member

if TYPE_CHECKING:
    from gateway.cluster.store import Store
    from gateway.cluster.sync import Sync

_BATCH: Final = 500
_FRESH_MS: Final = 5000
_REPEAT_S: Final = 2.0  # all that is under way is told again after this time

# KEYS: a hash of each key, with what each node has and when it said so. ARGV: the node, how long a word holds (ms),
# then for each key what this node has. Gives what the others have; a word that no node has written counts nothing.
_EXCHANGE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local others = {}
for i, key in ipairs(KEYS) do
  if ARGV[i + 2] == '0' then redis.call('HDEL', key, ARGV[1])
  else redis.call('HSET', key, ARGV[1], ARGV[i + 2] .. ' ' .. now) end
  local sum = 0
  local had = redis.call('HGETALL', key)
  for j = 1, #had, 2 do
    local count, at = string.match(had[j + 1], '^(%d+) (%d+)$')
    if not count or math.abs(now - tonumber(at)) > tonumber(ARGV[2]) then redis.call('HDEL', key, had[j])
    elseif had[j] ~= ARGV[1] then sum = math.min(sum + tonumber(count), 1073741824) end
  end
  redis.call('PEXPIRE', key, 2 * tonumber(ARGV[2]))
  others[i] = sum
end
return others
"""


class CountZone(Protocol):
    """A limit_conn zone, as far as it is told here."""

    name: str

    def take_counts(self, everything: bool) -> list[tuple[bytes, int]]:
        """Keys whose count may have changed since the last time, or all; and how many this node has of each."""

    def give_back(self, counts: list[tuple[bytes, int]]) -> None:
        """They did not arrive; the next round takes them again."""

    def set_others(self, counts: list[tuple[bytes, int]]) -> None:
        """How many the other nodes have."""

    def forget_others(self) -> None:
        """Nothing is known of the other nodes."""


class Counts(Member):
    """The part of a round that is about one zone."""

    def __init__(self, zone: CountZone, sync: Sync) -> None:
        super().__init__(zone.name)
        self.zone = zone
        self._sync = sync
        self._prefix = f"{sync.settings.prefix}:{{limit_conn:{zone.name}}}:".encode()
        self._repeat_at = 0.0

    async def round(self, store: Store) -> int:
        """Exchange what changed; how many keys. Errors: StoreError, and nothing is lost."""
        now = time.monotonic()
        everything = now >= self._repeat_at
        if everything:
            self._repeat_at = now + _REPEAT_S
        counts = self.zone.take_counts(everything)
        for begin in range(0, len(counts), _BATCH):
            part = counts[begin : begin + _BATCH]
            keys = [self._prefix + key for key, _ in part]
            arguments = [self._sync.node, _FRESH_MS, *(count for _, count in part)]
            try:
                others = await store.run(_EXCHANGE, keys, arguments)
            except StoreError:
                self.zone.give_back(counts[begin:])
                raise
            self.zone.set_others([(key, int(other)) for (key, _), other in zip(part, others, strict=True)])
        return len(counts)

    def offline(self) -> None:
        """The store is gone: what the others had is not true for long."""
        self._repeat_at = 0.0
        self.zone.forget_others()
