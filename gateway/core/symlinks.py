"""disable_symlinks: a path opened component by component, so that no symbolic link is followed unseen.

nginx: ngx_open_file_wrapper() and ngx_openat_file_owner() in ngx_open_file_cache.c.
"""

from __future__ import annotations

import enum
import errno
import os

from gateway._fast.files import OpenedFile, adopt

# Directories on the way need only the right to search, not to read.
_SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC


class Symlinks(enum.Enum):
    """disable_symlinks off | on | if_not_owner."""

    OFF = "off"
    ON = "on"
    IF_NOT_OWNER = "if_not_owner"


def trusted_part(path: bytes, trusted: bytes) -> int | None:
    """How much of the path `from=` exempts: symlinks_from for open(), None when that is all of it."""
    if not trusted or not path.startswith(trusted):
        return 0
    if len(path) == len(trusted):
        return None
    if path[len(trusted)] == 0x2F:
        return len(trusted)
    return len(trusted) - 1 if trusted.endswith(b"/") else 0


def open_walking(path: bytes, flags: int, mode: int, symlinks: Symlinks, trusted: int) -> OpenedFile:
    """Open the path; OSError with ELOOP at a link that is not allowed (with a filename when plain open() failed)."""
    if b"\0" in path:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    if trusted:
        at: int | None = os.open(path[:trusted], _SEARCH)
    elif path.startswith(b"/"):
        at = os.open(b"/", _SEARCH)
    else:
        at = None
    *directories, last = path[trusted:].split(b"/")
    try:
        for name in directories:
            if not name:
                continue
            inner = _open_at(at, name, _SEARCH, 0, symlinks)
            if at is not None:
                os.close(at)
            at = inner
        if not last:
            # a trailing slash: the directory itself, this time to read it
            fd = _plain_open_at(at, b".", flags, mode)
        elif flags & os.O_CREAT:
            # with O_CREAT nothing can be compared before the file is made, so nginx follows no link here
            fd = _plain_open_at(at, last, flags | os.O_NOFOLLOW, mode)
        else:
            fd = _open_at(at, last, flags, mode, symlinks)
    finally:
        if at is not None:
            os.close(at)
    file = adopt(fd)
    if isinstance(file, int):
        raise OSError(file, os.strerror(file))
    return file


def _open_at(at: int | None, name: bytes, flags: int, mode: int, symlinks: Symlinks) -> int:
    if symlinks is Symlinks.ON:
        return _plain_open_at(at, name, flags | os.O_NOFOLLOW, mode)
    fd = _plain_open_at(at, name, flags, mode)
    try:
        # Between openat() and this stat a link may have come or gone: the owners are compared in any case.
        if os.stat(name, dir_fd=at, follow_symlinks=False).st_uid != os.fstat(fd).st_uid:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    except OSError as error:
        os.close(fd)
        raise OSError(error.errno, error.strerror) from None
    return fd


def _plain_open_at(at: int | None, name: bytes, flags: int, mode: int) -> int:
    try:
        return os.open(name, flags, mode, dir_fd=at)
    except OSError as error:
        raise OSError(error.errno, error.strerror) from None
