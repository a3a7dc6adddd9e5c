"""Log files of one cycle: opened once per name, reopened on USR1 (nginx's ngx_open_file_t)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Final

from gateway.config.parts import Part

STDERR: Final = 2

# nginx: NGX_FILE_APPEND, so that lines of several processes do not overwrite each other.
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class OpenFile:
    """A log file that several logs may share; `fd` changes when it is reopened."""

    __slots__ = ("fd", "flush", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.fd = STDERR if name == "" else -1
        self.flush: Callable[[], None] | None = None  # writes out what a buffered log still holds

    def __repr__(self) -> str:
        return f"OpenFile({self.name!r}, fd={self.fd})"


class OpenFiles:
    """The registry of a cycle's log files; names are absolute, "" is stderr."""

    def __init__(self) -> None:
        self._files: dict[str, OpenFile] = {}

    def __iter__(self) -> Iterator[OpenFile]:
        return iter(self._files.values())

    @property
    def stderr(self) -> bool:
        """Whether a log goes there."""
        return "" in self._files

    def add(self, name: str) -> OpenFile:
        """The file of this name, made now or earlier; it is opened with the rest of the cycle."""
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = OpenFile(name)
        return file

    def open(self) -> None:
        """Open all that are not open yet; OSError carries the name of the one that failed."""
        for file in self:
            if file.fd < 0:
                file.fd = os.open(file.name, _FLAGS, 0o644)

    def reopen(self, user: int | None, complain: Callable[[str], None]) -> None:
        """Open each file anew by its name; one that fails keeps its old descriptor and is complained about.

        The master names the workers' user, so that workers can reopen what the master creates as root.
        """
        for file in self:
            if file.name == "":
                continue
            if file.flush is not None:
                file.flush()
            try:
                fd = os.open(file.name, _FLAGS, 0o644)
            except OSError as error:
                complain(f'open() "{file.name}" failed ({error.errno}: {error.strerror})')
                continue
            if user is not None:
                try:
                    _give(file.name, user)
                except OSError as error:
                    complain(f'chown("{file.name}", {user}) failed ({error.errno}: {error.strerror})')
                    os.close(fd)
                    continue
            old, file.fd = file.fd, fd
            if old > STDERR:
                os.close(old)

    def flush(self) -> None:
        """Write out what buffered logs hold; called when a worker ends."""
        for file in self:
            if file.flush is not None:
                file.flush()

    def close(self) -> None:
        """Close all; the registry may not be used afterwards."""
        for file in self:
            if file.fd > STDERR:
                os.close(file.fd)
                file.fd = -1


def _give(name: str, user: int) -> None:
    info = os.stat(name)
    if info.st_uid != user:
        os.chown(name, user, -1)
    wanted = stat.S_IRUSR | stat.S_IWUSR
    if info.st_mode & wanted != wanted:
        os.chmod(name, stat.S_IMODE(info.st_mode) | wanted)


FILES: Final = Part("files", OpenFiles)
