"""The last things that happened to the server, as the dashboard and the API show them.

Of a peer, a worker, a reload, a certificate, a zone; never of a request alone. They lie in memory that all workers
share, made by the first master and kept over reloads, and the oldest make way: what stays is in the error log.
"""

from __future__ import annotations

import functools
import json
import time
from typing import Any, Final

from gateway.core.ring import Ring

KINDS: Final = ("peer", "worker", "configuration", "binary", "certificate", "limit zone")
_MOST: Final = 256
_SIZE: Final = 1024
# Of one record's texts, in characters: a path or a name is cut behind it, so that the record stays whole.
_OBJECT: Final = 120
_TEXT: Final = 280
# How long one thing that goes on is not said again.
_AGAIN_S: Final = 60.0


class EventLog:
    """Written by the master and by all workers."""

    def __init__(self) -> None:
        self._ring = Ring.shared(_MOST, _SIZE)
        self._writer = self._ring.writer()
        self._said: dict[tuple[str, str], float] = {}

    def tell(self, level: str, kind: str, name: str | bytes, text: str | bytes, cause: str | bytes = "") -> None:
        """One thing happened. `kind` (of KINDS) and `name` are the object: "peer", "app 127.0.0.1:80".

        Levels are error_log's.
        """
        found = [round(time.time(), 3), level, kind, _cut(name, _OBJECT), _cut(text, _TEXT), _cut(cause, _TEXT)]
        data = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if len(data) > _SIZE:  # letters of several bytes, or many that are escaped
            found[3:] = (_cut(text, 60) for text in found[3:])
            data = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        self._writer.put(data)

    def tell_once(self, level: str, kind: str, name: str | bytes, text: str | bytes, cause: str | bytes = "") -> None:
        """The same for what goes on: of one object once a minute in each process."""
        key, now = (kind, _cut(name, _OBJECT)), time.monotonic()
        if now - self._said.get(key, -_AGAIN_S) >= _AGAIN_S:
            if len(self._said) >= _MOST:
                self._said.clear()
            self._said[key] = now
            self.tell(level, kind, name, text, cause)

    def newest(self) -> list[dict[str, Any]]:
        """What is there, the newest first."""
        found = []
        for number, data in self._ring.newest():
            at, level, kind, name, text, cause = json.loads(data)
            found.append({
                "id": number, "time": at, "level": level, "kind": kind, "object": name, "text": text, "cause": cause,
            })  # fmt: skip
        return found


def _cut(value: Any, most: int) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    text = text.encode("utf-8", "replace").decode()  # halves of surrogates stand for bytes of paths
    text = "".join(letter if letter.isprintable() else " " for letter in text[: most + 1])
    return text if len(text) <= most else text[: most - 1] + "…"


@functools.cache
def the_events() -> EventLog:
    """One log for the life of this process, which its workers inherit."""
    return EventLog()
