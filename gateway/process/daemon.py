"""Going to the background (nginx's ngx_daemon)."""

from __future__ import annotations

import contextlib
import os
from typing import Final

_STARTED: Final = b"1"


class Launch:
    """The foreground process's wait until the background one has written its pid file."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def done(self) -> None:
        """Let the foreground process end with success."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.write(self._fd, _STARTED)
            os.close(self._fd)
            self._fd = -1


def detach() -> Launch:
    """Fork and go on in the child, in a session of its own; the parent ends when the child says it is ready.

    nginx's parent ends at once, so that a script may look for a pid file that is not there yet.
    """
    reading, writing = os.pipe()
    if os.fork() != 0:
        os.close(writing)
        try:
            started = os.read(reading, 1) == _STARTED
        except KeyboardInterrupt:
            started = False
        os._exit(0 if started else 1)
    os.close(reading)
    os.setsid()
    os.umask(0)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    if null > 2:
        os.close(null)
    return Launch(writing)
