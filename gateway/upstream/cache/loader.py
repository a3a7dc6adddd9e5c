"""The files of an earlier run go into the index; what is no file of a cache is deleted, as nginx does it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.core.logs import ALERT, CRIT
from gateway.upstream.cache import clock, file_head

if TYPE_CHECKING:
    from gateway.upstream.cache.file_cache import FileCache

_NAME: Final = re.compile(rb"[0-9a-fA-F]{32}")
# Under a file's name with this behind it an answer is being written (use_temp_path=off).
_TEMPORARY: Final = re.compile(rb".*\.[^.]{10}", re.DOTALL)
_TEMP_FOLDER: Final = b"temp"  # of `*_temp_path` inside the cache's directory


def walk(cache: FileCache) -> Iterator[None]:
    """Look at all files, one at a step."""
    complained = 0
    folders = [cache.path.name]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name != _TEMP_FOLDER:
                            folders.append(entry.path)
                        continue
                    if _TEMPORARY.fullmatch(entry.name):
                        continue
                    if not _add(cache, entry):
                        if not cache.index.fits and complained != clock.now():
                            complained = clock.now()
                            words = b'could not allocate node in cache keys zone "%b"' % cache.name.encode()
                            cache.log.write(ALERT, words)
                        cache.delete(entry.path)
                    yield
        except OSError as error:
            cache.log.write(CRIT, b'opendir() "%b" failed' % folder, errno=error.errno or 0)


def _add(cache: FileCache, entry: os.DirEntry[bytes]) -> bool:
    if not entry.is_file(follow_symlinks=False) or not _NAME.fullmatch(entry.name):
        return False
    try:
        info = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return True  # somebody was faster
    if info.st_size < file_head.SIZE:
        cache.log.write(CRIT, b'cache file "%b" is too small' % entry.path)
        return False
    key = bytes.fromhex(entry.name.decode())
    return cache.index.add(key, clock.now(), cache.inactive, cache.blocks(info.st_blocks * 512))
