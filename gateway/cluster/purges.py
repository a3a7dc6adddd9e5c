"""What is purged from a cache with `sync` is purged on all nodes: by a stream that each reads from where it was.

Bodies stay where they are; what goes round is the key, or its beginning and `*`. How long ago something was purged is
told by the store's clock, and an answer that was stored since then stays: so a node may read the stream twice, or all
of it when it starts, and drops only what was gone for the others.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from gateway.cluster.store import StoreError
from gateway.cluster.sync import Member
from gateway.upstream.cache.purge import purge_before

if TYPE_CHECKING:
    from gateway.cluster.store import Store
    from gateway.cluster.sync import Sync
    from gateway.serving.worker import Worker
    from gateway.upstream.cache.file_cache import FileCache

_BATCH: Final = 200
_KEEP_MS: Final = 7 * 24 * 3600 * 1000
_KEEP: Final = 10_000
_LONGEST: Final = 70_000

# KEYS: the stream. ARGV: where to begin, the most to take, the longest key, how many are kept, for how long (ms), the
# node, then the keys that were purged here. Gives the store's time (ms), the last id of all, and of each entry its id
# and its key, which is empty where it was this node's or none that a node has made.
_EXCHANGE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 7, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 'node', ARGV[6], 'key', ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local found = {now, last[1] and last[1][1] or '0-0'}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])) do
  local fields = entry[2]
  local ours = #fields == 4 and fields[1] == 'node' and fields[2] ~= ARGV[6] and #fields[4] <= tonumber(ARGV[3])
  found[#found + 1] = entry[1]
  found[#found + 1] = ours and fields[4] or ''
end
return found
"""


class Purges(Member):
    """The part of a round that is about one cache."""

    def __init__(self, cache: FileCache, sync: Sync) -> None:
        super().__init__(cache.name)
        self.cache = cache
        self._sync = sync
        self._key = f"{sync.settings.prefix}:{{purges:{cache.name}}}".encode("utf-8", "surrogateescape")
        self._seen = (0, 0)
        self._todo: list[tuple[bytes, float]] = []

    async def round(self, store: Store) -> int:
        """Tell what was purged, and take what the others did. Errors: StoreError, and nothing is lost."""
        waiting = self.cache.purges
        assert waiting is not None
        changed = waiting.take_changed()
        keys = [payload[2:] for _, payload, _ in changed if payload]
        while True:
            begin = f"{self._seen[0]}-{self._seen[1] + 1}"
            fixed: list[bytes | int | str] = [begin, _BATCH, _LONGEST, _KEEP, _KEEP_MS, self._sync.node]
            try:
                now, last, *found = await store.run(_EXCHANGE, [self._key], [*fixed, *keys])
            except StoreError:
                waiting.give_back(changed)
                raise
            waiting.drop_told(changed)
            self._note(now, found)
            changed, keys = [], []
            if _id(last) < self._seen:
                self._seen = (0, 0)  # it was emptied, or its clock is another one now
            elif len(found) < 2 * _BATCH:
                return len(found)

    def _note(self, now: int, found: list[bytes]) -> None:
        for identity, key in zip(found[::2], found[1::2], strict=True):
            self._seen = _id(identity)
            if key:
                self._todo.append((key, time.time() - max(now - self._seen[0], 0) / 1000))

    # -- a duty (upstream/duties.py): the files, which wait for the disk

    @property
    def kind_and_name(self) -> bytes:
        return b'purges of cache "%b"' % self.name.encode("utf-8", "surrogateescape")

    def off_duty(self) -> None:
        pass

    async def run(self, worker: Worker) -> None:
        """Cancelled: the worker ends; the one that has the duty next begins anew."""
        import trio

        while True:
            todo, self._todo = self._todo, []
            if todo:
                await trio.to_thread.run_sync(self._purge, todo, abandon_on_cancel=True)
            await trio.sleep(self._sync.interval)

    def _purge(self, todo: list[tuple[bytes, float]]) -> None:
        for key, until in todo:
            purge_before(self.cache, key, until)


def _id(text: Any) -> tuple[int, int]:
    milliseconds, _, number = text.partition(b"-") if isinstance(text, bytes) else text.encode().partition(b"-")
    return int(milliseconds), int(number)
