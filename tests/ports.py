"""Ports that are free, each given once by this process: two that are asked for together are never the same.

They lie below those that the kernel gives to whoever connects, which are taken and freed all the time. Processes that
test side by side ask for different ones, since a port is free until a server that was started has come to its listen():
each takes every eighth.
"""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path
from typing import Final

_LOWEST: Final = 10240
_given: set[int] = set()
_SHARES: Final = 8
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % (_SHARES - 1)
_share: Final = _SHARES - 1 if os.environ.get("GATEWAY_PURE") else _worker  # plain sources are tested beside all else
_chance: Final = random.SystemRandom()  # whoever else is on the machine asks, too


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    above = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = _chance.randrange(_LOWEST + _share, above, _SHARES)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
