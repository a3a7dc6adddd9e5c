"""The directives that proxy_, fastcgi_, scgi_ and uwsgi_ share, declared once, by their prefix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.config import units
from gateway.config.conf import UNSET
from gateway.config.directive import (
    EVERYWHERE,
    FLAG,
    HTTP,
    Command,
    Directive,
    Setter,
    at_least,
    bitmask,
    bufs,
    flag,
    number,
    size,
    take,
    time_s,
)
from gateway.config.text import to_bytes
from gateway.core.template import Template
from gateway.http.setters import access_setting, number_setting, temp_path, template
from gateway.serving.cycle import TRANSPARENT
from gateway.upstream.cache import cache_directives as cache
from gateway.upstream.exchange.conf import Local
from gateway.upstream.exchange.next_upstream import Condition
from gateway.upstream.exchange.response import Ignore
from gateway.upstream.exchange.store import set_store
from gateway.upstream.peers.address import parse_local

IGNORABLE: Final = {
    "X-Accel-Redirect": Ignore.X_ACCEL_REDIRECT,
    "X-Accel-Expires": Ignore.X_ACCEL_EXPIRES,
    "X-Accel-Limit-Rate": Ignore.X_ACCEL_LIMIT_RATE,
    "X-Accel-Buffering": Ignore.X_ACCEL_BUFFERING,
    "X-Accel-Charset": Ignore.X_ACCEL_CHARSET,
    "Expires": Ignore.EXPIRES,
    "Cache-Control": Ignore.CACHE_CONTROL,
    "Set-Cookie": Ignore.SET_COOKIE,
    "Vary": Ignore.VARY,
}

# The conditions that every protocol has; proxy adds http_502 and http_504.
CONDITIONS: Final = {
    "error": Condition.ERROR,
    "timeout": Condition.TIMEOUT,
    "invalid_header": Condition.INVALID_HEADER,
    "non_idempotent": Condition.NON_IDEMPOTENT,
    "http_500": Condition.HTTP_500,
    "http_503": Condition.HTTP_503,
    "http_403": Condition.HTTP_403,
    "http_404": Condition.HTTP_404,
    "http_429": Condition.HTTP_429,
    "updating": Condition.UPDATING,
    "off": Condition.OFF,
}


def add_header_name(field_name: str) -> Setter:
    """One more name for `*_hide_header` or `*_pass_header`; nginx's array slot."""

    def set_name(conf: Any, command: Command) -> None:
        names = getattr(conf, field_name)
        setattr(conf, field_name, (*(() if names is UNSET else names), to_bytes(command.args[0])))

    return set_name


def set_unbuffered_types(conf: Any, command: Command) -> None:
    """`*_unbuffered_types text/event-stream …`: for streams of events whose application says nothing of buffering."""
    if conf.unbuffered_types is not UNSET:
        command.duplicate()
    conf.unbuffered_types = frozenset(to_bytes(word.lower()) for word in command.args)


def set_bind(conf: Any, command: Command, compiled_by: Callable[[Command, str], Template] = template) -> None:
    """`*_bind address [transparent] | off`."""
    command.once(conf.local)
    text = command.args[0]
    if text == "off" and len(command.args) == 1:
        conf.local = None
        conf.transparent = False
        return
    compiled = compiled_by(command, text)
    if compiled.constant is None:
        conf.local = Local(None, compiled)
    else:
        address = parse_local(compiled.constant)
        if address is None:
            command.fail(f'invalid address "{text}"')
        conf.local = Local(address, None)
    conf.transparent = False
    if len(command.args) > 1:
        if command.args[1] != "transparent":
            command.fail(f'invalid parameter "{command.args[1]}"')
        conf.transparent = True
        command.loader.parts.put(TRANSPARENT, True)


def _noting(field_name: str, setter: Setter) -> Setter:
    """The setter, and a note of where it was: a time-out says later which line set it."""

    def set_and_note(conf: Any, command: Command) -> None:
        setter(conf, command)
        conf.places[field_name] = command.where

    return set_and_note


def family(
    prefix: str, *, conditions: dict[str, Condition] | None = None, only: tuple[str, ...] = ()
) -> tuple[Directive, ...]:
    """The shared directives of `prefix` ("uwsgi"), for settings that are an UpstreamConf."""
    declared: list[tuple[str, Any, str, Setter]] = [
        ("buffering", FLAG, "buffering", flag("buffering")),
        ("unbuffered_types", at_least(1), "unbuffered_types", set_unbuffered_types),
        ("request_buffering", FLAG, "request_buffering", flag("request_buffering")),
        ("ignore_client_abort", FLAG, "ignore_client_abort", flag("ignore_client_abort")),
        ("bind", take(1, 2), "local", set_bind),
        ("socket_keepalive", FLAG, "socket_keepalive", flag("socket_keepalive")),
        ("socket_rcvbuf", take(1), "socket_rcvbuf", size("socket_rcvbuf")),
        ("socket_sndbuf", take(1), "socket_sndbuf", size("socket_sndbuf")),
        ("connect_timeout", take(1), "connect_timeout", time_s("connect_timeout")),
        ("send_timeout", take(1), "send_timeout", time_s("send_timeout")),
        ("read_timeout", take(1), "read_timeout", time_s("read_timeout")),
        ("buffer_size", take(1), "buffer_size", size("buffer_size")),
        ("buffers", take(2), "buffers", bufs("buffers")),
        ("busy_buffers_size", take(1), "busy_buffers_size", size("busy_buffers_size")),
        ("max_temp_file_size", take(1), "max_temp_file_size", size("max_temp_file_size")),
        ("temp_file_write_size", take(1), "temp_file_write_size", size("temp_file_write_size")),
        ("store", take(1), "store", set_store),
        ("store_access", take(1, 2, 3), "store_access", access_setting("store_access")),
        ("temp_path", take(1, 2, 3, 4), "temp_path", temp_path("temp_path")),
        ("limit_rate", take(1), "limit_rate", number_setting("limit_rate", units.parse_size)),
        ("pass_request_headers", FLAG, "pass_request_headers", flag("pass_request_headers")),
        ("pass_request_body", FLAG, "pass_request_body", flag("pass_request_body")),
        ("intercept_errors", FLAG, "intercept_errors", flag("intercept_errors")),
        ("force_ranges", FLAG, "force_ranges", flag("force_ranges")),
        ("next_upstream", at_least(1), "next_upstream", bitmask("next_upstream", conditions or CONDITIONS)),
        ("next_upstream_tries", take(1), "next_upstream_tries", number("next_upstream_tries")),
        ("next_upstream_timeout", take(1), "next_upstream_timeout", time_s("next_upstream_timeout")),
        ("pass_header", take(1), "pass_headers", add_header_name("pass_headers")),
        ("hide_header", take(1), "hide_headers", add_header_name("hide_headers")),
        ("ignore_headers", at_least(1), "ignore_headers", bitmask("ignore_headers", IGNORABLE)),
        *cache.declared(prefix, conditions or CONDITIONS),
    ]
    shared = [
        Directive(f"{prefix}_{name}", EVERYWHERE, arguments, _noting(field_name, setter))
        for name, arguments, field_name, setter in declared
        if not only or name in only
    ]
    if not only:
        shared.append(Directive(f"{prefix}_cache_path", HTTP, at_least(2), cache.add_path(prefix)))
    return tuple(shared)
