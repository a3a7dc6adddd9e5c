"""Messages of the Language Server Protocol: JSON behind a head with its length, and places counted as editors do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

_HEAD_END: Final = b"\r\n\r\n"
_LONGEST_HEAD: Final = 4096

Message = dict[str, Any]


class Malformed(ValueError):
    """This is not the protocol; nothing behind it can be read."""


class Reader:
    """Bytes in any pieces to whole messages."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """Errors: Malformed."""
        self._data += data
        while True:
            head, end, body = self._data.partition(_HEAD_END)
            if not end:
                if len(head) > _LONGEST_HEAD:
                    raise Malformed("no end of a head")
                return
            size = _length(head)
            if len(body) < size:
                return
            self._data = body[size:]
            try:
                found = json.loads(body[:size])
            except ValueError:
                raise Malformed("no JSON") from None
            if not isinstance(found, dict):
                raise Malformed("no JSON object")
            yield found


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    raise Malformed("no Content-Length")


def packed(message: Message) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode("utf-8", "replace")
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def units(line: str, characters: int) -> int:
    """Where a character of a line is, counted in UTF-16 as editors do."""
    return len(line[:characters].encode("utf-16-le", "surrogatepass")) // 2


def characters(line: str, units: int) -> int:
    """The reverse; of a place in the middle of a character, the one that begins there."""
    return len(line.encode("utf-16-le", "surrogatepass")[: units * 2].decode("utf-16-le", "ignore"))
