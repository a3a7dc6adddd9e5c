"""`*_store`: an answer is kept as a file, while it goes to the client, and moved to its place when it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.directive import Command
from gateway.core.files import FileError
from gateway.core.temp_files import TempFile
from gateway.http.response import parse_http_date
from gateway.http.setters import template
from gateway.upstream.exchange.attempt import Stage

if TYPE_CHECKING:
    from gateway.upstream.exchange.peer_answer import PeerAnswer


def set_store(conf: Any, command: Command) -> None:
    """`*_store on | off | path`: the file that the URI names, or a path with variables."""
    command.once(conf.store)
    text = command.args[0]
    if not text:
        command.fail("empty path")
    if text == "off":
        conf.store = False
        return
    if conf.cache:
        command.refuse(f'is incompatible with "{conf.prefix}_cache"')
    conf.store = True if text == "on" else template(command, text)


class StoreFile:
    """One answer on its way to a file. What is left of it goes with the temporary file."""

    __slots__ = ("exchange", "file")

    start = 0  # where the body begins in the file
    mute = False

    def __init__(self, exchange: PeerAnswer) -> None:
        """Errors: FileError."""
        self.exchange = exchange
        self.file = TempFile(exchange.conf.temp_path, persistent=True, clean=True)

    def finish(self) -> None:
        """The answer is whole: it goes to its place. What fails is a line in the log."""
        exchange = self.exchange
        head = exchange.head
        assert head is not None
        if head.content_length not in (-1, self.file.size):
            return
        store = exchange.conf.store
        request = exchange.request
        path: bytes = request.map_uri_to_path(request.uri) if isinstance(store, bool) else store(request)
        if path:
            modified = next((value for lower, _, value in head.fields if lower == b"last-modified"), None)
            self._move(path, None if modified is None else parse_http_date(modified))

    def _move(self, path: bytes, modified: int | None) -> None:
        access = self.exchange.conf.store_access
        try:
            # its folders can be entered by those who may read it
            self.file.move(path, access=access, modified=modified, folders=access | (access & 0o444) >> 2)
        except FileError as error:
            self.exchange.log("crit", str(error).encode("utf-8", "surrogateescape"), Stage.READING_BODY)
