"""Temporary files of request bodies and upstream responses, in hashed directories (nginx: ngx_create_temp_file()).

Compiled with the types of temp_files.pxd.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import random
import shutil
import stat
from collections.abc import Sequence

from gateway.core.files import FileError
from gateway.core.zones import Words

_MAX_LEVELS = 3
_DIGITS = 10
_FEW = 64  # parts written together; far below what the kernel takes

# one for all workers, mapped before they are forked: two files never get one name
_numbers = Words(mmap.mmap(-1, mmap.PAGESIZE), 0, 1)
# past a name that somebody else has, far enough not to meet his next one
_COLLISION_STEP = random.randrange(1000, 1_000_000)


def _next_number(collision: bool) -> int:
    return _numbers.add(0, _COLLISION_STEP if collision else 1) % 2**32


class TempPath:
    """A directory for temporary files and its levels: `client_body_temp_path DIR 1 2`."""

    __slots__ = ("levels", "name")

    def __init__(self, name: str | bytes, levels: Sequence[int] = ()) -> None:
        self.name = os.fsencode(name)
        if len(self.name) > 1:
            self.name = self.name.removesuffix(b"/")
        self.levels = tuple(levels)
        if len(levels) > _MAX_LEVELS or any(level < 1 for level in levels) or sum(levels) > _DIGITS:
            raise ValueError("invalid value")

    def hashed(self, name: bytes) -> bytes:
        """Where a file of this name lies: its last characters choose the directories."""
        parts, end = [self.name], len(name)
        for level in self.levels:
            parts.append(name[end - level : end])
            end -= level
        parts.append(name)
        return b"/".join(parts)

    def prepare(self, user: int | None = None) -> None:
        """Make the directory as nginx does at start, owned by the workers' user; FileError."""
        call = "mkdir()"
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.name, 0o700)
            if user is None:
                return
            call = "stat()"
            info = os.stat(self.name)
            if info.st_uid != user:
                call = "chown()"
                os.chown(self.name, user, -1)
            if info.st_mode & stat.S_IRWXU != stat.S_IRWXU:
                call = "chmod()"
                os.chmod(self.name, stat.S_IMODE(info.st_mode) | stat.S_IRWXU)
        except OSError as error:
            raise FileError(error.errno or errno.EIO, call, self.name) from None


class TempFile:
    """A file that is gone when its last user drops it; the `owner` of file slices cut from it."""

    def __init__(
        self,
        where: TempPath,
        *,
        persistent: bool = False,
        clean: bool = False,
        access: int = 0o600,
        beside: bytes | None = None,
    ) -> None:
        """Make it: unlinked at once unless `persistent`; with `clean` it is deleted when it is closed. FileError.

        `beside`: it lies in this file's folder below `where`, under its name with a number behind it.
        """
        self.fd = -1
        self.size = 0
        self._delete = False
        collision = False
        while True:
            number = b"%010d" % _next_number(collision)
            self.path = where.hashed(number) if beside is None else beside + b"." + number
            try:
                self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, access)
                break
            except OSError as error:
                code = error.errno or errno.EIO
            if code == errno.EEXIST:
                collision = True
            elif code == errno.ENOENT and where.levels:
                _make_levels(where, self.path)
            else:
                raise FileError(code, "open()", self.path)
        if not persistent:
            self._unlink()
        else:
            self._delete = clean

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append; FileError (a full disk) leaves what was written before."""
        while len(data):
            try:
                written = os.pwrite(self.fd, data, self.size)
            except OSError as error:
                raise FileError(error.errno or errno.EIO, "pwrite()", self.path) from None
            self.size += written
            if written == len(data):
                return
            data = memoryview(data)[written:]

    def write_parts(self, parts: Sequence[bytes]) -> None:
        """Append them all, with one system call and no copy where they are few; FileError."""
        written = 0
        if 1 < len(parts) <= _FEW:
            try:
                written = os.pwritev(self.fd, parts, self.size)
            except OSError as error:
                raise FileError(error.errno or errno.EIO, "pwritev()", self.path) from None
            self.size += written
            if written == sum([len(part) for part in parts]):
                return
        self.write(b"".join(parts)[written:])

    def read(self, count: int, offset: int) -> bytes:
        """Up to `count` bytes from `offset`; FileError."""
        try:
            return os.pread(self.fd, count, offset)
        except OSError as error:
            raise FileError(error.errno or errno.EIO, "pread()", self.path) from None

    def keep(self) -> None:
        """Leave the file in its place when it is closed (client_body_in_file_only on)."""
        self._delete = False

    def move(self, path: bytes, *, access: int = 0, modified: int | None = None, folders: int = 0o700) -> None:
        """Give it its place under this name, in folders that are made if need be; nginx's ngx_ext_rename_file.

        With `folders` 0 none are made. FileError leaves it a temporary file.
        """
        call = "chmod()"
        try:
            if access:
                os.fchmod(self.fd, access)
            if modified is not None:
                call = "utimes()"
                os.utime(self.fd, (modified, modified))
        except OSError as error:
            raise FileError(error.errno or errno.EIO, call, self.path) from None
        try:
            try:
                os.rename(self.path, path)
            except FileNotFoundError:
                if not folders:
                    raise
                make_folders(path, folders)
                os.rename(self.path, path)
            self.keep()
        except OSError as error:
            if error.errno == errno.EXDEV and self._copy(path, access, modified):
                return
            call = f'rename() "{os.fsdecode(self.path)}" to'
            raise FileError(error.errno or errno.EIO, call, path) from None

    def _copy(self, path: bytes, access: int, modified: int | None) -> bool:
        """Another file system: copy beside the place, then rename, so that nobody sees half a file."""
        beside = path + b"." + os.path.basename(self.path)
        try:
            shutil.copyfile(self.path, beside)
            os.chmod(beside, access or 0o600)
            if modified is not None:
                os.utime(beside, (modified, modified))
            os.rename(beside, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            return False
        return True

    def close(self) -> None:
        """Close it before its last user goes, and delete it if it was to be deleted."""
        fd, self.fd = self.fd, -1
        if fd < 0:
            return
        if self._delete:
            self._unlink()
        os.close(fd)

    def __del__(self) -> None:
        self.close()

    def _unlink(self) -> None:
        try:  # noqa: SIM105 - each request with a body in a file comes here
            os.unlink(self.path)
        except OSError:
            pass


def make_folders(path: bytes, mode: int) -> None:
    """The folders of a path; nginx's ngx_create_full_path. Errors: OSError."""
    at = path.find(b"/", 1)
    while at >= 0:
        with contextlib.suppress(FileExistsError, PermissionError):
            os.mkdir(path[:at], mode)
        at = path.find(b"/", at + 1)


def _make_levels(where: TempPath, path: bytes) -> None:
    end = len(where.name)
    for level in where.levels:
        end += level + 1
        try:
            os.mkdir(path[:end], 0o700)
        except FileExistsError:
            continue
        except OSError as error:
            raise FileError(error.errno or errno.EIO, "mkdir()", path[:end]) from None
