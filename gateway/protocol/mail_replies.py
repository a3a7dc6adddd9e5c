"""What mail servers say while a proxy logs in for its client: when a reply is whole, and whether it is a good one."""

from __future__ import annotations

import enum
from typing import Final

_SHORTEST: Final = 4


class Reply(enum.Enum):
    """What to make of the bytes so far."""

    MORE = 0
    GOOD = 1
    BAD = 2


MORE, GOOD, BAD = Reply.MORE, Reply.GOOD, Reply.BAD


def is_whole(data: bytes) -> bool:
    """Whether what came ends with a line's end; nothing follows before the proxy has answered."""
    return len(data) >= _SHORTEST and data.endswith(b"\r\n")


def pop3(data: bytes) -> Reply:
    if not is_whole(data):
        return MORE
    return GOOD if data.startswith(b"+OK") else BAD


def imap(data: bytes, wanted: bytes) -> Reply:
    """`wanted` begins a good reply: `* OK`, `+`, or a tag with OK, before which one untagged line may stand."""
    if not is_whole(data):
        return MORE
    if wanted[:1] not in (b"*", b"+") and data.startswith(b"* "):
        # an untagged CAPABILITY, which some servers send on a login
        data = data.partition(b"\r\n")[2]
        if len(data) < _SHORTEST:
            return MORE
    return GOOD if data.startswith(wanted) else BAD


def smtp(data: bytes, *wanted: bytes) -> Reply:
    """`wanted` are the codes of a good reply; none: all are."""
    if not is_whole(data):
        return MORE
    if data[3:4] == b"-":
        start = data.rfind(b"\r\n", 0, len(data) - 2) + 2
        if start < 2 or data[start + 3 : start + 4] == b"-":
            return MORE
    return GOOD if not wanted or data.startswith(wanted) else BAD
