"""The ordered table of modules: handlers run in this order within a phase, head and body filters too."""

from __future__ import annotations

from typing import Final

from gateway.http.module import HttpModule
from gateway.modules import (
    access,
    addition,
    api,
    auth_basic,
    auth_request,
    charset,
    core,
    error_log,
    events,
    fastcgi,
    file_access,
    geo,
    gzip,
    headers,
    health_check,
    http,
    http_core,
    http_listen,
    http_v2,
    index,
    limit_req,
    location,
    log,
    map,
    memcached,
    mirror,
    not_modified,
    postpone,
    proxy,
    range,
    realip,
    rewrite,
    scgi,
    slice,
    split_clients,
    ssi,
    ssl,
    static,
    status_zone,
    stream,
    stream_access,
    stream_core,
    stream_geo,
    stream_listen,
    stream_log,
    stream_map,
    stream_proxy,
    stream_realip,
    stream_return,
    stream_split_clients,
    stream_upstream,
    stub_status,
    sub,
    try_files,
    tunnel,
    types,
    upstream,
    upstream_hash,
    upstream_ip_hash,
    upstream_keepalive,
    upstream_least_conn,
    upstream_least_time,
    upstream_queue,
    upstream_random,
    upstream_resolve,
    upstream_state,
    upstream_sticky,
    upstream_zone,
    uwsgi,
)
from gateway.stream.module import StreamModule

HTTP_MODULES: Final[tuple[HttpModule, ...]] = (
    http_core.module,
    http_listen.module,
    http_v2.module,
    ssl.module,
    error_log.module,
    location.module,
    types.module,
    file_access.module,
    geo.module,
    map.module,
    split_clients.module,
    rewrite.module,
    realip.module,
    limit_req.module,
    access.module,
    auth_basic.module,
    auth_request.module,
    stub_status.module,
    status_zone.module,
    api.module,
    try_files.module,
    mirror.module,
    index.module,
    static.module,
    upstream.module,
    upstream_hash.module,
    upstream_ip_hash.module,
    upstream_least_conn.module,
    upstream_least_time.module,
    upstream_random.module,
    upstream_sticky.module,
    upstream_queue.module,
    upstream_zone.module,
    upstream_state.module,
    upstream_resolve.module,
    upstream_keepalive.module,
    proxy.module,
    fastcgi.module,
    scgi.module,
    memcached.module,
    uwsgi.module,
    tunnel.module,
    health_check.module,
    log.module,
    # head and body filters, in nginx's order
    slice.module,
    not_modified.module,
    headers.module,
    addition.module,
    sub.module,
    charset.module,
    ssi.module,
    postpone.module,
    gzip.module,
    range.module,
)


STREAM_MODULES: Final[tuple[StreamModule, ...]] = (
    stream_core.module,
    stream_listen.module,
    stream_geo.module,
    stream_map.module,
    stream_split_clients.module,
    stream_realip.module,
    stream_access.module,
    stream_upstream.module,
    stream_proxy.module,
    stream_return.module,
    stream_log.module,
)


class HttpBlock:
    """The `http` directive, in the form of a module of the main context."""

    name = "http"
    main = server = location = None
    directives = http.directives(HTTP_MODULES)


class StreamBlock:
    """The `stream` directive, in the same form."""

    name = "stream"
    main = server = location = None
    directives = stream.directives(STREAM_MODULES)


# All that have directives; the modules of the main context come first.
MODULES: Final[tuple[object, ...]] = (
    core.module,
    events.module,
    HttpBlock,
    *HTTP_MODULES,
    StreamBlock,
    *STREAM_MODULES,
)
