"""Answers for an application that does not load: its traceback, as long as the app server is not there.

And what `gateway run` leaves for the server's own pages of failures (gateway.dev.diagnosis.pages).
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections import deque
from pathlib import Path
from typing import Final

# Names the private folder of `gateway run` to the server: its pages say causes, to this machine.
ENVIRONMENT: Final = "GATEWAY_DEVELOPMENT"
# There: what the application wrote of late.
OUTPUT: Final = "application.log"
_KEPT: Final = 100  # lines
_LARGEST: Final = 64 << 10


class LastWords:
    """The last lines that the application wrote, in a file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / OUTPUT
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._size = 0

    def add(self, line: str) -> None:
        """One more; a folder that is full or gone is no reason to stop listening to the application."""
        self._lines.append(line)
        whole = self._size > _LARGEST
        text = "".join(f"{each}\n" for each in (self._lines if whole else [line]))
        with contextlib.suppress(OSError), self._path.open("w" if whole else "a", errors="replace") as file:
            file.write(text)
            self._size = len(text) + (0 if whole else self._size)


class FailurePage:
    """Takes the uwsgi requests on the application's own listening socket."""

    def __init__(self, listener: socket.socket, title: str, traceback: str) -> None:
        import html  # here there is a failure

        self._listener = listener
        body = (
            f"<!doctype html>\n<meta charset=utf-8>\n<title>{html.escape(title)}</title>\n"
            "<style>body{font:16px/1.5 system-ui;margin:3em auto;max-width:60em;padding:0 1em}"
            "pre{background:#8881;padding:1em;overflow:auto}</style>\n"
            f"<h1>{html.escape(title)}</h1>\n<pre>{html.escape(traceback)}</pre>\n"
            "<p>It is started again when its code changes; then reload this page.</p>\n</body>\n"
        ).encode()
        self._answer = (
            b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html; charset=utf-8\r\n"
            b"Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more requests; the next ones wait in the socket for the application."""
        self._stop.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._listener], [], [], 0.1)[0]:
                continue
            with contextlib.suppress(OSError):
                connection, _ = self._listener.accept()
                with connection:
                    connection.settimeout(2)
                    connection.recv(65536)
                    connection.sendall(self._answer)
                    # What is not read yet would turn the close into a reset, and the answer would be lost.
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
