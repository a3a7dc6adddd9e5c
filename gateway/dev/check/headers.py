"""Rules about header fields: what gets lost, what can be forged, what can be split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.dev.check import values
from gateway.dev.check.block import PASSES, Block
from gateway.dev.check.edits import added_behind, quoted, replaced
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.parser import Statement

# Fields that protect: losing one is no matter of taste.
_PROTECT: Final = frozenset({
    "strict-transport-security", "content-security-policy", "x-frame-options", "x-content-type-options",
    "referrer-policy", "permissions-policy", "cross-origin-opener-policy", "cross-origin-resource-policy",
    "cross-origin-embedder-policy", "x-xss-protection",
})  # fmt: skip
# These do by what they say.
_PROTECT_BY_VALUE: Final = {
    "cache-control": ("no-store", "private", "no-cache"), "pragma": ("no-cache",), "expires": ("0", "-1"),
    "content-disposition": ("attachment",),
}  # fmt: skip
_DECODED: Final = re.compile(r"\$\{?(?:uri|document_uri)\b\}?", re.I)
# What is sent without any proxy_set_header; Upgrade never is.
_DEFAULT_FIELDS: Final = {"host": "$proxy_host", "connection": "", "upgrade": "", "te": "", "keep-alive": ""}
_CHOICES: Final = ("-t", "-s")  # words of more_set_headers that lists of types and codes follow
_NUMBERED: Final = re.compile(r"\$\{?\d\}?")
_BY_CLIENT: Final = re.compile(r"\$\{?(?:http_host|http_x_forwarded_host|arg_\w+|cookie_\w+)\}?", re.I)
_WITH_ARGUMENTS: Final = re.compile(r"\$request_uri(?:\$is_args|\?)(?:\$args|\$query_string)")


def _lost(block: Block, name: str) -> list[Statement]:
    """What outer blocks set with a directive that this block's own ones replace."""
    own = {statement.args[0].lower() for statement in block.all(name)}
    outer = block.outer.effective(name) if block.outer is not None and own else []
    return [statement for statement in outer if statement.args[0].lower() not in own]


def _lost_of_all(block: Block, name: str) -> list[Statement]:
    """The same of all outer blocks, those too that an outer one has replaced already."""
    given = {statement.args[0].lower() for statement in block.all(name)}
    found: list[Statement] = []
    at = block.outer if given else None
    while at is not None:
        new = [statement for statement in at.all(name) if statement.args[0].lower() not in given]
        given |= {statement.args[0].lower() for statement in new}
        found += new
        at = at.outer
    return found


def _protects(statement: Statement) -> bool:
    name = statement.args[0].lower()
    said = statement.args[1].lower() if len(statement.args) > 1 else ""
    return name in _PROTECT or any(word in said for word in _PROTECT_BY_VALUE.get(name, ()))


@rule("GW201", "add-header-lost", "warn")
def add_header_lost(config: Block) -> Iterator[Problem]:
    """One `add_header` in a block, and none of the outer blocks holds there. Security fields of the server get lost in
    a location that sets a Cache-Control. Since nginx 1.29.3 `add_header_inherit merge;` keeps them."""
    for block in config.walk("server", "location", "if"):
        if block.value("add_header_inherit") in ("merge", "off"):
            continue
        lost = [each for each in _lost(block, "add_header") if _protects(each)]
        first = block.all("add_header")
        if lost and first:
            names = ", ".join(dict.fromkeys(each.args[0] for each in lost))
            text = f"the add_header here replaces those of the outer block, which are not sent: {names}"
            lines = [f"add_header {' '.join(map(quoted, each.args))};" for each in lost]
            yield Problem(first[0].where, text, (added_behind(first[-1], *lines),))


@rule("GW202", "proxy-set-header-lost", "warn")
def proxy_set_header_lost(config: Block) -> Iterator[Problem]:
    """One `proxy_set_header` in a block, and those of the outer blocks do not hold there: the application sees another
    Host, and no client address, or a field that was set to "" because clients must not say it."""
    for block in config.walk("server", "location", "if"):
        lost = [each for each in _lost_of_all(block, "proxy_set_header") if not _as_without_it(each)]
        first = block.all("proxy_set_header")
        if lost and first and any(_passes_by_http(inner, block) for inner in block.walk()):
            names = ", ".join(dict.fromkeys(each.args[0] for each in lost))
            lines = [f"proxy_set_header {' '.join(quoted(word) for word in each.args)};" for each in lost]
            text = f"the proxy_set_header here replaces those of the outer block: {names} is not set"
            yield Problem(first[0].where, text, (added_behind(first[-1], *lines),))


def _as_without_it(statement: Statement) -> bool:
    """Whether a field is what is sent, or not sent, where no proxy_set_header is."""
    name, value = statement.args[0].lower(), statement.args[-1]
    return value == _DEFAULT_FIELDS.get(name)


def _passes_by_http(inner: Block, block: Block) -> bool:
    """Whether the fields of a block hold for a proxy_pass inside of it."""
    return inner.one("proxy_pass") is not None and inner.effective("proxy_set_header") == block.all("proxy_set_header")


@rule("GW203", "host-spoofing", "warn")
def host_spoofing(config: Block) -> Iterator[Problem]:
    """`$http_host` is what the client wrote, whatever the request line says; an application that makes links from it
    can be made to send its users elsewhere. Over HTTP/3 it is empty, since clients send `:authority` and no Host there.
    `$host` is what the server was chosen by."""
    over_http3 = any("quic" in listen.args for _, listen in config.everywhere("listen"))
    for _, statement in config.everywhere("proxy_set_header", "uwsgi_param", "fastcgi_param", "scgi_param"):
        name = statement.args[0].lower()
        if name not in ("host", "http_host", "x-forwarded-host"):
            continue
        said = _BY_CLIENT.search(statement.args[1])
        if said is not None:
            better = quoted(statement.args[1].replace(said[0], "$host"))
            edit = replaced(statement, statement.name, statement.args[0], better, *statement.args[2:])
            of_field = said[0].lower().strip("${}") == "http_host"
            empty = ", and it is empty over HTTP/3" if of_field and over_http3 else ""
            text = f"{statement.args[0]} is what the client wrote{empty}; $host is what was checked"
            yield Problem(statement.where, text, (edit,) if of_field else ())


@rule("GW204", "header-splitting", "error")
def header_splitting(config: Block) -> Iterator[Problem]:
    """`$uri`, `$document_uri` and groups like `[^/]+` of the path are decoded: `%0d%0a` in a request's path becomes a
    line break, and what follows it a field of the response or of the request to the upstream. `$request_uri` is as the
    client sent it; `.` in a pattern stops at a line break."""
    for block, statement, at, text in _lines_of_protocol(config):
        if not values.value_of(text, block, statement).newline:
            continue
        if not _DECODED.search(statement.args[at]):
            names = [name for name in values.names_in(text) if values.variable(name, block, statement).newline]
            yield Problem(statement.where, f"a line break in the path (%0a) comes here with ${names[0]}")
            continue
        better = _DECODED.sub("$request_uri", statement.args[at])
        better = _WITH_ARGUMENTS.sub("$request_uri", better)  # it has them already
        words = [*statement.args[:at], better, *statement.args[at + 1 :]]
        text = "a line break in the path (%0a) becomes one here: use $request_uri"
        edits = () if statement.name in PASSES else (replaced(statement, statement.name, *map(quoted, words)),)
        yield Problem(statement.where, text, edits)


@rule("GW213", "carriage-return", "note")
def carriage_return(config: Block) -> Iterator[Problem]:
    """`.` in a pattern stops at a line feed, but takes a carriage return: `%0d` in a path comes out as one in a field,
    and a few old clients take it for the end of a line. `[^\\x00-\\x1f]` takes neither."""
    for block, statement, _, text in _lines_of_protocol(config):
        if statement.name in PASSES:
            continue
        value = values.value_of(text, block, statement)
        if value.carriage_return and not value.newline:
            yield Problem(statement.where, "a carriage return in the path (%0d) comes out as one here")


def _lines_of_protocol(config: Block) -> Iterator[tuple[Block, Statement, int, str]]:
    """The words that become a part of a head as they are, with their block, their number and what counts of them."""
    for block, statement in config.everywhere(
        "return", "add_header", "proxy_set_header", "rewrite", "add_trailer", "proxy_pass"
    ):
        at = _line_of_protocol(statement)
        if at is None or len(statement.args) <= at:
            continue
        text = statement.args[at]
        if statement.name == "rewrite":
            text = _NUMBERED.sub("", text)  # groups are written with %XX in a redirect
        elif statement.name == "proxy_pass":
            head, mark, tail = text.partition("?")
            text = head + mark + _NUMBERED.sub("", tail)
        if "$" in text:
            yield block, statement, at, text


def _line_of_protocol(statement: Statement) -> int | None:
    """Which of its words becomes a part of a head."""
    args = statement.args
    if statement.name == "rewrite":
        return 1 if _redirects(statement) else None
    if statement.name == "proxy_pass":
        return 0
    if statement.name != "return":
        return 1
    if len(args) == 1:
        return 0 if args[0].startswith("http") else None
    return 1 if args[0].startswith("3") else None


def _redirects(statement: Statement) -> bool:
    return statement.args[1].startswith(("http://", "https://", "$scheme")) or statement.args[-1] in (
        "redirect",
        "permanent",
    )


@rule("GW205", "multiline-header", "warn")
def multiline_header(config: Block) -> Iterator[Problem]:
    """A line break inside of a field's value: obsolete folding, which clients and proxies read differently."""
    for _, statement in config.everywhere("add_header", "proxy_set_header", "more_set_headers"):
        shown = [
            word for word, before in zip(statement.args, ["", *statement.args], strict=False) if before not in _CHOICES
        ]
        if any("\n" in word for word in shown):
            words = [quoted(re.sub(r"\s*\n\s*", " ", word)) for word in statement.args]
            yield Problem(
                statement.where,
                "the value goes over several lines: write it on one",
                (replaced(statement, statement.name, *words),),
            )


@rule("GW206", "forged-address", "error")
def forged_address(config: Block) -> Iterator[Problem]:
    """`set_real_ip_from 0.0.0.0/0` believes everybody: any client can write the address that logs, limits and `allow`
    will see."""
    for _, statement in config.everywhere("set_real_ip_from"):
        if statement.args[0] in ("0.0.0.0/0", "::/0"):
            yield Problem(statement.where, "every client may say which address it has: name your proxies alone")


@rule("GW207", "forwarded-for-as-key", "error")
def forwarded_for_as_key(config: Block) -> Iterator[Problem]:
    """A limit or a hash by `$http_x_forwarded_for` is passed by writing another value into each request."""
    for _, statement in config.everywhere("limit_req_zone", "limit_conn_zone", "geo", "hash"):
        if any("$http_x_forwarded_for" in word or "$http_x_real_ip" in word for word in statement.args):
            text = "the client writes this field: use $binary_remote_addr, with set_real_ip_from for your proxies"
            yield Problem(statement.where, text)


@rule("GW208", "expires-and-cache-control", "note")
def expires_and_cache_control(config: Block) -> Iterator[Problem]:
    """`expires` sets Cache-Control; an `add_header Cache-Control` beside it makes two of them."""
    for block in config.walk("server", "location", "if"):
        if block.all("expires") and block.one("expires").args[0] not in ("off",):  # type: ignore[union-attr]
            for statement in block.all("add_header"):
                if statement.args[0].lower() == "cache-control" and "max-age" in statement.args[1]:
                    yield Problem(statement.where, "expires sends a Cache-Control of its own: there will be two")


@rule("GW210", "content-type-added", "warn")
def content_type_added(config: Block) -> Iterator[Problem]:
    """`add_header Content-Type` does not replace the type, the answer has two of them: `default_type` is what is
    meant."""
    for block, statement in config.everywhere("add_header"):
        if statement.args[0].lower() != "content-type" or len(statement.args) < 2:
            continue
        hidden = [f"{family}_hide_header" for family in ("proxy", "uwsgi", "fastcgi", "scgi", "grpc")]
        if any(
            word.lower() == "content-type" for name in hidden for each in block.effective(name) for word in each.args
        ):
            continue  # the application's one is not passed on
        answers = block.name == "location" and block.all("return") and not block.all("default_type")
        edit = replaced(statement, "default_type", quoted(statement.args[1])) if answers else None
        yield Problem(
            statement.where, "the answer gets a second Content-Type: default_type", (edit,) if edit is not None else ()
        )


@rule("GW211", "other-header-lost", "note")
def other_header_lost(config: Block) -> Iterator[Problem]:
    """As GW201, of fields that protect nothing, and of `add_trailer`: those of the outer block are not sent where the
    block has one of its own. `add_header_inherit merge;` and `add_trailer_inherit merge;` keep them."""
    for name in ("add_header", "add_trailer"):
        for block in config.walk("server", "location", "if"):
            if block.value(f"{name}_inherit") in ("merge", "off"):
                continue
            lost = [each for each in _lost(block, name) if name == "add_trailer" or not _protects(each)]
            first = block.all(name)
            if lost and first:
                names = ", ".join(dict.fromkeys(each.args[0] for each in lost))
                text = f"the {name} here replaces those of the outer block, which are not sent: {names}"
                yield Problem(first[0].where, text)
