"""Bodies of requests in request_history (`body=SIZE`): how much of one is kept, masked before, and how it is shown.

A record has the first `SIZE` bytes of what was read, without the values that are named like secrets: of forms, JSON,
multipart parts and XML. What went to an upstream as it came (`*_request_buffering off`) is gone by then.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.http.body import RequestBody

_MASK: Final = b"****"
# Of a length, so that a body of such words alone is looked through in no time.
_SECRET: Final = (
    rb"[^&=;\"'<>\s]{0,64}(?:token|secret|passw|api[-_]?key|session|signature|credential)[^&=;\"'<>\s]{0,64}"
)
# Each has the value as its second group; one that is cut by the end is a value, too.
_VALUES: Final = (
    re.compile(rb"((?:^|(?<=[&;?\r\n ]))" + _SECRET + rb"=)([^&;\s]+)", re.I),
    re.compile(rb"(\"" + _SECRET + rb"\"\s*:\s*)(\"(?:[^\"\\]|\\.)*\"?|[^\s,\]}\"]+)", re.I | re.S),
    re.compile(
        rb"(name=\"?" + _SECRET + rb"\"?[^\r\n]{0,200}\r?\n(?:[^\r\n]{1,200}\r?\n){0,8}\r?\n)(.+?)(?=\r?\n--|\Z)",
        re.I | re.S,
    ),
    re.compile(rb"(<" + _SECRET + rb"(?:\s[^<>]*)?>)([^<]+)", re.I),
)
_HEAD: Final = struct.Struct("=QB")
_INCOMPLETE: Final = 1  # its end never came
_PASSED: Final = 2  # it went on as it came
_MASKED: Final = 4
_SHOWN_BYTES: Final = 256  # of one that is no text
_LINE: Final = 16


@dataclass(frozen=True, slots=True)
class Body:
    """What a record says: the first bytes, of `size` that came."""

    data: bytes
    size: int
    incomplete: bool = False
    passed: bool = False
    masked: bool = False

    @property
    def why_not_whole(self) -> str:
        """Why it cannot be sent again; "" where it can."""
        if self.passed:
            return "its body went on as it came (request buffering is off), and was not kept"
        if self.incomplete:
            return "the end of its body never came"
        if self.masked:
            return "its body has secrets, which were never kept"
        if len(self.data) < self.size:
            kept = f"{len(self.data):,} of {self.size:,} bytes" if self.data else "nothing"
            return f"of its body {kept} were kept (body= of request_history)" if self.data else "no body was kept"
        return ""


def kept(body: RequestBody, most: int) -> bytes:
    """What is written of a body of which `most` bytes are wanted; b"" where there is none."""
    if not body.size:
        return b""
    data = b""
    if not body.given:
        parts = [os.pread(body.file.fd, most, 0)] if body.file is not None else []
        room = most - sum(map(len, parts))
        for part in body.memory:
            if room <= 0:
                break
            parts.append(part[:room])
            room -= len(part)
        data = b"".join(parts)
    without = masked(data)
    flags = _INCOMPLETE * (not body.complete) | _PASSED * body.given | _MASKED * (without != data)
    return _HEAD.pack(body.size, flags) + without[:most]


def read(record: bytes) -> Body:
    """What kept() has written. Errors: ValueError."""
    if len(record) < _HEAD.size:
        raise ValueError("not a record")
    size, flags = _HEAD.unpack_from(record)
    found = record[_HEAD.size :]
    return Body(found, size, bool(flags & _INCOMPLETE), bool(flags & _PASSED), bool(flags & _MASKED))


def masked(data: bytes) -> bytes:
    """A body without the values of what is named like a secret."""
    for pattern in _VALUES:
        data = pattern.sub(_hidden, data)
    return data


def _hidden(found: re.Match[bytes]) -> bytes:
    quote = b'"' if found[2][:1] == b'"' else b""
    return found[1] + quote + _MASK + quote


def text_of(data: bytes) -> str | None:
    """As text; None for what is none. A character that the end cuts is left out."""
    for end in range(len(data), max(0, len(data) - 4), -1):
        try:
            text = data[:end].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return text if all(c.isprintable() or c in "\t\r\n" for c in text) else None
    return None if data else ""


def shown(body: Body) -> tuple[str, str]:
    """A sentence, and the body as text; of one that is no text the first bytes in hexadecimal."""
    words = [f"{body.size:,} bytes"]
    text = text_of(body.data)
    if text is None:
        words.append("binary")
        text = "\n".join(_dumped(body.data[:_SHOWN_BYTES]))
        if len(body.data) > _SHOWN_BYTES:
            words.append(f"the first {_SHOWN_BYTES} are shown")
    if body.passed:
        words.append("not kept: it went on as it came (request buffering is off)")
    elif body.incomplete:
        words.append("its end never came")
    if body.masked:
        words.append("secrets are masked")
    elif not body.passed and len(body.data) < body.size:
        words.append(f"{len(body.data):,} of them are kept (body= of request_history)")
    return ", ".join(words), text


def _dumped(data: bytes) -> Iterator[str]:
    for at in range(0, len(data), _LINE):
        line = data[at : at + _LINE]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
        yield f"{at:08x}  {line.hex(' '):<{3 * _LINE}} {letters}"
