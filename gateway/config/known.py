"""All directives of nginx 1.31.5: where each may stand and what it takes, also those without meaning here.

The table is known.tsv: one line for each directive of each module. no_effect has the reason when gateway accepts the
directive and has no use for it, and value the kind of value that it must have all the same. What is neither declared by
a module nor without effect is not supported yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from gateway.config import units

# The blocks whose lines are data in their own format, read by the directive itself.
DATA_BLOCKS = frozenset({"types", "map", "geo", "split_clients", "charset_map", "acme_issuer", "otel_exporter"})

_FLAG_WORDS = frozenset({"on", "off"})

# Of a directive without effect whose value is one of a few words.
_WORDS = {"use": {"epoll", "poll", "select"}, "debug_points": {"stop", "abort"}}


def _aio(args: list[str]) -> None:
    if args[0] not in ("on", "off", "threads") and not args[0].startswith("threads="):
        raise ValueError(args)


def _directio(args: list[str]) -> None:
    if args[0] != "off":
        units.parse_offset(args[0])


def _one_of(words: set[str]) -> Callable[[list[str]], None]:
    def check(args: list[str]) -> None:
        if args[0] not in words:
            raise ValueError(args)

    return check


_VALUES: dict[str, Callable[[list[str]], object]] = {
    "number": lambda args: units.parse_number(args[0]),
    "size": lambda args: units.parse_size(args[0]),
    "offset": lambda args: units.parse_offset(args[0]),
    "time": lambda args: units.parse_time_ms(args[0]),
    "aio": _aio,
    "directio": _directio,
    **{name: _one_of(words) for name, words in _WORDS.items()},
}


@dataclass(frozen=True, slots=True)
class Known:
    """A directive of one nginx module."""

    name: str
    module: str
    contexts: frozenset[str]  # main, events, http, server, location, if in location, upstream, stream server, …
    arguments: str  # nginx's kinds: take1, take12, 1more, flag, noargs, …, or several of them
    block: bool
    no_effect: str  # why it has none, or empty
    value: str = ""  # without effect: what its arguments are, see _VALUES

    def takes(self, count: int) -> bool:
        """Say whether nginx accepts this number of arguments."""
        for kind in self.arguments.split():
            if kind == "any" or (kind == "noargs" and count == 0) or (kind == "flag" and count == 1):
                return True
            if kind.endswith("more") and count >= int(kind[0]):
                return True
            if kind.startswith("take") and str(count) in kind[4:]:
                return True
        return False

    def misuse(self, args: list[str], block: bool) -> str:
        """Give nginx's message for a wrong form, or nothing."""
        if block and not self.block:
            return f'directive "{self.name}" is not terminated by ";"'
        if self.block and not block:
            return f'directive "{self.name}" has no opening "{{"'
        if not self.takes(len(args)):
            return f'invalid number of arguments in "{self.name}" directive'
        if self.arguments == "flag" and args[0].lower() not in _FLAG_WORDS:
            return f'invalid value "{args[0]}" in "{self.name}" directive, it must be "on" or "off"'
        return self._bad_value(args)

    def _bad_value(self, args: list[str]) -> str:
        check = _VALUES.get(self.value)
        try:
            if check is not None:
                check(args)
        except ValueError:
            if self.value in _WORDS:
                return f'invalid {"event type" if self.name == "use" else "value"} "{args[0]}"'
            return f'"{self.name}" directive invalid {"number" if self.value == "number" else "value"}'
        return ""


@cache
def table() -> dict[str, tuple[Known, ...]]:
    """Read the table, by name."""
    # few configurations ask, and it takes as long as a dozen modules
    from importlib.resources import files

    found: dict[str, tuple[Known, ...]] = {}
    text = (files("gateway.config") / "known.tsv").read_text("utf-8")
    for line in text.splitlines()[1:]:
        name, module, contexts, arguments, block, no_effect, value = line.split("\t")
        known = Known(name, module, frozenset(contexts.split(",")), arguments, block == "block", no_effect, value)
        found[name] = (*found.get(name, ()), known)
    return found


def find(name: str, context: str) -> Known | None:
    """Look a directive up in the context where it stands; include may stand in any."""
    for known in table().get(name, ()):
        if context in known.contexts or name == "include":
            return known
    return None


def refusal(name: str, args: list[str], block: bool, context: str) -> str:
    """Give the message for a directive that no module declares in this context; nothing if it is without effect."""
    if name not in table():
        return f'unknown directive "{name}"'
    known = find(name, context)
    if known is None:
        return f'"{name}" directive is not allowed here'
    if message := known.misuse(args, block):
        return message
    return "" if known.no_effect else f'"{name}" directive is not supported yet'


def allowed_in(name: str, block: bool | None = None) -> list[str]:
    """List the contexts where a directive may stand, outermost first; only with or without a block if that is said."""
    if name == "include":
        return ["any context"]
    found = [known for known in table().get(name, ()) if block is None or known.block is block]
    contexts = {context for known in found or table().get(name, ()) for context in known.contexts}
    return [context for context in _ORDER if context in contexts]


_ORDER = (
    "main", "events", "http", "server", "location", "if in server", "if in location", "limit_except", "upstream",
    "stream", "stream server", "stream upstream", "mail", "mail server",
)  # fmt: skip


def nearest(name: str, context: str = "") -> str:
    """Find the directive that was probably meant, one that fits the context if possible; nothing if none is near."""
    import difflib

    near = difflib.get_close_matches(name.lower(), table(), n=5, cutoff=0.75)
    fitting = [match for match in near if not context or find(match, context)]
    # A name that is much nearer wins over one that fits the context.
    if near and fitting and near[0] != fitting[0] and _ratio(name, near[0]) - _ratio(name, fitting[0]) > 0.1:
        return near[0]
    return (fitting or near or [""])[0]


def _ratio(one: str, other: str) -> float:
    import difflib

    return difflib.SequenceMatcher(None, one, other).ratio()


_CODING_WORDS = ("", "_static", "_types", "_comp_level", "_window", "_min_length", "_buffers")

# Directives that gateway has and open nginx does not, each with whose it is.
OWN: dict[str, str] = {
    **dict.fromkeys(("acme_certificate", "acme_issuer", "acme_shared_zone"), "the nginx-acme module"),
    **dict.fromkeys(("otel_exporter", "otel_service_name", "otel_resource_attr"), "the nginx-otel module"),
    **dict.fromkeys(("otel_trace", "otel_trace_context", "otel_span_name", "otel_span_attr"), "the nginx-otel module"),
    "api": "NGINX Plus",
    "dashboard": "gateway",
    "diagnosis_page": "gateway",
    "diagnosis_probe": "gateway",
    "metrics": "gateway",
    **dict.fromkeys((f"{name}_unbuffered_types" for name in ("proxy", "fastcgi", "uwsgi", "scgi")), "gateway"),
    **dict.fromkeys((f"py_{word}" for word in ("path", "import", "set", "content", "access")), "gateway"),
    **dict.fromkeys(("py_header_filter", "py_body_filter"), "gateway"),
    "queue": "NGINX Plus",
    "request_history": "gateway",
    "state": "NGINX Plus",
    "status_zone": "NGINX Plus",
    "zone_sync_store": "gateway",
    **dict.fromkeys(("keyval", "keyval_zone"), "NGINX Plus"),
    **dict.fromkeys(
        (f"more_{verb}_{word}headers" for verb in ("set", "clear") for word in ("", "input_")),
        "the headers-more module",
    ),
    **{f"brotli{word}": "the ngx_brotli module" for word in _CODING_WORDS},
    **{f"zstd{word}": "the zstd module" for word in _CODING_WORDS if word != "_window"},
    **dict.fromkeys(("health_check", "match", "status", "header", "body", "require"), "NGINX Plus"),
    **dict.fromkeys(("health_check_timeout", "send", "expect"), "NGINX Plus"),
    **dict.fromkeys((f"{name}_cache_purge" for name in ("proxy", "fastcgi", "uwsgi", "scgi")), "NGINX Plus"),
}

# Directives of nginx that take more here, by module and name, each with the words that NGINX Plus or gateway has.
OWN_PARAMETERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("ngx_http_limit_req_module", "limit_req_zone"): ("sync",),
    ("ngx_http_limit_conn_module", "limit_conn_zone"): ("sync",),
    ("ngx_http_limit_req_module", "limit_req"): ("exact",),
    ("ngx_http_upstream_zone_module", "zone"): ("sync",),
}

# Directives that people meet in examples and that are not nginx's own: how the name begins, and whose it is.
_FOREIGN = {
    "more_": "the headers-more module; proxy_set_header and proxy_hide_header are nginx's own",
    "lua_": "the Lua module (OpenResty)",
    "brotli": "the ngx_brotli module",
    "zstd": "the zstd module",
    "vhost_traffic_status": "the nginx-module-vts module",
    "js_": "njs, which is not run: map, set and auth_request do much of what it is used for",
    "perl": "the Perl module, which is not run: map, set and auth_request do much of what it is used for",
    "modsecurity": "the ModSecurity module",
    "pagespeed": "the PageSpeed module",
    "geoip2": "the geoip2 module",
    "passenger": "Phusion Passenger",
    "push_stream": "the push-stream module",
    "rtmp": "the RTMP module",
    "upload_": "the upload module",
    "check": "the nginx_upstream_check_module module",
    "auth_jwt": "NGINX Plus",
    "auth_oidc": "NGINX Plus",
    # the longer name first: the first that fits speaks
    "zone_sync_server": 'NGINX Plus; here nodes meet at a store, no list: "zone_sync_store redis://HOST" in http',
    "zone_sync_interval": 'NGINX Plus; here it is "interval=" of "zone_sync_store" in http',
    "zone_sync_timeout": 'NGINX Plus; here it is "timeout=" of "zone_sync_store" in http',
    "zone_sync_connect_timeout": 'NGINX Plus; here it is "timeout=" of "zone_sync_store" in http',
    "zone_sync_connect_retry_interval": "NGINX Plus; here a lost store is tried again by itself: leave it out",
    "zone_sync_buffers": "NGINX Plus; here there are no such buffers: leave it out",
    "zone_sync_recv_buffer_size": "NGINX Plus; here there is no such buffer: leave it out",
    "zone_sync_ssl_trusted_certificate": 'NGINX Plus; here it is "trusted_certificate=" of "zone_sync_store" in http',
    "zone_sync_ssl_verify": 'NGINX Plus; here "zone_sync_store rediss://HOST" is always verified: leave it out',
    "zone_sync_ssl_name": 'NGINX Plus; here it is the host in "zone_sync_store rediss://HOST" in http',
    "zone_sync_ssl_server_name": 'NGINX Plus; here the host in "zone_sync_store rediss://HOST" is sent: leave it out',
    "zone_sync_ssl_certificate": (
        'NGINX Plus; here nodes show a password, no certificate: "password_file=" of "zone_sync_store" in http'
    ),
    "zone_sync_ssl_password_file": (
        'NGINX Plus; here nodes show a password, no certificate: "password_file=" of "zone_sync_store" in http'
    ),
    "zone_sync_ssl": 'NGINX Plus; here TLS is the URL\'s: "zone_sync_store rediss://HOST" in http',
    "zone_sync": 'NGINX Plus; here "zone_sync_store" in http says where zones with "sync" meet',
    "ntlm": "NGINX Plus",
    "session_log": "NGINX Plus",
    "hls": "NGINX Plus",
    "f4f": "NGINX Plus",
}


def foreign(name: str) -> str:
    """Say to which module outside of nginx a directive belongs, if its name shows that."""
    if "_by_lua" in name:
        return f'"{name}" belongs to {_FOREIGN["lua_"]}'
    for prefix, owner in _FOREIGN.items():
        if name == prefix or name.startswith(prefix if prefix.endswith("_") else prefix + "_"):
            return f'"{name}" belongs to {owner}'
    return ""
