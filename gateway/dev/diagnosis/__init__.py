"""Failures that name their cause: what is written behind nginx's own lines of the error log.

One file for each family of causes; `install` hands them to a configuration. Nothing here is needed to serve, and
nothing of it runs as long as nothing fails.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.dev.diagnosis import (
    big_head,
    body_size,
    closed,
    handshakes,
    mixups,
    no_live,
    packets,
    static_files,
    tcp,
    timeouts,
    unix_sockets,
)
from gateway.dev.diagnosis.explainer import Explainer
from gateway.dev.diagnosis.failure import Family
from gateway.dev.diagnosis.heard import Heard

# The first that knows the line explains it.
FAMILIES: Final[tuple[Family, ...]] = (
    closed.FAMILY,
    timeouts.FAMILY,
    unix_sockets.FAMILY,
    tcp.FAMILY,
    mixups.FAMILY,
    handshakes.FAMILY,
    big_head.FAMILY,
    packets.FAMILY,
    no_live.FAMILY,
    body_size.FAMILY,
    static_files.FAMILY,
)


def install(http: Any) -> None:
    """Let the http part of a configuration explain its failures."""
    http.diagnosis = Explainer(FAMILIES, Heard())
