"""The application in a real app server, on a socket that outlives its restarts.

The listening socket is made here and handed to uWSGI, gunicorn or uvicorn. While the app server is away, requests wait
in the socket's queue instead of failing.
"""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.dev import app_commands
from gateway.dev.app_finder import Application
from gateway.dev.child import Child
from gateway.dev.failure_page import FailurePage, LastWords
from gateway.dev.janitor import Janitor
from gateway.dev.probe import NoAnswer, ask_http, ask_uwsgi

# How long an application may take to load and answer.
_PATIENCE_S: Final = 60.0

# Frames that are not the application's.
_FOREIGN: Final = re.compile(
    r'^  File "(?:.*/(?:gunicorn|uvicorn|hypercorn|granian|click|asyncio|multiprocessing)/|<frozen |<string>)'
)
# What uWSGI and gunicorn say around a traceback.
_CHATTER: Final = re.compile(r"unable to load app|\*\*\* |\[\d{4}-|VACUUM|No module named|SIGINT|worker \d|goodbye")


class DoesNotLoad(Exception):
    """The app server ended, or does not answer; the text is what there is to know, a traceback if possible."""


class AppServer:
    """Starts, restarts and stops the app server."""

    def __init__(
        self,
        application: Application,
        socket_path: Path,
        *,
        processes: int,
        janitor: Janitor,
        say: Callable[[str], None],
        go_on: Callable[[], bool],
    ) -> None:
        self._application = application
        self._processes = processes
        self._janitor = janitor
        self._say = say
        self._last_words = LastWords(janitor.folder)
        self._go_on = go_on
        self._child: Child | None = None
        self._page: FailurePage | None = None
        self._quiet = True
        self._startup: list[str] = []
        self.kind = app_commands.available(application)
        self._listener = socket.socket(socket.AF_UNIX)
        self._path = socket_path
        self._ask = ask_http if application.asgi else ask_uwsgi

    def listen(self) -> None:
        """Make the socket; OSError when it cannot be made there."""
        # gunicorn unlinks the name that a socket was bound to when it ends: it gets one that nobody uses.
        bound = self._path.with_name(self._path.name + ".bound")
        self._listener.bind(str(bound))
        bound.rename(self._path)
        self._listener.listen(1024)

    def start(self) -> float:
        """Seconds until it answered; DoesNotLoad if it never does."""
        self._close_page()
        self._quiet, self._startup = True, []
        if app_commands.owns_socket(self.kind):
            self._path.unlink(missing_ok=True)
        child = self._child = Child(
            app_commands.command(self.kind, self._application, self._listener.fileno(), self._path, self._processes),
            folder=self._application.folder,
            janitor=self._janitor,
            line=self._line,
            pass_fds=[self._listener.fileno()],
            environment={"PYTHONUNBUFFERED": "1"},
        )
        try:
            seconds = self._answered(child)
        except NoAnswer as why:
            running = child.running
            child.stop()
            self._child = None
            if not self._go_on():
                raise
            text = traceback_of(self._startup)
            raise DoesNotLoad(text if not running else f"{self.kind} {why}\n{text}".rstrip()) from None
        for line in shown_at_start(self._startup):
            self._say(line)
        self._quiet = False
        return seconds

    def _answered(self, child: Child) -> float:
        """Seconds until it answered; one that makes its socket itself is not there at once."""
        begin = time.monotonic()
        while True:
            try:
                return self._ask(str(self._path), _PATIENCE_S, lambda: child.running and self._go_on())
            except NoAnswer as why:
                late = why.errno and app_commands.owns_socket(self.kind) and child.running and self._go_on()
                if not late or time.monotonic() - begin > _PATIENCE_S:
                    raise
            time.sleep(0.02)

    def fail(self, text: str) -> None:
        """Answer requests with this traceback until the next start."""
        self._close_page()
        if app_commands.owns_socket(self.kind):
            self._listener.close()
            self._path.unlink(missing_ok=True)
            self._listener = socket.socket(socket.AF_UNIX)
            self.listen()
        self._page = FailurePage(self._listener, f"{self._application.spec} does not load", text)

    @property
    def ended(self) -> str:
        """How the app server ended on its own, or nothing."""
        if self._child is None or self._child.running:
            return ""
        return self._child.ending

    def stop(self) -> None:
        """Stop it and keep the socket."""
        self._close_page()
        self._quiet = True
        if self._child is not None:
            self._child.stop(signal.SIGTERM)
            self._child = None

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _close_page(self) -> None:
        if self._page is not None:
            self._page.close()
            self._page = None

    def _line(self, line: str) -> None:
        if self._quiet:
            self._startup.append(line)
        else:
            self._last_words.add(line)
            self._say(line)


def traceback_of(lines: list[str]) -> str:
    """The traceback in an app server's output, without its own frames; the output's end if there is none."""
    begin = next((i for i, line in enumerate(lines) if line.startswith("Traceback ")), None)
    if begin is None:
        # A SyntaxError in the application's file itself has no frame above it.
        begin = next((i for i, line in enumerate(lines) if line.startswith('  File "')), None)
    if begin is None:
        return "\n".join(lines[-15:])
    kept: list[str] = []
    foreign = False
    for line in lines[begin:]:
        if _CHATTER.match(line):
            break
        if line.startswith('  File "'):
            foreign = bool(_FOREIGN.match(line))
        elif not line.startswith("    "):
            foreign = False
        if not foreign:
            kept.append(line)
    return "\n".join(kept).rstrip()


def shown_at_start(lines: list[str]) -> list[str]:
    """What the application printed while it loaded: between uWSGI's own lines."""
    try:
        begin = next(i for i, line in enumerate(lines) if line.startswith("*** Operational MODE"))
        end = next(i for i, line in enumerate(lines) if line.startswith("WSGI app 0"))
    except StopIteration:
        return []
    return lines[begin + 1 : end]
