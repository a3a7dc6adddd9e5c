"""The modules of the stream block, in order: handlers run so within a phase."""

from __future__ import annotations

from typing import Final

from gateway.modules.stream import (
    access,
    core,
    geo,
    listen,
    log,
    map,
    proxy,
    realip,
    return_,
    split_clients,
    upstream,
)
from gateway.stream.module import StreamModule

STREAM_MODULES: Final[tuple[StreamModule, ...]] = (
    core.module,
    listen.module,
    geo.module,
    map.module,
    split_clients.module,
    realip.module,
    access.module,
    upstream.module,
    proxy.module,
    return_.module,
    log.module,
)
