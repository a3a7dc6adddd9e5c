"""The pid file: written when the master starts, read by -s, renamed to .oldbin during an upgrade."""

from __future__ import annotations

import os
from typing import Final

from gateway.core.logs import Log
from gateway.process.errors import CycleError

OLD_SUFFIX: Final = ".oldbin"


def create(name: str, log: Log, *, testing: bool = False) -> None:
    """Write this process's id; with -t only see that it could be done (which makes the file, as in nginx)."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (0 if testing else os.O_TRUNC)
    try:
        fd = os.open(name, flags, 0o644)
    except OSError as error:
        log.emerg(f'open() "{name}" failed', errno=error.errno or 0)
        raise CycleError from None
    try:
        if not testing:
            os.write(fd, b"%d\n" % os.getpid())
    except OSError as error:
        log.emerg(f'write() to "{name}" failed', errno=error.errno or 0)
        raise CycleError from None
    finally:
        os.close(fd)


def delete(name: str, log: Log) -> None:
    try:
        os.unlink(name)
    except OSError as error:
        log.alert(f'unlink() "{name}" failed', errno=error.errno or 0)


def read(name: str, log: Log) -> int | None:
    """The master's process id; None after nginx's error in the log."""
    try:
        with open(name, "rb") as file:
            text = file.read(24)
    except OSError as error:
        log.error(f'open() "{name}" failed', errno=error.errno or 0)
        return None
    text = text.rstrip(b"\r\n")
    if not text.isdigit():
        log.error(b'invalid PID number "%b" in "%b"' % (text, os.fsencode(name)))
        return None
    return int(text)
