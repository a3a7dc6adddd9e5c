"""Single keys of a terminal, as development servers take them; nothing where there is none."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import tty
from types import TracebackType
from typing import Any

from gateway.dev.terminal import Terminal


class Keys:
    """While it is entered, a key counts without Enter; Ctrl-C stays what it is."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._fd = -1
        self._before: list[Any] = []

    @property
    def active(self) -> bool:
        return self._fd >= 0

    @property
    def watched(self) -> list[int]:
        """What becomes readable when a key is pressed."""
        return [self._fd] if self.active else []

    def __enter__(self) -> Keys:
        # In the background a read would stop the process.
        with contextlib.suppress(OSError, ValueError, termios.error):
            fd = sys.stdin.fileno()
            if os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp():
                self._before = termios.tcgetattr(fd)
                tty.setcbreak(fd, termios.TCSANOW)
                self._fd = fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.active:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
            self._fd = -1

    def read(self) -> str:
        """One key; at the end of the input there are no more."""
        try:
            data = os.read(self._fd, 1)
        except OSError:
            data = b""
        if not data:
            self._fd = -1
        return data.decode("latin-1")
