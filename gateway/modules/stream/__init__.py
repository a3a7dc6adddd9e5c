"""The modules of the stream block, in order: handlers run so within a phase."""

from __future__ import annotations

from typing import Final

from gateway.modules.stream import (
    access,
    core,
    geo,
    geoip,
    health_check,
    limit_conn,
    listen,
    log,
    map,
    pass_,
    proxy,
    realip,
    return_,
    set,
    split_clients,
    ssl,
    ssl_preread,
    status_zone,
    upstream,
    upstream_hash,
    upstream_least_conn,
    upstream_least_time,
    upstream_random,
    upstream_resolve,
    upstream_zone,
)
from gateway.stream.module import StreamModule

STREAM_MODULES: Final[tuple[StreamModule, ...]] = (
    # The ground of the others: prepare gives each server its error log.
    core.module,
    listen.module,
    upstream.module,  # what an upstream lacks is said before what a certificate does
    # Variables alone: any order.
    geo.module,
    geoip.module,
    map.module,
    split_clients.module,
    status_zone.module,
    # One phase after the other: POST_ACCEPT, PREACCESS (a key of limit_conn may have what set assigns), ACCESS, SSL,
    # PREREAD.
    realip.module,
    set.module,
    limit_conn.module,
    access.module,
    ssl.module,
    ssl_preread.module,
    # Directives of upstream{}; upstream.prepare makes the groups that resolve finds.
    upstream_hash.module,
    upstream_least_conn.module,
    upstream_least_time.module,
    upstream_random.module,
    upstream_zone.module,
    upstream_resolve.module,
    # The content of a server.
    proxy.module,
    return_.module,
    pass_.module,
    # It looks for the proxy_pass of its server.
    health_check.module,
    log.module,
)
