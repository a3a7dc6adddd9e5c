"""The environment that workers and a new binary get: what `env` lists, and TZ (nginx's ngx_set_environment)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Final

# The exec'd interpreter must find this program again, which nginx's binary has no need of, and the service manager.
_INTERPRETER: Final = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "NOTIFY_SOCKET")


def environment(listed: Sequence[str], current: Mapping[str, str]) -> dict[str, str]:
    """`NAME=value` is set, `NAME` is passed on, TZ is passed on unless it is listed itself."""
    names = list(listed)
    if not any(entry == "TZ" or entry.startswith("TZ=") for entry in names):
        names.append("TZ")
    result: dict[str, str] = {}
    for entry in names:
        name, equals, value = entry.partition("=")
        if equals:
            result[name] = value
        elif name in current:
            result[name] = current[name]
    return result


def for_exec(listed: Sequence[str], current: Mapping[str, str]) -> dict[str, str]:
    """The environment of a new binary: the same, and what its interpreter needs."""
    result = {name: current[name] for name in _INTERPRETER if name in current}
    result.update(environment(listed, current))
    return result


def apply(listed: Sequence[str]) -> None:
    """Give this process that environment."""
    wanted = environment(listed, os.environ)
    zone_changed = os.environ.get("TZ") != wanted.get("TZ")
    os.environ.clear()
    os.environ.update(wanted)
    if zone_changed:
        time.tzset()
