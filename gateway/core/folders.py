"""What is in a folder, as nginx lists one: hidden names left out, links followed as far as they lead somewhere."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from stat import S_ISDIR, S_ISREG

from gateway.core.files import FileError


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder."""

    name: bytes
    is_dir: bool
    is_file: bool
    size: int
    mtime: int  # seconds since the epoch


def names(path: bytes) -> list[os.DirEntry[bytes]]:
    """The names in the folder that do not begin with a dot. Errors: FileError, its status that of the static module."""
    if b"\0" in path:
        raise FileError(errno.ENOENT, "opendir()", path)
    try:
        found = os.scandir(path)
    except OSError as error:
        raise FileError(error.errno or errno.EIO, "opendir()", path) from None
    try:
        with found:
            return [entry for entry in found if not entry.name.startswith(b".")]
    except OSError as error:
        raise FileError(error.errno or errno.EIO, "readdir()", path) from None


def look(entry: os.DirEntry[bytes]) -> Entry:
    """What stands behind a name; of a link that leads nowhere, the link. Errors: FileError."""
    try:
        try:
            info = entry.stat()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP):
                raise
            info = os.lstat(entry.path)
    except OSError as error:
        raise FileError(error.errno or errno.EIO, "stat()", entry.path) from None
    return Entry(entry.name, S_ISDIR(info.st_mode), S_ISREG(info.st_mode), info.st_size, int(info.st_mtime // 1))
