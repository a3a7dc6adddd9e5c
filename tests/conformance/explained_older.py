"""What an nginx before the version that gateway follows does otherwise, and the changes that say so.

explain is compared with the nginx that is installed, which is Debian's in CI. What differs between the versions by a
documented change is taken off both sides, no more; what gateway's version adds to the language is left out of the
configurations by nginx itself (test_explain._write).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from tests.conformance.explained import Asked, Truth

Version = tuple[int, ...]
Packet = tuple[str, list[tuple[str, str]]]
# What explain's comparison asks of nginx's language and of its debug log.
OLDEST: Final = (1, 22, 0)
# Sites that are about what came later: fields of one name joined (1.23.0), Hosts and Proxy-Connection refused or
# dropped; upstreams asked over HTTP/2 (1.29.4), gRPC's Host as :authority.
OF_NEWER: Final = {"heads": (1, 31, 0), "balanced": (1, 31, 0)}


@dataclass(frozen=True)
class Change:
    """What is not compared with an nginx before `since`."""

    since: Version
    reason: str
    without: Callable[[Packet], Packet]


def _of_one_protocol(packet: Packet) -> Packet:
    line, pairs = packet
    if line.endswith((" HTTP/1.0", " HTTP/1.1")):
        return line[:-3] + "1.x", [pair for pair in pairs if pair not in _CLOSES]
    return packet


def _without_host(packet: Packet) -> Packet:
    line, pairs = packet
    if " bytes of parameters" in line:
        return re.sub(r"\d+ bytes", "bytes", line), [pair for pair in pairs if pair[0] != "HTTP_HOST"]
    return packet


_CLOSES: Final = (("Connection", "close"), ("Connection", ""))
CHANGES: Final = (
    Change(
        (1, 29, 7), "proxy_http_version is 1.1, and connections to upstreams are kept, by default", _of_one_protocol
    ),
    Change((1, 31, 0), "HTTP_HOST goes with every request to an application", _without_host),
)
# Variables that came later; where one stands there is a word.
VARIABLES: Final = {"request_port": (1, 29, 3), "is_request_port": (1, 29, 3)}
# Before 1.23.0 a variable had the first of repeated fields, and applications got all of them by themselves.
_MERGED_SINCE: Final = (1, 23, 0)


def without_newer(line: str, version: Version) -> str:
    """A line of a configuration without variables that this version does not know."""
    for name, since in VARIABLES.items():
        if version < since:
            line = re.sub(rf"\$(?:{name}\b|\{{{name}\}})", "-", line)
    return line


def comparable(truth: Truth, version: Version) -> Truth:
    """Without what this version does otherwise."""
    packets = truth.packets
    for change in CHANGES:
        if version < change.since:
            packets = sorted(change.without(packet) for packet in packets)
    return replace(truth, packets=packets)


def may_be_asked(asked: Asked, version: Version) -> bool:
    """Whether this version and gateway's understand the request alike."""
    names = [field.partition(":")[0].lower() for field in asked.fields]
    return version >= _MERGED_SINCE or len(names) == len(set(names))
