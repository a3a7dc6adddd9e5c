"""`*_store`: an answer is kept as a file, while it goes to the client, and moved to its place when it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET
from gateway.config.directive import Command
from gateway.core.temp_files import TempFile
from gateway.http.response import parse_http_date
from gateway.http.setters import template
from gateway.upstream.attempt import Stage

if TYPE_CHECKING:
    from gateway.upstream.exchange import Exchange

ACCESS: Final = 0o600  # `*_store_access user:rw`

_SHIFTS: Final = {"user": 6, "group": 3, "all": 0}
_RIGHTS: Final = {"rw": 6, "r": 4}


def set_store(conf: Any, command: Command) -> None:
    """`*_store on | off | path`: the file that the URI names, or a path with variables."""
    if conf.store is not UNSET:
        command.duplicate()
    text = command.args[0]
    if not text:
        command.fail("empty path")
    if text in ("on", "off"):
        conf.store = text == "on"
    else:
        conf.store = template(command, text)


def set_access(conf: Any, command: Command) -> None:
    """`*_store_access user:rw group:r …`; nginx's ngx_conf_set_access_slot."""
    if conf.store_access is not UNSET:
        command.duplicate()
    access, owner = 0, ACCESS
    for word in command.args:
        who, colon, right = word.partition(":")
        if not colon or who not in _SHIFTS or right not in _RIGHTS:
            command.fail(f'invalid value "{word}"')
        if who == "user":
            owner = 0
        access |= _RIGHTS[right] << _SHIFTS[who]
    conf.store_access = access | owner


class Storing:
    """One answer on its way to a file. What is left of it goes with the temporary file."""

    __slots__ = ("exchange", "file")

    def __init__(self, exchange: Exchange) -> None:
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
        path: bytes = request.map_uri_to_path(request.uri) if store is True else store(request)
        if path:
            modified = next((value for lower, _, value in head.fields if lower == b"last-modified"), None)
            self._move(path, None if modified is None else parse_http_date(modified))

    def _move(self, path: bytes, modified: int | None) -> None:
        file = self.file
        access = self.exchange.conf.store_access
        try:
            call = b'chmod() "%b"' % file.path
            os.fchmod(file.fd, access)
            if modified is not None:
                call = b'utimes() "%b"' % file.path
                os.utime(file.fd, (modified, modified))
            call = b'rename() "%b" to "%b"' % (file.path, path)
            try:
                os.rename(file.path, path)
            except FileNotFoundError:
                _make_folders(path, access)
                os.rename(file.path, path)
            file.keep()
        except OSError as error:
            if error.errno == errno.EXDEV and self._copy(path, access, modified):
                return
            words = call + b" failed (%d: %b)" % (error.errno or 0, (error.strerror or "").encode())
            self.exchange.log("crit", words, Stage.READING_BODY)

    def _copy(self, path: bytes, access: int, modified: int | None) -> bool:
        """Another file system: copy beside the place, then rename, so that nobody sees half a file."""
        beside = path + b"." + os.path.basename(self.file.path)
        try:
            shutil.copyfile(self.file.path, beside)
            os.chmod(beside, access)
            if modified is not None:
                os.utime(beside, (modified, modified))
            os.rename(beside, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            return False
        return True


def _make_folders(path: bytes, access: int) -> None:
    """The folders of a path, to be entered by those who may read; nginx's ngx_create_full_path. Errors: OSError."""
    at = path.find(b"/", 1)
    while at >= 0:
        with contextlib.suppress(FileExistsError, PermissionError):
            os.mkdir(path[:at], access | (access & 0o444) >> 2)
        at = path.find(b"/", at + 1)


def begin(exchange: Exchange) -> Storing | None:
    """A file for this answer where the location keeps them: a 200, and not of HEAD. Errors: FileError."""
    head = exchange.head
    if not exchange.conf.store or head is None or head.status != 200 or exchange.request.method == b"HEAD":
        return None
    return Storing(exchange)
