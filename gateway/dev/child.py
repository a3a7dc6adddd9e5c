"""A child process of `gateway run`: in a group of its own, its output read line by line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.dev.janitor import Janitor


class Child:
    """Started at once; `line` is called in a thread with each line of its output, without the newline."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        janitor: Janitor,
        line: Callable[[str], None],
        pass_fds: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._janitor = janitor
        self._popen = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            pass_fds=tuple(pass_fds),
            # Ctrl-C in a terminal goes to the foreground group: only `gateway run` hears it, and stops the rest.
            process_group=0,
        )
        self.pid = self._popen.pid
        janitor.watch(self.pid)
        self._reader = threading.Thread(target=self._read, args=(line,), daemon=True)
        self._reader.start()

    def _read(self, line: Callable[[str], None]) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as output, contextlib.suppress(ValueError):
            for data in output:
                line(data.decode("utf-8", "replace").rstrip("\r\n"))

    @property
    def running(self) -> bool:
        """Whether the process that was started is still there."""
        return self._popen.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self._popen.poll()
        if code is None:
            return "is running"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def send(self, number: int) -> None:
        """Send the started process a signal; nothing when it is gone."""
        if self.running:
            self._popen.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, patience_s: float = 5.0) -> None:
        """End the whole group: politely, then not."""
        self.send(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(patience_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        self._reader.join(1.0)
        self._janitor.forget(self.pid)

    def finished(self, timeout_s: float = 1.0) -> None:
        """Wait until all of its output has been read; for a process that has ended."""
        self._reader.join(timeout_s)
