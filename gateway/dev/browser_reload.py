"""Browsers that load a page again when what it was made of has changed: `--reload` of `gateway run` and `serve`.

The configuration puts a script into HTML (sub_filter) and passes two paths to a socket in the private folder: the
script, and a stream of events. Both are answered here, by a thread: nothing of it is in the server, and nginx does it
too.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.dev.run_conf import DASHBOARD, quoted

PATH: Final = f"{DASHBOARD}reload"
SOCKET: Final = "reload.sock"
# What pages are made of besides code; what changes among these needs no new start of an application.
SUFFIXES: Final = (
    ".html", ".htm", ".css", ".js", ".mjs", ".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".ico", ".woff2", ".json",
    ".jinja", ".jinja2", ".j2", ".mako", ".txt", ".md", ".xml", ".wasm",
)  # fmt: skip

_BEAT_S: Final = 15.0  # proxies and browsers give up on what says nothing
_HEAD_LIMIT: Final = 64 << 10
_MOST: Final = 100
# A stylesheet alone is exchanged in place, so that a form keeps what was typed. `seen` tells a page that was away.
_SCRIPT: Final = b"""\
(() => {
  if (window.gatewayReload) return;
  let seen = "";
  const events = window.gatewayReload = new EventSource("%s");
  const again = (now) => { if (seen && seen !== now) location.reload(); seen = now; };
  events.addEventListener("state", (event) => again(event.data));
  events.addEventListener("style", (event) => {
    seen = event.data;
    for (const link of document.querySelectorAll('link[rel~="stylesheet"]')) {
      const url = new URL(link.href);
      if (url.origin !== location.origin) continue;
      url.searchParams.set("gateway-reload", event.data);
      link.href = url.href;
    }
  });
  addEventListener("pagehide", () => events.close());
})();
""" % PATH.encode()


def location(folder: Path) -> str:
    """What the server block has for it."""
    return f"""
        location {PATH} {{
            proxy_pass http://{quoted(f"unix:{folder / SOCKET}:")};
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_read_timeout 1h;
            access_log off;
        }}
        sub_filter </body> '<script src="{PATH}.js" defer></script></body>';
"""


class Browsers:
    """Who has a page open, and hears of changes."""

    def __init__(self, folder: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        os.chmod(folder / SOCKET, 0o666)  # workers may be somebody else's; the folder decides who comes this far
        self._listener.listen(64)
        self._start = f"{os.getpid()}-{os.urandom(3).hex()}"
        self._number = 0
        self._clients: list[socket.socket] = []
        self._lock = threading.Lock()
        self._wakeup, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def changed(self, files: Sequence[Path]) -> int:
        """Tell all; how many they are."""
        kind = b"style" if files and all(each.suffix == ".css" for each in files) else b"state"
        with self._lock:
            self._number += 1
            self._tell(b"event: %b\ndata: %b\n\n" % (kind, self._state()))
            return len(self._clients)

    def close(self) -> None:
        """Nobody is answered any more."""
        os.write(self._wake, b"x")
        self._thread.join()
        for each in (self._listener, *self._clients):
            each.close()
        os.close(self._wakeup)
        os.close(self._wake)

    def _state(self) -> bytes:
        return f"{self._start}-{self._number}".encode()

    def _tell(self, event: bytes) -> None:
        for client in list(self._clients):
            try:
                client.sendall(event)
            except OSError:
                self._clients.remove(client)
                client.close()

    def _serve(self) -> None:
        while True:
            with self._lock:
                clients = list(self._clients)
            watched: list[int | socket.socket] = [self._wakeup, self._listener, *clients]
            ready = select.select(watched, [], [], _BEAT_S)[0]
            if self._wakeup in ready:
                return
            with self._lock:
                if not ready:
                    self._tell(b": still here\n\n")
                for client in clients:
                    if client in ready and client in self._clients:  # it says nothing: it has gone
                        self._clients.remove(client)
                        client.close()
            if self._listener in ready:
                with contextlib.suppress(OSError):
                    self._accept()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.settimeout(2)
        try:
            if self._answer(client):
                return
        except (OSError, IndexError):  # it went, or speaks something else
            pass
        client.close()

    def _answer(self, client: socket.socket) -> bool:
        """Whether it stays."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(_HEAD_LIMIT)
            head += data
            if not data or len(head) > _HEAD_LIMIT:
                return False
        path = head.split(b" ", 2)[1].partition(b"?")[0]
        if path == f"{PATH}.js".encode():
            fields = b"Content-Type: text/javascript\r\nCache-Control: no-cache\r\nConnection: close\r\n"
            length = b"Content-Length: %d\r\n\r\n" % len(_SCRIPT)
            client.sendall(b"HTTP/1.1 200 OK\r\n" + fields + length + _SCRIPT)
            return False
        if path != PATH.encode():
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return False
        with self._lock:
            if len(self._clients) >= _MOST:
                return False
            client.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                b"Connection: close\r\n\r\nretry: 500\nevent: state\ndata: %b\n\n" % self._state()
            )
            self._clients.append(client)
        return True
