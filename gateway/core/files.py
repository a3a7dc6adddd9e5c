"""Files as nginx serves them: how they are opened, which error means which status (nginx: ngx_open_file_cache.c)."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Final, Protocol

from gateway._fast.files import READ, OpenedFile, open_path, stat_path
from gateway.core.symlinks import Symlinks, open_walking

__all__ = [
    "NOT_FOUND",
    "FileError",
    "FileOptions",
    "OpenedFile",
    "Opener",
    "PlainFiles",
    "Symlinks",
    "open_file",
    "stat_file",
]  # fmt: skip

# What means that there is no such file: a 404.
NOT_FOUND: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG))
# EMLINK is what some systems say where Linux says ELOOP: a symbolic link that disable_symlinks forbids
_FORBIDDEN = frozenset((errno.EACCES, errno.EMLINK, errno.ELOOP))

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
_LOG_MODE = 0o644


class FileError(Exception):
    """A file that could not be had; str() is nginx's log message with the error's text."""

    def __init__(self, code: int, failed: str, path: bytes) -> None:
        super().__init__(code, failed, path)
        self.errno = code
        self.failed = failed
        self.path = path

    def __str__(self) -> str:
        return f"{self.message} ({self.errno}: {os.strerror(self.errno)})"

    @property
    def message(self) -> str:
        """The log message without the error's text, which Log.write() adds."""
        return f'{self.failed} "{os.fsdecode(self.path)}" failed'

    @property
    def status(self) -> int:
        """The status that the static module answers."""
        if self.errno in NOT_FOUND:
            return 404
        return 403 if self.errno in _FORBIDDEN else 500

    @property
    def level(self) -> str:
        """The level at which the static module logs it; a 404 only with log_not_found."""
        return "crit" if self.status == 500 else "error"


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What a location says about opening files: open_file_cache_* and disable_symlinks."""

    valid: float = 60.0
    min_uses: int = 1
    errors: bool = False
    symlinks: Symlinks = Symlinks.OFF
    log: bool = False  # a log file: appended to, made when missing


PLAIN = FileOptions()


class Opener(Protocol):
    """Where a location gets its files from: PlainFiles or an OpenFileCache."""

    def open(self, path: bytes, options: FileOptions = PLAIN, symlinks_from: int = 0) -> OpenedFile:
        """The file or directory; FileError when it cannot be had.

        symlinks_from: length of the path's leading part that disable_symlinks trusts.
        """

    def test(self, path: bytes, options: FileOptions = PLAIN, symlinks_from: int = 0) -> OpenedFile:
        """What kind of file it is, perhaps without a descriptor (try_files, index)."""


def open_plain(path: bytes) -> OpenedFile:
    """Open and stat a file for reading, through whatever links; FileError."""
    opened = open_path(path, READ)
    if type(opened) is int:
        raise FileError(opened, "open()", path)
    return opened  # type: ignore[return-value]


def stat_plain(path: bytes) -> OpenedFile:
    """Stat a file, through whatever links; FileError."""
    info = stat_path(path)
    if type(info) is int:
        raise FileError(info, "stat()", path)
    return info  # type: ignore[return-value]


def open_file(path: bytes, options: FileOptions = PLAIN, symlinks_from: int = 0) -> OpenedFile:
    """Open and stat a file, O_NONBLOCK and O_CLOEXEC; FileError."""
    if options.symlinks is Symlinks.OFF:
        opened = open_path(path, _APPEND, _LOG_MODE) if options.log else open_path(path, READ)
        if opened.__class__ is int:
            raise FileError(opened, "open()", path)
        return opened  # type: ignore[return-value]
    return _walk(path, options, symlinks_from)


def stat_file(path: bytes, options: FileOptions = PLAIN, symlinks_from: int = 0) -> OpenedFile:
    """Stat a file, without a descriptor in the result unless disable_symlinks needed one; FileError."""
    if options.symlinks is Symlinks.OFF:
        info = stat_path(path)
        if info.__class__ is int:
            raise FileError(info, "stat()", path)
        return info  # type: ignore[return-value]
    return _walk(path, options, symlinks_from)


class PlainFiles:
    """`open_file_cache off`: each file is opened anew."""

    __slots__ = ()

    open = staticmethod(open_file)
    test = staticmethod(stat_file)


def _walk(path: bytes, options: FileOptions, symlinks_from: int) -> OpenedFile:
    flags, mode = (_APPEND, _LOG_MODE) if options.log else (READ, 0)
    try:
        return open_walking(path, flags, mode, options.symlinks, symlinks_from)
    except OSError as error:
        failed = "open()" if error.filename is not None else "openat()"
        raise FileError(error.errno or errno.EIO, failed, path) from None
