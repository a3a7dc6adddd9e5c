"""load_module: modules that nginx may load are part of gateway, as far as it has them; others are named in a warning.

A configuration that loads a module and uses nothing of it runs; a directive of one that is not here is refused where it
stands, with what does its work instead. Those of Python packages: gateway.modules.packages.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from gateway.config.directive import MAIN, Command, Directive, take
from gateway.config.module import CoreModule
from gateway.modules import packages

_HERE: Final = frozenset(
    f"ngx_{name}_module"
    for name in (
        "mail", "stream", "stream_geoip", "http_geoip", "http_image_filter", "http_xslt_filter",
        "http_headers_more_filter", "http_brotli_filter", "http_brotli_static", "http_zstd_filter", "http_zstd_static",
        "otel",
    )
)  # fmt: skip
_INSTEAD: Final = {
    "ngx_http_js_module": "map, set and auth_request do much of what njs is used for",
    "ngx_stream_js_module": "map, set and auth_request do much of what njs is used for",
    "ngx_http_perl_module": "map, set and auth_request do much of what Perl is used for",
    "ngx_http_lua_module": "map, set and auth_request do much of what Lua is used for",
    "ngx_http_geoip2_module": "geoip_country and geoip_city read the same databases",
    "ngx_http_vhost_traffic_status_module": "status_zone and api have its figures",
    "ngx_http_cache_purge_module": "a cache is purged by deleting its files",
    "ngx_http_upstream_check_module": "health_check does its work",
}


def load(conf: None, command: Command) -> None:
    before = takewhile(lambda statement: statement is not command.statement, command.scope.statements)
    if any(statement.block is not None for statement in before):
        command.refuse("is specified too late")
    name = command.args[0].rpartition("/")[2].removesuffix(".so")
    if name in _HERE or (packages.is_name(command.args[0]) and packages.is_there(name)):
        return
    instead = f"; {_INSTEAD[name]}" if name in _INSTEAD else ""
    command.warn(f'module "{name}" is not part of gateway, and not loaded{instead}')


module = CoreModule(name="load_module", directives=(Directive("load_module", MAIN, take(1), load, level="none"),))
