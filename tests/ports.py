"""Ports that are free, each given once by this process: two that are asked for together are never the same.

They lie below those that the kernel gives to whoever connects, which are taken and freed all the time.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Final

_LOWEST: Final = 10240
_given: set[int] = set()
_chance: Final = random.SystemRandom()  # other processes ask, too


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    above = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = _chance.randrange(_LOWEST, above)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
