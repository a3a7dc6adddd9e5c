"""Files and folders copied, moved and deleted (nginx: ngx_copy_file, ngx_ext_rename_file, ngx_walk_tree).

nginx follows symbolic links inside of a folder, so that to delete it deletes what they lead to. Here a link is deleted
itself, and a folder behind one is not copied.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from typing import Final

from gateway.core.files import FileError
from gateway.core.temp_files import make_folders

_BLOCK: Final = 1 << 20

# What is told of each thing inside a tree that could not be done; the rest is done all the same.
Report = Callable[[FileError], None]


def _error(error: OSError, call: str, path: bytes) -> FileError:
    return FileError(error.errno or errno.EIO, call, path)


def delete(path: bytes, is_dir: bool, report: Report) -> None:
    """A file, or a folder with all that is in it. Errors: FileError for the thing itself."""
    call = "rmdir()" if is_dir else "unlink()"
    if is_dir:
        _delete_inside(path, report)
    try:
        if is_dir:
            os.rmdir(path)
        else:
            os.unlink(path)
    except OSError as error:
        raise _error(error, call, path) from None


def _entries(path: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(path) as found:
            return list(found)
    except OSError as error:
        raise _error(error, "opendir()", path) from None


def _delete_inside(path: bytes, report: Report) -> None:
    for entry in _entries(path):
        try:
            delete(entry.path, entry.is_dir(follow_symlinks=False), report)
        except FileError as error:
            report(error)


def copy_tree(source: bytes, target: bytes, report: Report) -> None:
    """A folder with all that is in it; the target must not be there yet. Errors: FileError for the folder itself."""
    try:
        info = os.stat(source)
        os.mkdir(target, stat.S_IMODE(info.st_mode))
    except OSError as error:
        raise _error(error, "mkdir()", target) from None
    _copy_inside(source, target, report)


def _copy_inside(source: bytes, target: bytes, report: Report) -> None:
    for entry in _entries(source):
        there = target + b"/" + entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                copy_tree(entry.path, there, report)
                _set_time(there, entry.stat().st_mtime_ns)
            elif entry.is_file():
                copy_file(entry.path, there)
        except FileError as error:
            report(error)
        except OSError as error:
            report(_error(error, "stat()", entry.path))


def _set_time(path: bytes, time_ns: int) -> None:
    with contextlib.suppress(OSError):
        os.utime(path, ns=(time_ns, time_ns))


def copy_file(source: bytes, target: bytes) -> None:
    """Contents, permissions and time; what is behind a link. Errors: FileError."""
    try:
        file = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _error(error, "open()", source) from None
    try:
        info = os.fstat(file)
        try:
            mode = stat.S_IMODE(info.st_mode)
            copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        except OSError as error:
            raise _error(error, "open()", target) from None
        try:
            _copy_bytes(file, copy, target)
            os.utime(copy, ns=(info.st_mtime_ns, info.st_mtime_ns))
        finally:
            os.close(copy)
    finally:
        os.close(file)


def _copy_bytes(file: int, copy: int, target: bytes) -> None:
    at = 0
    try:
        while sent := os.sendfile(copy, file, at, _BLOCK):
            at += sent
    except OSError as error:
        raise _error(error, "write()", target) from None


def move_file(source: bytes, target: bytes, folders: int) -> None:
    """Rename, into folders that are made if need be, or onto another file system. Errors: FileError."""
    try:
        try:
            os.rename(source, target)
        except FileNotFoundError:
            make_folders(target, folders)
            os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise _error(error, f'rename() "{os.fsdecode(source)}" to', target) from None
    else:
        return
    beside = target + b".%d" % os.getpid()
    try:
        copy_file(source, beside)
        os.rename(beside, target)
        os.unlink(source)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise _error(error, f'rename() "{os.fsdecode(source)}" to', target) from None
