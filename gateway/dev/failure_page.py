"""Answers for an application that does not load: its traceback, as long as the app server is not there."""

from __future__ import annotations

import contextlib
import html
import select
import socket
import threading


class FailurePage:
    """Takes the uwsgi requests on the application's own listening socket."""

    def __init__(self, listener: socket.socket, title: str, traceback: str) -> None:
        self._listener = listener
        body = (
            f"<!doctype html>\n<meta charset=utf-8>\n<title>{html.escape(title)}</title>\n"
            "<style>body{font:16px/1.5 system-ui;margin:3em auto;max-width:60em;padding:0 1em}"
            "pre{background:#8881;padding:1em;overflow:auto}</style>\n"
            f"<h1>{html.escape(title)}</h1>\n<pre>{html.escape(traceback)}</pre>\n"
            "<p>It is started again when its code changes; then reload this page.</p>\n"
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
