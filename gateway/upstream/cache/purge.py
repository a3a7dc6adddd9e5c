"""`*_cache_purge` of NGINX Plus: what a key stands for is taken out of its cache; one with `*` at its end for many.

The answer is 204, or 404 where there was nothing under the key. Where NGINX Plus leaves the files of a `*` to a purger,
a thread looks through the files at once. So it does for an answer with Vary, whose variants are files of their own.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable
from hashlib import md5
from typing import TYPE_CHECKING, Final

from gateway.core.logs import CRIT
from gateway.upstream.cache import file_head

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.cache.file_cache import FileCache

_DONE: Final = 204
_NOTHING: Final = 404
# A key is at the beginning of its file; a longer one than this is found by a second reading.
_FIRST_READ: Final = 4096


def purge(cache: FileCache, text: bytes, request: Request) -> int:
    """The status to answer with; of a cache with `sync` the other nodes purge the same, and only they know what."""
    status = _purge(cache, text, request)
    if cache.purges is None:
        return status
    try:
        cache.purges.set(text, b"")
    except MemoryError:
        name = cache.name.encode("utf-8", "surrogateescape")
        request.log("crit", b'too many purges of cache "%b" wait for the store: other nodes keep "%b"' % (name, text))
    return _DONE


def _purge(cache: FileCache, text: bytes, request: Request) -> int:
    if text.endswith(b"*"):
        prefix = text[:-1]
        _look_through(cache, lambda key: key.startswith(prefix), request)
        return _DONE
    name = md5(text, usedforsecurity=False).digest()
    path = cache.file_of(name)
    head = _head_of(path)
    found = cache.index.purge(name)
    if head is not None and head[1] == text:
        if head[0].vary:
            _look_through(cache, lambda key: key == text, request)
        found = True
    if found:
        _unlink(cache, path)
    return _DONE if found else _NOTHING


def _look_through(cache: FileCache, wanted: Callable[[bytes], bool], request: Request) -> None:
    """In a thread, after this request."""
    request.connection.lane.nursery.start_soon(_in_thread, cache, wanted)


async def _in_thread(cache: FileCache, wanted: Callable[[bytes], bool]) -> None:
    """Cancelled: the worker ends; the thread goes on to the next file."""
    import trio

    await trio.to_thread.run_sync(purge_all, cache, wanted, abandon_on_cancel=True)


def purge_before(cache: FileCache, text: bytes, until: float) -> None:
    """What another node has purged: answers that were stored up to this moment."""
    if text.endswith(b"*"):
        prefix = text[:-1]
        purge_all(cache, lambda key: key.startswith(prefix), until)
        return
    name = md5(text, usedforsecurity=False).digest()
    path = cache.file_of(name)
    head = _head_of(path)
    if head is not None and head[1] == text and head[0].vary:
        purge_all(cache, lambda key: key == text, until)
    elif head is None or head[0].date <= until:
        cache.index.purge(name)
        _unlink(cache, path)


def purge_all(cache: FileCache, wanted: Callable[[bytes], bool], until: float = math.inf) -> int:
    """Purge what has such a key and was stored up to this moment; how many files that were."""
    count = 0
    folders = [cache.path.name]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    head = _head_of(entry.path)
                    if head is not None and wanted(head[1]) and head[0].date <= until:
                        try:
                            cache.index.purge(bytes.fromhex(entry.name.decode("ascii")))
                        except ValueError:
                            continue
                        _unlink(cache, entry.path)
                        count += 1
        except OSError as error:
            cache.log.write(CRIT, b'opendir() "%b" failed' % folder, errno=error.errno or 0)
    return count


def _head_of(path: bytes) -> tuple[file_head.FileHead, bytes] | None:
    """The head of a cache's file, and its key; None for what is none."""
    try:
        with open(path, "rb") as opened:
            data = opened.read(_FIRST_READ)
            head = file_head.unpack(data)
            if head.version != file_head.VERSION:
                return None
            if head.start > len(data):
                data += opened.read(head.start - len(data))
        return head, file_head.key_of(data, head.start)
    except (OSError, struct.error):
        return None


def _unlink(cache: FileCache, path: bytes) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass  # somebody was faster
    except OSError as error:
        cache.log.write(CRIT, b'unlink() "%b" failed' % path, errno=error.errno or 0)
