"""http_core: the settings that the engine itself reads."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from gateway import __version__
from gateway._fast.request_head import HeadLimits
from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import (
    EVERYWHERE,
    FLAG,
    HTTP,
    LIF,
    LOCATION,
    SERVER,
    Command,
    Directive,
    at_least,
    bitmask,
    bufs,
    enum_,
    flag,
    number,
    offset,
    size,
    store,
    take,
    time_s,
)
from gateway.config.errors import LateError, Note, Where
from gateway.config.text import to_bytes
from gateway.core.logs import LOG
from gateway.core.template import Template
from gateway.http.body import read_body
from gateway.http.core_variables import VARIABLES
from gateway.http.error_pages import ErrorPage
from gateway.http.module import NOTHING, Contribution, HttpModule, Phase, Result
from gateway.http.setters import default_temp_path, holds, number_setting, predicates, temp_path, template
from gateway.serving.resolver_directive import connect_resolvers, set_resolver

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

if TYPE_CHECKING:
    from gateway.core.logs import Log
    from gateway.core.resolver import Resolver
    from gateway.core.temp_files import TempPath
    from gateway.core.template import Template
    from gateway.http.setters import Number

SIGNATURE: Final = b"gateway"
FULL_SIGNATURE: Final = b"gateway/" + __version__.encode()

_MSIE6, _SAFARI = 1, 2
_OFF, _ON, _ALWAYS = 0, 1, 2


@dataclass(slots=True)
class ServerConf(Conf):
    client_header_timeout: float = setting(60.0)
    client_header_buffer_size: int = setting(1024)
    large_client_header_buffers: tuple[int, int] = setting((4, 8192))
    connection_pool_size: int = setting(512)
    large_buffers_where: Where | None = None  # the line that set one of these two
    max_headers: int = setting(1000)
    ignore_invalid_headers: bool = setting(True)
    underscores_in_headers: bool = setting(False)
    merge_slashes: bool = setting(True)
    early_read: tuple[Any, ...] = setting(())  # templates: the body is read before all if one of them says so
    allow_connect: bool = setting(False, inherit=False)  # a tunnel_pass stands in this server
    limits: Any = None

    def merge(self, outer: Self | None, nameless: bool = False) -> None:
        Conf.merge(self, outer, nameless)
        if outer is not None and self.large_client_header_buffers[1] < self.connection_pool_size:
            where = self.large_buffers_where or outer.large_buffers_where
            raise LateError(
                'the "large_client_header_buffers" size must be equal to or greater than "connection_pool_size"',
                notes=(Note("it follows from this line", where),),
            )
        self.limits = HeadLimits(
            header_buffer_size=self.client_header_buffer_size,
            large_buffers=self.large_client_header_buffers,
            max_headers=self.max_headers,
            ignore_invalid_headers=self.ignore_invalid_headers,
            underscores_in_headers=self.underscores_in_headers,
            merge_slashes=self.merge_slashes,
            allow_connect=self.allow_connect,
        )


@dataclass(slots=True)
class LocationConf(Conf):
    internal: bool = setting(False, inherit=False)
    limit_except: Any = setting(None, inherit=False)
    # root and alias are one setting: an inner block has both from itself or both from outside
    root: Template | None = setting(None)
    alias: Template | None = setting(None)
    alias_length: int = setting(0)  # how much of the URI an alias stands for; -1: all of it (a regular expression)
    error_pages: list[ErrorPage] = setting(factory=list)
    recursive_error_pages: bool = setting(False)
    satisfy_any: bool = setting(False)
    error_log: Log | None = setting(None)
    client_max_body_size: int = setting(1 << 20)
    client_body_buffer_size: int = setting(16384)
    client_body_timeout: float = setting(60.0)
    client_body_temp_path: TempPath | None = setting(None)
    client_body_in_file_only: int = setting(_OFF)
    send_timeout: float = setting(60.0)
    limit_rate: Number | None = setting(None)
    limit_rate_after: Number | None = setting(None)
    keepalive_timeout: float = setting(75.0)
    keepalive_header: int = setting(0)
    keepalive_min_timeout: float = setting(0.0)
    keepalive_time: float = setting(3600.0)
    keepalive_requests: int = setting(1000)
    keepalive_disable: int = setting(_MSIE6)
    lingering_close: int = setting(_ON)
    lingering_time: float = setting(30.0)
    lingering_timeout: float = setting(5.0)
    reset_timedout_connection: bool = setting(False)
    chunked_transfer_encoding: bool = setting(True)
    absolute_redirect: bool = setting(True)
    server_name_in_redirect: bool = setting(False)
    port_in_redirect: bool = setting(True)
    msie_padding: bool = setting(True)
    msie_refresh: bool = setting(False)
    auth_delay: float = setting(0.0)
    post_action: bytes | None = setting(None)
    server_tokens: str = setting("on")
    early_hints: tuple[Template, ...] = setting(())  # templates: hints pass if one of them says so
    etag: bool = setting(True)
    if_modified_since: str = setting("exact")
    max_ranges: int = setting((1 << 31) - 1)
    log_not_found: bool = setting(True)
    log_subrequest: bool = setting(False)
    subrequest_output_buffer_size: int = setting(4096)
    sendfile_max_chunk: int = setting(2 << 20)
    tcp_nodelay: bool = setting(True)
    resolver: Resolver | None = setting(None)
    resolver_timeout: float = setting(30.0)
    # made from the settings above
    server_header: bytes = b""
    signature: bytes = b""
    root_path: bytes | None = None
    alias_path: bytes | None = None  # alias without variables, and absolute

    def merge(self, outer: Self | None, nameless: bool = False) -> None:
        Conf.merge(self, outer, nameless)
        full = self.server_tokens != "off"
        self.signature = FULL_SIGNATURE if full else SIGNATURE
        self.server_header = b"\r\nServer: " + self.signature
        self.root_path = self.root.constant if self.root is not None else None
        alias = self.alias.constant if self.alias is not None else None
        self.alias_path = alias if alias is not None and alias.startswith(b"/") else None


def set_keepalive_timeout(conf: LocationConf, command: Command) -> None:
    try:
        timeout = units.parse_time_ms(command.args[0]) / 1000
        header = units.parse_seconds(command.args[1]) if len(command.args) == 2 else 0
    except ValueError:
        command.refuse("invalid value")
    store(conf, "keepalive_timeout", timeout, command)
    conf.keepalive_header = header


def set_error_page(conf: LocationConf, command: Command) -> None:
    """error_page code ... [=[response]] uri;"""
    args = command.args
    if conf.error_pages is UNSET:
        conf.error_pages = []
    codes, overwrite = args[:-1], -1
    if codes[-1].startswith("="):
        word = codes[-1]
        if len(codes) == 1:
            command.fail(f'invalid value "{word}"')
        if len(word) > 1:
            if not word[1:].isdigit():
                command.fail(f'invalid value "{word}"')
            overwrite = int(word[1:])
        else:
            overwrite = 0
        codes = codes[:-1]
    target = template(command, args[-1])
    for code in codes:
        try:
            status = units.parse_number(code)
        except ValueError:
            command.fail(f'invalid value "{code}"')
        if status == 499:
            command.fail(f'invalid value "{code}"')
        if not 300 <= status <= 599:
            command.fail(f'value "{code}" must be between 300 and 599')
        page_overwrite = overwrite
        if overwrite < 0 and status in (494, 495, 496, 497):
            page_overwrite = 400
        conf.error_pages.append(ErrorPage(status, page_overwrite, target))


def set_root(conf: LocationConf, command: Command) -> None:
    """root path; and alias path, in a location alone."""
    is_alias = command.name == "alias"
    if conf.root is not UNSET or conf.alias is not UNSET:
        other = conf.alias is not UNSET and conf.alias is not None
        if other == is_alias:
            command.duplicate()
        command.fail(
            f'"{command.name}" directive is duplicate, "{"alias" if other else "root"}" directive was specified earlier'
        )
    text = command.args[0]
    if "$document_root" in text or "${document_root}" in text:
        command.fail(f'the $document_root variable cannot be used in the "{command.name}" directive')
    if "$realpath_root" in text or "${realpath_root}" in text:
        command.fail(f'the $realpath_root variable cannot be used in the "{command.name}" directive')
    if is_alias and command.scope.owner.named:
        command.fail('the "alias" directive cannot be used inside the named location')
    if not is_alias and text.endswith("/"):
        text = text[:-1]
    if not text.startswith("$"):
        text = command.loader.path(text)
    value = template(command, text)
    conf.alias, conf.root = (value, None) if is_alias else (None, value)
    location = command.scope.owner
    conf.alias_length = (-1 if location.regex is not None else len(location.name)) if is_alias else 0


def set_post_action(conf: LocationConf, command: Command) -> None:
    store(conf, "post_action", to_bytes(command.args[0]), command)


def set_internal(conf: LocationConf, command: Command) -> None:
    store(conf, "internal", True, command)


def set_tokens(conf: LocationConf, command: Command) -> None:
    if command.args[0] not in ("on", "off", "build"):
        command.fail(f'invalid value "{command.args[0]}"')
    store(conf, "server_tokens", command.args[0], command)


def settle(scope: Any, loader: Any) -> None:
    default_temp_path(scope, loader, module, "client_body_temp_path", "client_body_temp")


def prepare(scope: Any, loader: Any) -> None:
    """Every location has an error log and a root; both are the main ones where nothing else was said."""
    cycle = scope.owner
    connect_resolvers(cycle, loader)
    default_log = loader.parts.get(LOG)
    root = None
    for server in cycle.servers:
        waiting = [server.root]
        while waiting:
            location = waiting.pop()
            waiting += location.children
            core = location.core
            if core.error_log is None:
                core.error_log = default_log
            if core.root is None and core.alias is None:
                if root is None:
                    root = to_bytes(loader.path("html"))
                core.root_path = root
                core.root = _constant(root)


def _constant(value: bytes) -> Any:
    from gateway.core.template import Template

    return Template(value.decode("utf-8", "surrogateescape"), [value])


_ROOT = EVERYWHERE | LIF


def _server(name: str, arguments: Any, setter: Any) -> Directive:
    return Directive(name, HTTP | SERVER, arguments, setter, level="server")


_SMALLEST_POOL: Final = 112  # nginx's, on a machine of 64 bits
_set_pool_size: Final = size("connection_pool_size")
_set_large_buffers: Final = bufs("large_client_header_buffers")


def set_pool_size(conf: ServerConf, command: Command) -> None:
    """Nothing is taken from it here: it is the least that large_client_header_buffers may say."""
    _set_pool_size(conf, command)
    conf.large_buffers_where = command.where
    if conf.connection_pool_size < _SMALLEST_POOL:
        command.fail(f"the pool size must be no less than {_SMALLEST_POOL}")
    if conf.connection_pool_size % 16:
        command.fail("the pool size must be a multiple of 16")


def set_large_buffers(conf: ServerConf, command: Command) -> None:
    _set_large_buffers(conf, command)
    conf.large_buffers_where = command.where


def plan(conf: LocationConf, location: Location) -> Contribution:
    conditions: tuple[Template, ...] = location.scope.conf(module, "server").early_read
    if not conditions:
        return NOTHING

    def read_early(request: Request) -> Result | Awaitable[Result]:
        """client_body_early_read: the whole body, before anything is done with the request."""
        head = request.head
        if request.body is not None or not (head.content_length > 0 or head.chunked) or not holds(conditions, request):
            return None
        limit = request.location.core.client_max_body_size
        if limit and request.body_length() > limit:
            return request.too_large()
        return _after_body(request)

    return Contribution(handlers={Phase.POST_READ: read_early})


async def _after_body(request: Request) -> Result:
    status = await read_body(request)
    if status is not None:
        return status
    result = request.enter_server(first=True)
    return result if result is None or isinstance(result, int) else await result


module = HttpModule(
    name="http_core",
    server=ServerConf,
    location=LocationConf,
    variables=VARIABLES,
    plan=plan,
    settle=settle,
    prepare=prepare,
    directives=(
        _server("client_header_timeout", take(1), time_s("client_header_timeout")),
        _server("client_header_buffer_size", take(1), size("client_header_buffer_size")),
        _server("connection_pool_size", take(1), set_pool_size),
        _server("large_client_header_buffers", take(2), set_large_buffers),
        _server("client_body_early_read", at_least(1), predicates("early_read")),
        _server("max_headers", take(1), number("max_headers")),
        _server("ignore_invalid_headers", FLAG, flag("ignore_invalid_headers")),
        _server("underscores_in_headers", FLAG, flag("underscores_in_headers")),
        _server("merge_slashes", FLAG, flag("merge_slashes")),
        Directive("root", _ROOT, take(1), set_root),
        Directive("alias", LOCATION, take(1), set_root),
        Directive("internal", LOCATION, take(0), set_internal),
        Directive("error_page", _ROOT, at_least(2), set_error_page),
        Directive("recursive_error_pages", EVERYWHERE, FLAG, flag("recursive_error_pages")),
        Directive("satisfy", EVERYWHERE, take(1), enum_("satisfy_any", {"all": False, "any": True})),
        Directive("client_max_body_size", EVERYWHERE, take(1), offset("client_max_body_size")),
        Directive("client_body_buffer_size", EVERYWHERE, take(1), size("client_body_buffer_size")),
        Directive("client_body_timeout", EVERYWHERE, take(1), time_s("client_body_timeout")),
        Directive(
            "client_body_in_file_only",
            EVERYWHERE,
            take(1),
            enum_("client_body_in_file_only", {"off": 0, "on": 2, "clean": 1}),
        ),
        Directive("client_body_temp_path", EVERYWHERE, take(1, 2, 3, 4), temp_path("client_body_temp_path")),
        Directive("send_timeout", EVERYWHERE, take(1), time_s("send_timeout")),
        Directive("limit_rate", _ROOT, take(1), number_setting("limit_rate", units.parse_size)),
        Directive("limit_rate_after", _ROOT, take(1), number_setting("limit_rate_after", units.parse_size)),
        Directive("keepalive_timeout", EVERYWHERE, take(1, 2), set_keepalive_timeout),
        Directive("keepalive_min_timeout", EVERYWHERE, take(1), time_s("keepalive_min_timeout")),
        Directive("keepalive_time", EVERYWHERE, take(1), time_s("keepalive_time")),
        Directive("keepalive_requests", EVERYWHERE, take(1), number("keepalive_requests")),
        Directive(
            "keepalive_disable",
            EVERYWHERE,
            take(1, 2),
            bitmask("keepalive_disable", {"none": 0, "msie6": _MSIE6, "safari": _SAFARI}),
        ),
        Directive(
            "lingering_close",
            EVERYWHERE,
            take(1),
            enum_("lingering_close", {"off": _OFF, "on": _ON, "always": _ALWAYS}),
        ),
        Directive("lingering_time", EVERYWHERE, take(1), time_s("lingering_time")),
        Directive("lingering_timeout", EVERYWHERE, take(1), time_s("lingering_timeout")),
        Directive("reset_timedout_connection", EVERYWHERE, FLAG, flag("reset_timedout_connection")),
        Directive("chunked_transfer_encoding", EVERYWHERE, FLAG, flag("chunked_transfer_encoding")),
        Directive("early_hints", EVERYWHERE, at_least(1), predicates("early_hints")),
        Directive("absolute_redirect", EVERYWHERE, FLAG, flag("absolute_redirect")),
        Directive("server_name_in_redirect", EVERYWHERE, FLAG, flag("server_name_in_redirect")),
        Directive("port_in_redirect", EVERYWHERE, FLAG, flag("port_in_redirect")),
        Directive("msie_padding", EVERYWHERE, FLAG, flag("msie_padding")),
        Directive("msie_refresh", EVERYWHERE, FLAG, flag("msie_refresh")),
        Directive("auth_delay", EVERYWHERE, take(1), time_s("auth_delay")),
        Directive("post_action", _ROOT, take(1), set_post_action),
        Directive("server_tokens", EVERYWHERE, take(1), set_tokens),
        Directive("etag", EVERYWHERE, FLAG, flag("etag")),
        Directive(
            "if_modified_since",
            EVERYWHERE,
            take(1),
            enum_("if_modified_since", {"off": "off", "exact": "exact", "before": "before"}),
        ),
        Directive("max_ranges", EVERYWHERE, take(1), number("max_ranges")),
        Directive("log_not_found", EVERYWHERE, FLAG, flag("log_not_found")),
        Directive("log_subrequest", EVERYWHERE, FLAG, flag("log_subrequest")),
        Directive(
            "subrequest_output_buffer_size", EVERYWHERE, take(1), size("subrequest_output_buffer_size")
        ),
        Directive("sendfile_max_chunk", EVERYWHERE, take(1), size("sendfile_max_chunk")),
        Directive("tcp_nodelay", EVERYWHERE, FLAG, flag("tcp_nodelay")),
        Directive("resolver", EVERYWHERE, at_least(1), set_resolver),
        Directive("resolver_timeout", EVERYWHERE, take(1), time_s("resolver_timeout")),
    ),
)
