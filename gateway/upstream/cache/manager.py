"""What one worker does for a cache: removes what nobody asked for and what is too much, and finds files at the start.

The work is done in turns in a thread, which waits for the disk without holding anybody up; between the turns there are
the pauses of manager_sleep and loader_sleep. nginx has processes for it, the cache manager and the cache loader.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import trio

from gateway.core.logs import NOTICE
from gateway.upstream.cache import clock
from gateway.upstream.cache.loader import walk

if TYPE_CHECKING:
    from gateway.upstream.cache.file_cache import FileCache

# How often a worker looks whether the duty is its own.
_LOOK_S: Final = 1.0
_LONGEST_S: Final = 10.0
# Files are looked for when the first requests after a start have passed.
LOAD_AFTER_S: Final = 60.0


class Budget:
    """What one turn may do: so many files, for so long."""

    def __init__(self, files: int, threshold: float) -> None:
        self.files = files
        self.until = time.monotonic() + threshold

    def spent(self) -> bool:
        """One more file was seen to; whether that is all for this turn."""
        self.files -= 1
        return self.files <= 0 or time.monotonic() >= self.until


async def manage(cache: FileCache) -> None:
    """Keep the cache within its bounds while the duty is ours. Runs until cancelled; a turn begun ends by itself."""
    load_at = trio.current_time() + LOAD_AFTER_S
    found: Iterator[None] | None = None
    next_turn = 0.0
    while True:
        pause = _LOOK_S
        if not cache.on_duty():
            found = None
        else:
            now = trio.current_time()
            if now >= next_turn:
                next_turn = now + await _in_thread(clean, cache)
            pause = min(next_turn - now, _LONGEST_S)
            if cache.index.cold and now >= load_at:
                found = found or walk(cache)
                if await _in_thread(load, cache, found):
                    found = None
                else:
                    pause = min(pause, cache.loader_sleep)
            elif cache.index.cold:
                pause = min(pause, load_at - now)
        await trio.sleep(max(pause, 0.001))


async def _in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    return await trio.to_thread.run_sync(work, *arguments, abandon_on_cancel=True)


def clean(cache: FileCache) -> float:
    """One turn of the manager; the seconds until the next one (ngx_http_file_cache_manager)."""
    budget = Budget(cache.manager_files, cache.manager_threshold)
    while True:
        left = cache.index.until_expiry(clock.now())
        if left > 0:
            pause = min(float(left), _LONGEST_S)
            break
        wait = cache.remove_oldest(due=True)
        if wait:
            pause = min(wait, _LONGEST_S)
            break
        if budget.spent():
            return cache.manager_sleep
    while not _within(cache):
        wait = cache.remove_oldest()
        if wait:
            return wait
        if budget.spent():
            return cache.manager_sleep
    return pause


def _within(cache: FileCache) -> bool:
    index = cache.index
    if not (index.size < cache.max_size // cache.block and index.fits):
        return False
    if not cache.min_free:
        return True
    try:
        disk = os.statvfs(cache.path.name)
    except OSError:
        return True
    return disk.f_bavail * disk.f_frsize > cache.min_free


def load(cache: FileCache, found: Iterator[None]) -> bool:
    """One turn of the loader; True when all files are in the index."""
    budget = Budget(cache.loader_files, cache.loader_threshold)
    for _ in found:
        if budget.spent():
            return False
    index = cache.index
    index.warm_up()
    megabytes = index.size * cache.block / (1 << 20)
    words = b"http file cache: %b %.3fM, bsize: %d" % (cache.path.name, megabytes, cache.block)
    cache.log.write(NOTICE, words)
    return True
