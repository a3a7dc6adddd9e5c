"""Names of users and groups, from the files alone: a directory service could take seconds, and a worker cannot wait."""

from __future__ import annotations

import os
from collections.abc import Iterator


def user_name(uid: int) -> str:
    """The name in /etc/passwd, else the number."""
    return _name("/etc/passwd", uid)


def group_name(gid: int) -> str:
    """The name in /etc/group, else the number."""
    return _name("/etc/group", gid)


def primary_group(user: str) -> str:
    """The name of the group that an account begins in; Debian's nobody is in nogroup. The number where it has none."""
    for fields in _lines("/etc/passwd"):
        if len(fields) > 3 and user in (fields[0], fields[2]) and fields[3].isdigit():
            return group_name(int(fields[3]))
    return user


def who_we_are() -> str:
    """Whom the kernel takes this process for: `uid 33 (www-data)`."""
    uid = os.geteuid()
    return f"uid {uid} ({user_name(uid)})"


def _name(file: str, number: int) -> str:
    wanted = str(number)
    for fields in _lines(file):
        if len(fields) > 2 and fields[2] == wanted:
            return fields[0]
    return wanted


def _lines(file: str) -> Iterator[list[str]]:
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                yield line.rstrip("\n").split(":")
    except OSError:
        return
