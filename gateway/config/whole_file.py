"""Reading a file that a configuration names: as much of it as stat() says there is, and without waiting for anybody.

A device that never ends, or a FIFO whose other end nobody opens, would hold the start for good, or eat the machine's
memory. nginx takes them for files of length 0, too (but waits for a FIFO).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

# What an editor has open and has not written yet: its text is read in the place of the file's.
unsaved: Final[dict[str, bytes]] = {}

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def read_whole(name: str | bytes) -> bytes:
    """The content of a file. Errors: OSError, IsADirectoryError for what can be opened but not read."""
    if unsaved:
        text = unsaved.get(os.path.normpath(os.fsdecode(name)))
        if text is not None:
            return text
    fd = os.open(name, _FLAGS)
    try:
        info = os.fstat(fd)
        if stat.S_ISDIR(info.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        parts = []
        left = info.st_size
        while left > 0 and (data := os.read(fd, left)):
            parts.append(data)
            left -= len(data)
        return b"".join(parts)
    finally:
        os.close(fd)
