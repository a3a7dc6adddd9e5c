"""The modules of the http block, in order.

Handlers of one phase run in this order, and so do head filters; preconfigure, settle and prepare are called in it.
nginx has the same order, which it writes down backwards (auto/modules). To import all of them takes longer than most
configurations need to be read: `gateway.modules.choice` takes those that one can use.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.http.module import HttpModule

    HTTP_MODULES: tuple[HttpModule, ...]

ORDER: Final = (
    # The ground of the others: prepare gives each location its root and its error log, which later ones use.
    "core",
    "listen",
    "upstream",  # what an upstream lacks is said before what a certificate does
    "v2",
    "ssl",
    "v3",
    "acme",
    "error_log",
    "diagnosis",
    "location",
    "types",
    "file_access",
    # Variables alone: any order.
    "geo",
    "geoip",
    "map",
    "split_clients",
    "keyval",
    "referer",
    "browser",
    "secure_link",
    # Each is alone in its first phase. realip stands before all that looks at the client's address, here and in
    # PREACCESS, where it looks again for a location that says otherwise.
    "otel",  # what is traced is decided before the URI and the address change
    "rewrite",
    "headers_more_input",  # what the others see of the request is what it was changed to
    "realip",
    # PREACCESS: a request that limit_req rejects or delays is not counted by limit_conn meanwhile.
    "limit_req",
    "limit_conn",
    "zone_sync",
    # ACCESS: the address, then the password, then the subrequest: who may not ask at all is asked for nothing. With
    # `satisfy any` the first that lets it in decides.
    "access",
    "auth_basic",
    "auth_request",
    # They make the content of their location, as the *_pass below: any order, the one that stands last in it wins.
    "stub_status",
    "status_zone",
    "api",
    "metrics",
    "dashboard",
    # PRECONTENT: only what try_files leaves in this location is mirrored.
    "try_files",
    "mirror",
    # CONTENT of locations without a content handler, each tried until one does not decline. For "/": a random file or
    # the index before the list of the folder. dav has the methods that static answers with 405; a file that was
    # compressed before takes the place of the plain one, the best coding first.
    "random_index",
    "index",
    "autoindex",
    "dav",
    "brotli_static",
    "zstd_static",
    "gzip_static",
    "static",
    # Directives of upstream{}, each with its own; upstream.prepare makes the groups that prepare of queue, state and
    # resolve find. state is read before resolve asks for the names that stand in it.
    "upstream_hash",
    "upstream_ip_hash",
    "upstream_least_conn",
    "upstream_least_time",
    "upstream_random",
    "upstream_sticky",
    "upstream_queue",
    "upstream_zone",
    "upstream_state",
    "upstream_resolve",
    "upstream_keepalive",
    # in nginx's order: a limit_except in a location with several *_pass gets the first of these
    "proxy",
    "fastcgi",
    "uwsgi",
    "scgi",
    "grpc",
    "tunnel",
    "memcached",
    # Content of their location, too.
    "empty_gif",
    "flv",
    "mp4",
    # It looks for the *_pass of its location.
    "health_check",
    "log",
    "request_history",
    # head and body filters, in nginx's order
    # Head filters; each may add a body filter behind those before it. What changes the status or says "not modified"
    # comes before what adds fields; what unpacks before what reads the text; sub, charset and ssi before postpone,
    # which puts the parts of subrequests in order; what compresses works on the whole; range last, since it cuts what
    # was said to be the length (its body filter goes first: offsets are those of the unchanged body).
    "slice",
    "not_modified",
    "py",
    "headers_more",
    "headers",
    "userid",
    "gunzip",
    "addition",
    "sub",
    "image_filter",
    "xslt_filter",
    "charset",
    "ssi",
    "postpone",
    "brotli",
    "zstd",
    "gzip",
    "copy",
    "range",
)


def named(names: Iterable[str]) -> tuple[HttpModule, ...]:
    """The modules of these files."""
    return tuple([importlib.import_module(f"{__name__}.{name}").module for name in names])


if not TYPE_CHECKING:

    def __getattr__(name):
        """HTTP_MODULES, all of them: for who asks."""
        if name != "HTTP_MODULES":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = named(ORDER)
        return found
