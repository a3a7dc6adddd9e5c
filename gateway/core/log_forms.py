"""Forms of the error log's lines that nginx does not have: JSON, and nginx's line with the request's id behind it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from typing import Any, Final

from gateway.config.text import to_str

NGINX: Final = ""
WITH_ID: Final = "id"
JSON: Final = "json"

# What `error_log … format=` takes.
FORMS: Final = {"nginx": NGINX, "id": WITH_ID, "json": JSON}

_ERRNO: Final = re.compile(rb"\((\d{1,3}): ([^()]*)\)")

Fields = Sequence[tuple[str, bytes]]


def json_line(level: str, pid: int, connection: int, message: bytes, errno: int, fields: Fields) -> bytes:
    """One object: time, level, pid, connection, message, errno, then what nginx's line has behind its message."""
    found: dict[str, Any] = {"time": _iso_8601(time.time()), "level": level, "pid": pid}
    if connection:
        found["connection"] = connection
    found["message"] = _text(message)
    number = errno or _errno_in(message)
    if number:
        found["errno"] = number
    found.update((name, _text(value)) for name, value in fields)
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def _errno_in(message: bytes) -> int:
    """The number of a message that has it in its middle: `connect() failed (111: Connection refused) while …`."""
    found = _ERRNO.search(message)
    return int(found[1]) if found is not None and os.strerror(int(found[1])).encode() == found[2] else 0


def _iso_8601(moment: float) -> str:
    """Local time with milliseconds and its offset from UTC; datetime is a third of a megabyte that only this needs."""
    milliseconds = int(moment * 1000)
    local = time.localtime(milliseconds // 1000)
    sign, offset = ("-" if local.tm_gmtoff < 0 else "+"), abs(local.tm_gmtoff) // 60
    zone = f"{sign}{offset // 60:02}:{offset % 60:02}"
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{milliseconds % 1000:03}{zone}"


def _text(value: bytes) -> str:
    return to_str(value).encode("utf-8", "replace").decode("utf-8")


def with_id(line: bytes, fields: Fields) -> bytes:
    """nginx's line with the id, where the line belongs to a request."""
    for name, value in fields:
        if name == "request_id":
            return line[:-1] + b', request_id: "%b"\n' % value
    return line
