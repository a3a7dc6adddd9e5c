"""Rules about header fields: what gets lost, what can be forged, what can be split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.dev.check.block import Block
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
_DECODED: Final = re.compile(r"\$\{?(?:uri|document_uri)\b\}?")
_WITH_ARGUMENTS: Final = re.compile(r"\$request_uri(?:\$is_args|\?)(?:\$args|\$query_string)")


def _lost(block: Block, name: str) -> list[Statement]:
    """What outer blocks set with a directive that this block's own ones replace."""
    own = {statement.args[0].lower() for statement in block.all(name)}
    outer = block.outer.effective(name) if block.outer is not None and own else []
    return [statement for statement in outer if statement.args[0].lower() not in own]


@rule("GW201", "add-header-lost", "warn")
def add_header_lost(config: Block) -> Iterator[Problem]:
    """One `add_header` in a block, and none of the outer blocks holds there. Security fields of the server get lost in
    a location that sets a Cache-Control. Since nginx 1.29.3 `add_header_inherit merge;` keeps them."""
    for block in config.walk("server", "location", "if"):
        if block.value("add_header_inherit") == "merge":
            continue
        lost = [each for each in _lost(block, "add_header") if each.args[0].lower() in _PROTECT]
        first = block.all("add_header")
        if lost and first:
            names = ", ".join(dict.fromkeys(each.args[0] for each in lost))
            text = f"the add_header here replaces those of the outer block, which are not sent: {names}"
            lines = [f"add_header {' '.join(map(quoted, each.args))};" for each in lost]
            yield Problem(first[0].where, text, (added_behind(first[-1], *lines),))


@rule("GW202", "proxy-set-header-lost", "warn")
def proxy_set_header_lost(config: Block) -> Iterator[Problem]:
    """One `proxy_set_header` in a location, and the server's do not hold there: the application sees another Host, and
    no client address."""
    for block in config.walk("location", "if"):
        lost = _lost(block, "proxy_set_header")
        first = block.all("proxy_set_header")
        important = [
            each
            for each in lost
            if each.args[0].lower() in ("host", "x-forwarded-for", "x-forwarded-proto", "x-real-ip")
        ]
        if important and first and any(inner.passes() is not None for inner in block.walk()):
            names = ", ".join(each.args[0] for each in important)
            lines = [f"proxy_set_header {' '.join(quoted(word) for word in each.args)};" for each in lost]
            text = f"the proxy_set_header here replaces those of the outer block: {names} is not set"
            yield Problem(first[0].where, text, (added_behind(first[-1], *lines),))


@rule("GW203", "host-spoofing", "warn")
def host_spoofing(config: Block) -> Iterator[Problem]:
    """`$http_host` is what the client wrote, whatever the request line says; an application that makes links from it
    can be made to send its users elsewhere. `$host` is what the server was chosen by."""
    for _, statement in config.everywhere("proxy_set_header", "uwsgi_param", "fastcgi_param", "scgi_param"):
        name = statement.args[0].lower()
        if name in ("host", "http_host", "x-forwarded-host") and "$http_host" in statement.args[1]:
            words = [statement.name, statement.args[0], quoted(statement.args[1].replace("$http_host", "$host"))]
            text = f"{statement.args[0]} is what the client wrote; $host is what was checked"
            yield Problem(statement.where, text, (replaced(statement, *words, *statement.args[2:]),))


@rule("GW204", "header-splitting", "error")
def header_splitting(config: Block) -> Iterator[Problem]:
    """`$uri` and `$document_uri` are decoded: `%0d%0a` in a request's path becomes a line break, and what follows it a
    field of the response or of the request to the upstream. `$request_uri` is as the client sent it."""
    for _, statement in config.everywhere("return", "add_header", "proxy_set_header", "rewrite", "add_trailer"):
        at = _line_of_protocol(statement)
        if at is None or not _DECODED.search(statement.args[at]):
            continue
        better = _DECODED.sub("$request_uri", statement.args[at])
        better = _WITH_ARGUMENTS.sub("$request_uri", better)  # it has them already
        words = [*statement.args[:at], better, *statement.args[at + 1 :]]
        text = "a line break in the path (%0a) becomes one here: use $request_uri"
        yield Problem(statement.where, text, (replaced(statement, statement.name, *map(quoted, words)),))


def _line_of_protocol(statement: Statement) -> int | None:
    """Which of its words becomes a part of a head."""
    args = statement.args
    if statement.name == "rewrite":
        return 1 if _redirects(statement) else None
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
        if any("\n" in word for word in statement.args):
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


@rule("GW209", "origin-not-anchored", "error")
def origin_not_anchored(config: Block) -> Iterator[Problem]:
    """A pattern for Origin or Referer that does not begin with ^ and end with $ or a slash also matches
    `https://example.com.evil.org` or `https://evil.org/?example.com`."""
    for block in config.walk("if"):
        words = [word.strip("()") for word in block.args]
        if len(words) == 3 and words[0] in ("$http_origin", "$http_referer") and words[1] in ("~", "~*", "!~", "!~*"):
            pattern = words[2]
            ended = pattern.endswith("$") or "/" in pattern.rpartition("://")[2]
            if not pattern.startswith("^") or not ended:
                yield Problem(block.where, f'"{pattern}" matches other sites too: anchor it with ^ and $')
