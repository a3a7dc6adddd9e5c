"""An answer on its way into a cache's file, while it goes to the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.temp_files import TempFile
from gateway.upstream.cache import file_head

if TYPE_CHECKING:
    from gateway.upstream.cache.entry import Entry
    from gateway.upstream.cache.exchange import CachingExchange


class CacheUpdate:
    """What the pipe writes to; see exchange/store.py. What is left of it goes with the temporary file."""

    __slots__ = ("entry", "exchange", "file", "mute", "start")

    def __init__(self, exchange: CachingExchange, entry: Entry) -> None:
        """Errors: FileError."""
        self.exchange = exchange
        self.entry = entry
        self.mute: bool = exchange.request.header_only  # nothing of it goes to the client
        head = exchange.head
        assert head is not None
        kept = file_head.render(head)
        entry.body = entry.start + len(kept)
        self.start = entry.body
        cache = entry.cache
        if cache.use_temp_path:
            self.file = TempFile(exchange.conf.temp_path, persistent=True, clean=True)
        else:
            self.file = TempFile(cache.path, persistent=True, clean=True, beside=entry.path)
        self.file.write(file_head.pack(entry.head()) + file_head.key_line(entry.text) + kept)

    def finish(self) -> None:
        """The answer is whole: it takes its place.

        One to HEAD, of a protocol in which a body may follow it all the same, is so only if all of the body came.
        """
        head, reader = self.exchange.head, self.exchange.reader
        assert head is not None and reader is not None
        if reader.done or head.content_length in (-1, self.file.size - self.start):
            self.entry.store(self.file)
        else:
            self.entry.close()
