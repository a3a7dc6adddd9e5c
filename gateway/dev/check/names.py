"""Rules about how a path is passed on, and how names of upstreams are looked up."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.dev.check import patterns, values
from gateway.dev.check.block import Block
from gateway.dev.check.edits import Edit, quoted, replaced
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.parser import Statement

# Of names that end in one of these a network's own server knows, and they mean what stays where it is.
_OWN_DOMAINS: Final = frozenset({
    "local", "internal", "localdomain", "lan", "test", "localhost", "invalid", "consul", "prod", "svc", "corp", "home",
    "intranet", "private", "docker", "example",
})  # fmt: skip


@rule("GW317", "decoded-by-slash", "note")
def decoded_by_slash(config: Block) -> Iterator[Problem]:
    """`location / { proxy_pass http://app/; }`: the path behind the host replaces the location's by the same one, but
    what is passed on is the decoded path, encoded again: `%2F` becomes a slash. Without it the path goes as it came."""
    for location in config.walk("location"):
        statement = location.one("proxy_pass")
        if statement is None or location.modifier not in ("", "^~") or "$" in statement.args[0]:
            continue
        found = re.fullmatch(r"(https?://[^/]+)(/.*)", statement.args[0])
        if found is None or found[2] != location.path or found[1].endswith("unix:"):
            continue
        if any(each.name in ("rewrite", "if") for each in location.statements):
            continue
        text = f'what is behind the host is the location\'s name again, and decodes the path: "{found[1]}"'
        yield Problem(statement.where, text, (replaced(statement, "proxy_pass", quoted(found[1])),))


@rule("GW318", "looked-up-once", "note")
def looked_up_once(config: Block) -> Iterator[Problem]:
    """A name in `proxy_pass` or in an upstream's `server` is looked up when the configuration is loaded, and never
    again: when a cloud gives the name other addresses, requests go to the old ones until the next reload.
    `server … resolve` with a `resolver` and a `zone` asks again."""
    groups = {block.args[0] for block in config.walk("upstream") if block.args}
    for _, statement in config.everywhere("proxy_pass", "uwsgi_pass", "fastcgi_pass", "scgi_pass", "grpc_pass"):
        host = _host(statement.args[0])
        if host not in groups and _is_public(host):
            yield Problem(statement.where, f"{host} is looked up once, at the start: server {host} resolve;")
    for block in config.walk("upstream"):
        for statement in block.all("server"):
            if "resolve" not in statement.args and statement.args and _is_public(_host(statement.args[0])):
                text = f"{statement.args[0]} is looked up once, at the start: resolve"
                yield Problem(statement.where, text)


def _host(target: str) -> str:
    return (target.partition("://")[2] or target).split("/")[0].partition(":")[0]


def _is_public(host: str) -> bool:
    """Whether it is a name that the world's DNS may give other addresses tomorrow."""
    if "$" in host or "." not in host.strip(".") or host.startswith(("unix", "[")):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rpartition(".")[2] not in _OWN_DOMAINS
    return False


@rule("GW319", "encoded-twice", "error")
def encoded_twice(config: Block) -> Iterator[Problem]:
    """`rewrite ^ $request_uri` makes the path that which the client sent, with its %XX; `proxy_pass` without variables
    encodes it again: %2F arrives as %252F. `proxy_pass http://app$uri;` passes it on as it is."""
    for block in config.walk("location", "limit_except", "if"):
        statement = block.one("proxy_pass")
        places = [block, *(each for each in block.inner if each.name == "if")]
        raw = [each for place in places for each in place.all("rewrite") if each.args[1] == "$request_uri"]
        if statement is not None and raw and not _has_own_path(statement.args[0], block):
            bare = re.sub(r"^(https?://[^/]+)/?$", r"\1", statement.args[0])
            edit = replaced(statement, "proxy_pass", quoted(bare + "$uri"))
            plain = re.fullmatch(r"https?://[^/]+", bare) is not None
            yield Problem(
                statement.where,
                "the path is encoded a second time: a variable behind the host",
                (edit,) if plain else (),
            )


def _has_own_path(target: str, block: Block) -> bool:
    """Whether variables bring a path: not those that are set to the name of a host."""
    host, slash, _ = target.partition("://")[2].partition("/")
    if any(values.variable(name, block).slash for name in values.names_in(host)):
        return True
    hosts = [text for name in values.names_in(host) for text, _, _ in values.assigned(name, block)]
    return bool(values.names_in(target)) and (
        bool(slash) or not hosts or any("/" in each or "$" in each for each in hosts)
    )


@rule("GW322", "path-decoded", "warn")
def path_decoded(config: Block) -> Iterator[Problem]:
    """What a group of the path brings into `proxy_pass` is decoded and goes out as it is: a space in `/img/a%20b.png`
    breaks the request line, `%3F` begins the arguments. `rewrite … break` with a `proxy_pass` without variables encodes
    it again."""
    for block, statement in config.everywhere("proxy_pass"):
        target = statement.args[0].partition("://")[2].partition("?")[0]
        in_path = False
        for is_variable, words in values.pieces(target) if block.around("http") is not None else ():
            value = values.variable(words, block, statement) if is_variable else values.NOTHING
            in_path = in_path or value.slash or (not is_variable and "/" in words)
            if not in_path:
                continue
            decoded = value.client and value.characters & patterns.bits("\t") and not value.newline
            if decoded and value.characters & patterns.bits(" ?%"):
                text = f"${words} is decoded: %20 in a path breaks the request line, %3F begins the arguments"
                yield Problem(statement.where, text, _encoded_again(block, statement))
                break


def _encoded_again(block: Block, statement: Statement) -> tuple[Edit, ...]:
    """A rewrite by the location's own pattern, where nothing else may have matched."""
    found = re.fullmatch(r"(https?://[^/$]+)(/[^?]*?|\$[^?]*?)(\$is_args\$args|\?\$args)?", statement.args[0])
    plain = block.name == "location" and block.is_regex and not block.all("rewrite", "if")
    if found is None or not plain or "args" in found[2]:
        return ()
    if found[2].startswith("$") and not values.variable(values.names_in(found[2])[0], block, statement).slash:
        return ()
    pattern = ("(?i)" if block.modifier == "~*" else "") + block.path
    line = f"rewrite {quoted(pattern)} {quoted(found[2] + ('' if found[3] else '?'))} break;"
    return (Edit(statement.where, f"{line}\nproxy_pass {quoted(found[1])}"),)


# Variables that have the path and nothing of the arguments.
_PATHS: Final = frozenset({"uri", "document_uri"})
_PATH: Final = re.compile(r"\$\{?(?:document_)?uri\b")


def _by_request_uri(block: Block) -> bool:
    """Whether groups, or the path itself, are of $request_uri, which has the arguments already."""
    at: Block | None = block
    while at is not None:
        conditions = [at, *at.inner]
        if any(each.name == "if" and "$request_uri" in each.args[0] for each in conditions):
            return True
        if any("$request_uri" in each.args[1] for each in at.all("rewrite")):
            return True
        at = at.outer
    return False


@rule("GW327", "arguments-lost", "warn")
def arguments_lost(config: Block) -> Iterator[Problem]:
    """With a variable in its path a `proxy_pass` is sent as it stands: `proxy_pass http://app/user/$1;` asks without
    the arguments. `$is_args$args` behind it brings them."""
    for block, statement in config.everywhere("proxy_pass"):
        target = statement.args[0]
        path = _PATH.sub(r"/\g<0>", target.partition("://")[2], count=1).partition("/")[2]
        named = set(values.names_in(path))
        location = block.around("location")
        if _by_request_uri(block):
            continue
        groups = set(re.findall(r"\(\?P?<(\w+)>", location.path)) if location is not None else set()
        if not named or "?" in target or not all(name.isdigit() or name in _PATHS | groups for name in named):
            continue
        if location is None or location.all("internal") or location.path.startswith("@"):
            continue
        better = f"{target}$is_args$args"
        text = f"what stands behind the ? is not passed on: {better}"
        yield Problem(statement.where, text, (replaced(statement, "proxy_pass", quoted(better)),))


@rule("GW323", "path-lost", "error")
def path_lost(config: Block) -> Iterator[Problem]:
    """With a variable in it, `proxy_pass http://$backend/;` does not put the rest of the path behind its slash, as it
    does without: every request asks for "/" alone."""
    for location in config.walk("location"):
        statement = location.one("proxy_pass")
        if statement is None or location.modifier == "=" or location.all("internal"):
            continue
        host, slash, path = statement.args[0].partition("://")[2].partition("/")
        if not statement.args[0].partition("://")[1]:
            host, slash, path = statement.args[0].partition("/")
        if "$" not in host or "$" in path or not slash or not (path == "" or path.endswith("/")):
            continue
        if path and not location.path.endswith("/"):
            continue
        given = [text for name in values.names_in(host) for text, _, _ in values.assigned(name, location)]
        if any("$" in text for text in given):
            continue
        text = f'with a variable every request asks for "/{path}", whatever its path is'
        yield Problem(statement.where, text, _path_again(location, statement, path))


def _path_again(location: Block, statement: Statement, path: str) -> tuple[Edit, ...]:
    """What it would do without variables, said by a rewrite."""
    if location.modifier not in ("", "^~") or location.path.startswith("@") or location.all("rewrite", "if"):
        return ()
    bare = statement.args[0].removesuffix("/" + path)
    if location.path == "/" + path:
        return (replaced(statement, "proxy_pass", quoted(bare)),)
    line = f"rewrite {quoted('^' + re.escape(location.path) + '(.*)$')} /{path}$1 break;"
    return (Edit(statement.where, f"{line}\nproxy_pass {quoted(bare)}"),)


@rule("GW320", "resolver-far", "note")
def resolver_far(config: Block) -> Iterator[Problem]:
    """Answers of a resolver in the internet come by UDP and are not signed: who can guess or see the questions can send
    requests elsewhere. One on this machine or in this network asks for all."""
    for _, statement in config.everywhere("resolver"):
        for word in statement.args:
            host = word[1:].partition("]")[0] if word.startswith("[") else word.partition(":")[0]
            try:
                far = ipaddress.ip_address(host).is_global
            except ValueError:
                continue
            if far:
                yield Problem(statement.where, f"{host} is asked over the internet: a resolver of your own")
                break
