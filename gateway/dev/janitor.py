"""What must be gone when `gateway run` is gone, also when that was killed with SIGKILL.

A forked process waits at a pipe that only its parent holds. When the parent is no more, for whatever reason, it ends
the process groups that it was told of and removes the private folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

# Between TERM and KILL; uWSGI takes a second to bury its workers.
_PATIENCE_S = 4.0


class Janitor:
    """Owns the private folder; start it before there are threads and children."""

    def __init__(self) -> None:
        # The path of a unix socket has at most 107 bytes.
        place = None if len(tempfile.gettempdir()) < 70 else "/tmp"
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-run-", dir=place))
        reader, self._pipe = os.pipe()
        # A fork copies what is in the buffers, and both would print it.
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if not self._pid:
            try:
                _wait_and_clean(reader, self.folder)
            finally:
                os._exit(0)
        os.close(reader)

    def watch(self, group: int) -> None:
        """End this process group if it is still there at the end."""
        os.write(self._pipe, b"+%d\n" % group)

    def forget(self, group: int) -> None:
        """Everything in the group has ended and its number may be given to another one."""
        os.write(self._pipe, b"-%d\n" % group)

    def remove(self, file: Path) -> None:
        """Remove this file at the end, if it is still there."""
        os.write(self._pipe, b"f%s\n" % os.fsencode(file))

    def close(self) -> None:
        """Have everything cleaned up now."""
        os.close(self._pipe)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _wait_and_clean(reader: int, folder: Path) -> None:
    # Signals of the terminal are for the parent, and a hasty TERM must not leave anything behind.
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.dup2(reader, 3)
    os.closerange(4, 4096)
    os.chdir("/")
    told = b""
    while data := os.read(3, 4096):
        told += data
    groups: set[int] = set()
    files: list[Path] = []
    for line in told.splitlines():
        if line.startswith(b"f"):
            files.append(Path(os.fsdecode(line[1:])))
        else:
            (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + _PATIENCE_S
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        while any(map(_alive, groups)) and time.monotonic() < end:
            time.sleep(0.02)
    for file in files:
        file.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _alive(group: int) -> bool:
    """Whether a process of the group is left; what nobody has waited for yet does not count."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return any(map(_running, _members(group)))


def _members(group: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.getpgid(int(name)) == group:
                    found.append(int(name))
    return found


def _running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False
