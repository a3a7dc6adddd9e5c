"""Who listens in this network namespace, as the kernel tells in /proc/net."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass
from typing import Final

_LISTEN: Final = "0A"  # TCP_LISTEN of include/net/tcp_states.h
_ACCEPTING: Final = 0x10000  # __SO_ACCEPTCON of include/uapi/linux/net.h
_ANY: Final = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class TcpListener:
    """A listening TCP socket and the user it belongs to."""

    host: str
    port: int
    uid: int

    @property
    def is_any(self) -> bool:
        return self.host in _ANY

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def tcp_listeners(folder: str = "/proc/net") -> list[TcpListener]:
    """All of them; none where there is no /proc."""
    found: list[TcpListener] = []
    for name in ("tcp", "tcp6"):
        for line in _lines(f"{folder}/{name}"):
            fields = line.split()
            if len(fields) > 7 and fields[3] == _LISTEN:
                address, _, port = fields[1].rpartition(":")
                found.append(TcpListener(_host(address), int(port, 16), int(fields[7])))
    return found


def _host(text: str) -> str:
    words = [struct.pack("=I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8)]
    packed = b"".join(words)
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    host = socket.inet_ntop(socket.AF_INET6, packed)
    return host.removeprefix("::ffff:") if "." in host else host


def unix_listeners(folder: str = "/proc/net") -> set[str]:
    """The names that unix sockets listen under, as they were bound: also those of another mount namespace."""
    found: set[str] = set()
    for line in _lines(f"{folder}/unix"):
        match = re.match(r"\S+ \S+ \S+ (\S+) \S+ \S+ +\S+ (/.*)", line)
        if match and int(match[1], 16) & _ACCEPTING:
            found.add(match[2])
    return found


def _lines(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as opened:
            return opened.read().split("\n")[1:]
    except OSError:
        return []
