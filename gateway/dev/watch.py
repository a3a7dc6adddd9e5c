"""gateway --watch: a server in the foreground that reads its configuration again when that changes.

The server is as always; beside it stands a process that looks at the files once a second, tries what changed as
`gateway -t` does, and sends SIGHUP only when that is right, so that a mistake is told and nothing else happens.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from gateway.config.parser import Source, Statement, load
from gateway.dev.watcher import Watcher

_EVERY_S: Final = 1.0
DAEMON_OFF: Final = "daemon off; "


class CannotWatch(Exception):
    """Why, for the user."""


def begin(conf_file: str, arguments: Sequence[str], globals_text: str) -> str:
    """Start the process beside this one, which goes on to serve; what -g has to be. Errors: CannotWatch."""
    daemon = [s.args for s in load(conf_file).statements.readable() if s.name == "daemon"]
    if ["on"] in daemon:
        raise CannotWatch('--watch stays in the foreground: take "daemon on" out of the configuration')
    command = [sys.executable, "-P", "-m", "gateway.dev.watch", str(os.getpid()), conf_file, *arguments]
    # Its parent ends at once, so that it is no child of the server, which knows its own.
    subprocess.run(command, check=True)
    return globals_text if daemon or "daemon" in globals_text else DAEMON_OFF + globals_text


class Files:
    """The files of a configuration, and those of Python that it may import; what is read again when one changes."""

    def __init__(self, conf_file: str) -> None:
        self._conf_file = conf_file
        self._source = load(conf_file)
        self._watcher = self._watched()

    def _watched(self) -> Watcher:
        names = [Path(name) for name, _ in self._source.files] or [Path(self._conf_file)]
        # A folder's time says that a file has come, which an include with a pattern may bring.
        folders = {name.parent for name in names}
        imports = any(s.name == "py_import" for s in _all(self._source))
        return Watcher(Path(self._conf_file).parent, (*names, *folders), suffixes=(".py",) if imports else ())

    def changed(self) -> list[str]:
        """Names of what is not as it was; a file that was only touched is."""
        touched = [str(path) for path in self._watcher.changed()]
        if not touched:
            return []
        before = dict(self._source.files)
        self._source = load(self._conf_file)
        now = dict(self._source.files)
        self._watcher = self._watched()
        named = [name for name in touched if name.endswith(".py")]
        return named + [name for name in {**before, **now} if before.get(name) != now.get(name)]


def _all(source: Source) -> list[Statement]:
    found: list[Statement] = []
    waiting = source.statements.readable()
    while waiting:
        statement = waiting.pop()
        found.append(statement)
        waiting += statement.block.readable() if statement.block is not None else []
    return found


def watch(files: Files, try_it: Callable[[], str], reload: Callable[[], None], say: Callable[[str], None]) -> None:
    """One look: what is right is taken, what is wrong is told."""
    changed = files.changed()
    if not changed:
        return
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    wrong = try_it()
    if wrong:
        say(f"{wrong}\ngateway: {changed[0]}{more} changed, and the server goes on as it was")
    else:
        say(f"gateway: {changed[0]}{more} changed, the configuration is read again")
        reload()


def main(argv: Sequence[str]) -> int:
    """The process beside: the server's pid, its configuration, and its options for trying it."""
    server, conf_file, *options = argv
    handle = os.pidfd_open(int(server))
    if os.fork():
        return 0
    os.setsid()  # Ctrl-C is the server's; without it this one has nothing to do
    files = Files(conf_file)

    def try_it() -> str:
        command = [sys.executable, "-P", "-m", "gateway", "-t", "-q", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stderr.rstrip() if done.returncode else ""

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    while not select.select([handle], [], [], _EVERY_S)[0]:
        watch(files, try_it, lambda: signal.pidfd_send_signal(handle, signal.SIGHUP), say)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
