"""Names of users and groups, from the files alone: a directory service could take seconds, and a worker cannot wait."""

from __future__ import annotations

import os


def user_name(uid: int) -> str:
    """The name in /etc/passwd, else the number."""
    return _name("/etc/passwd", uid)


def group_name(gid: int) -> str:
    """The name in /etc/group, else the number."""
    return _name("/etc/group", gid)


def who_we_are() -> str:
    """Whom the kernel takes this process for: `uid 33 (www-data)`."""
    uid = os.geteuid()
    return f"uid {uid} ({user_name(uid)})"


def _name(file: str, number: int) -> str:
    wanted = str(number)
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                fields = line.split(":")
                if len(fields) > 2 and fields[2] == wanted:
                    return fields[0]
    except OSError:
        pass
    return wanted
