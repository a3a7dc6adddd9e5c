"""Rules about servers, locations and `if`: what is never chosen, what loops, what does other than it seems to."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.config import known
from gateway.dev.check import patterns, values
from gateway.dev.check.access import always_returns
from gateway.dev.check.block import PASSES, Block
from gateway.dev.check.edits import Edit, added_behind, quoted, replaced, tokens
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.parser import Statement

# Of files, which are no ends of hosts.
_ENDINGS: Final = frozenset({
    "html", "htm", "php", "asp", "aspx", "jsp", "cgi", "py", "txt", "xml", "json", "pdf", "png", "jpg", "gif", "svg",
    "js", "css", "ico", "zip", "gz",
})  # fmt: skip
# Paths of which a pattern that matches them all matches everything: none, short, all characters, two of different ends.
_ALL_KINDS: Final = ("/", "/a", "/0/" + bytes(range(33, 127)).decode() + " \u00e9", "/b.c/d/", "/z.tar.gz")
_IN_SCRIPTS: Final = frozenset({"return", "rewrite", "set", "break", "if"})


def _http_servers(config: Block) -> Iterator[Block]:
    for server in config.walk("server"):
        if server.around("http") is not None and server.outer is not None and server.outer.name != "upstream":
            yield server


@rule("GW401", "if-is-evil", "warn")
def if_is_evil(config: Block) -> Iterator[Problem]:
    """In a location, an `if` that holds is a location of its own: the `try_files` around it is not there, and of two
    that hold only the last one's settings are. Only `return`, `rewrite`, `set` and `break` are as they look."""
    for block in config.walk("if"):
        if block.outer is None or block.outer.name != "location":
            continue
        tries = block.outer.all("try_files")
        if tries and not block.all("return"):
            yield Problem(block.where, "where this if holds, the try_files of the location is not looked at")
        elif _settings(block) and any(_both_may_hold(block, each) for each in block.outer.inner):
            names = ", ".join(dict.fromkeys(_settings(block)))
            yield Problem(
                block.where, f"{names} in an if: of several that hold only the last one's is there; use a map"
            )


def _settings(block: Block) -> list[str]:
    """What an `if` sets for a request that goes on."""
    if block.name != "if" or block.all("return"):
        return []
    others = [each.name for each in block.statements if each.name not in _IN_SCRIPTS]
    return [] if all(name in PASSES or name == "access_log" for name in others) else others


def _both_may_hold(block: Block, other: Block) -> bool:
    if other is block or not _settings(other):
        return False
    one, two = block.args, other.args
    # one variable that is compared with two texts
    return not (len(one) == len(two) == 3 and one[0] == two[0] and one[1] == two[1] == "=" and one[2] != two[2])


@rule("GW404", "https-loop", "error")
def https_loop(config: Block) -> Iterator[Problem]:
    """A server that listens with TLS and returns every request to https and the same host sends browsers round in a
    circle."""
    for server in _http_servers(config):
        answer = always_returns(server)
        listens = server.all("listen")
        if answer is None or len(answer.args) < 2 or not any("ssl" in each.args for each in listens):
            continue
        target = answer.args[1]
        names = {name for each in server.all("server_name") for name in each.args}
        host = target.partition("://")[2].split("/")[0].split("$request_uri")[0].split("$uri")[0]
        if target.startswith(("https://", "$scheme://")) and (
            host in ("$host", "$server_name", "$http_host") or host in names
        ):
            text = "over TLS this redirects to itself without end: a server of its own for port 80 is what returns this"
            yield Problem(answer.where, text)


@rule("GW405", "tls-port-without-ssl", "error")
def tls_port_without_ssl(config: Block) -> Iterator[Problem]:
    """`listen 443` without `ssl` speaks plain HTTP there: every browser says that the answer makes no sense."""
    for server in _http_servers(config):
        for statement in server.all("listen"):
            port = statement.args[0].rpartition(":")[2]
            if port in ("443", "8443") and not {"ssl", "quic"} & set(statement.args):
                words = ["listen", statement.args[0], "ssl", *statement.args[1:]]
                fixes = (replaced(statement, *words),) if server.effective("ssl_certificate") else ()
                yield Problem(statement.where, "browsers speak TLS to this port: listen … ssl;", fixes)


@rule("GW406", "listen-http2", "note")
def listen_http2(config: Block) -> Iterator[Problem]:
    """The parameter `http2` of listen is obsolete since nginx 1.25.1: `http2 on;` in the server."""
    for server in _http_servers(config):
        for statement in server.all("listen"):
            if "http2" in statement.args[1:]:
                words = [word for word in statement.args if word != "http2"]
                fixes = [replaced(statement, "listen", *words)]
                if not server.all("http2"):
                    fixes.append(added_behind(server.all("listen")[-1], "http2 on;"))
                yield Problem(statement.where, "obsolete: http2 on; in the server", tuple(fixes))


@rule("GW407", "server-name-url", "error")
def server_name_url(config: Block) -> Iterator[Problem]:
    """`server_name` takes names alone: with a scheme, a port or a path it matches nothing."""
    for server in _http_servers(config):
        for statement in server.all("server_name"):
            for name in statement.args[: _next_directive(statement)]:
                if not name.startswith("~") and ("/" in name or re.search(r":\d+$", name)):
                    bare = re.sub(r":\d+$", "", name.partition("://")[2] or name).split("/")[0]
                    words = [bare if word == name else word for word in statement.args]
                    text = f'"{name}" is no name: {bare}'
                    yield Problem(statement.where, text, (replaced(statement, "server_name", *words),))


@rule("GW408", "server-name-conflict", "warn")
def server_name_conflict(config: Block) -> Iterator[Problem]:
    """Two servers of one name on one address: the second is never chosen. `.a.example` is two names, a.example and
    *.a.example: where one of them is there already, also in the same server, it is ignored as a whole."""
    seen: dict[tuple[str, str], Block] = {}
    servers = list(_servers(config))
    asked = Counter(address for server in servers for address, _ in _addresses(server))
    for server in servers:
        names: list[tuple[str, Statement | None]] = [
            (name, statement) for statement in server.all("server_name") for name in statement.args
        ]
        for name, statement in names or [("", None)]:
            bare = name if name.startswith("~") else name.lower().removeprefix(".")
            parts = [bare, f"*.{bare}"] if name.startswith(".") else [bare]
            for address, listen in _addresses(server):
                there = {part: seen[address, part] for part in parts if (address, part) in seen}
                if not there or (server in there.values() and len(parts) == 1):
                    seen.update({(address, part): server for part in parts if part not in there})
                    continue
                if asked[address] == 1:
                    continue
                part, first = next(iter(there.items()))
                if statement is None:
                    text = f"never chosen: on {listen} the server of {first.where} has no name either"
                    yield Problem(server.where, text)
                elif len(parts) == 1:
                    text = f'"{name}" on {listen} is the server of {first.where}: this one is never chosen for it'
                    yield Problem(statement.where, text, _without_name(server, statement, name))
                else:
                    yield _halved(statement, name, [each for each in parts if each not in there], part, first)


def _halved(statement: Statement, name: str, free: list[str], part: str, first: Block) -> Problem:
    """Of a name with a leading dot that is not looked at, the half that could be."""
    text = f'"{name}" is ignored as a whole, since "{part}" belongs to the server of {first.where}'
    if not free:
        return Problem(statement.where, text)
    words = [free[0] if word == name else quoted(word) for word in statement.args]
    return Problem(statement.where, f"{text}: {free[0]}", (replaced(statement, "server_name", *words),))


def _without_name(server: Block, statement: Statement, name: str) -> tuple[Edit, ...]:
    """The line without a name that is never asked for: where the server has others, and listens in one place."""
    kept = [word for word in statement.args if word != name]
    if not kept or len(server.all("listen")) > 1 or len(server.all("server_name")) > 1:
        return ()
    return (replaced(statement, "server_name", *map(quoted, kept)),)


@rule("GW409", "no-default-server", "note")
def no_default_server(config: Block) -> Iterator[Problem]:
    """Who asks for a name that no server has gets the first one, whichever file was read first. A `default_server` that
    answers 444 or 404 says so."""
    on: defaultdict[str, list[Block]] = defaultdict(list)
    chosen: set[str] = set()
    for server in _servers(config):
        for address, _ in _addresses(server):
            on[address].append(server)
        default = [each.args for each in server.all("listen") if {"default_server", "default"} & set(each.args)]
        chosen |= {_address(args) for args in default}
    first: defaultdict[Block, list[str]] = defaultdict(list)
    for address, servers in on.items():
        if len(servers) < 2 or address in chosen or any(_takes_any_name(each) for each in servers):
            continue
        first[servers[0]].append(next(said for each, said in _addresses(servers[0]) if each == address))
    for server, listens in first.items():
        text = f"requests to {', '.join(listens)} for unknown names get this server, because it is the first"
        yield Problem(server.where, text)


def _servers(config: Block) -> Iterator[Block]:
    """Those of http and of stream."""
    yield from (
        each for each in config.walk("server") if each.outer is not None and each.outer.name in ("http", "stream")
    )


def _addresses(server: Block) -> list[tuple[str, str]]:
    """Where a server listens: each address once, in one spelling and in the server's own."""
    listens = {_address(each.args): each.args[0] for each in server.all("listen")}
    return list((listens or {"*:80": "80"}).items())


def _address(args: list[str]) -> str:
    """An address in one spelling: 80, 0.0.0.0:80 and *:80 are the same; a quic one is another than that of TCP."""
    said = args[0]
    host, _, port = said.rpartition(":") if ":" in said.rpartition("]")[2] else (said, "", "80")
    if said.isdigit():
        host, port = "*", said
    if host.startswith("["):
        with contextlib.suppress(ValueError):
            host = f"[{ipaddress.IPv6Address(host.strip('[]'))}]"
    kind = "quic " if "quic" in args else "udp " if "udp" in args else ""
    return kind + (said if said.startswith("unix:") else f"{'*' if host in ('0.0.0.0', '*') else host}:{port}")


def _takes_any_name(server: Block) -> bool:
    names = [name for each in server.all("server_name") for name in each.args]
    return not names or "_" in names or '""' in names


@rule("GW410", "location-never-chosen", "warn")
def location_never_chosen(config: Block) -> Iterator[Problem]:
    """Regular expressions are asked in their order: behind one that matches everything, the others are never asked.
    A `return` of the server itself answers before any location is looked for, ACME's challenges too."""
    for server in _http_servers(config):
        answer = always_returns(server)
        hidden = [each for each in server.inner if each.name == "location" and not each.path.startswith("@")]
        if answer is not None and hidden:
            text = f"never chosen: the server's own return ({answer.where}) answers before: it belongs into location /"
            yield Problem(hidden[0].where, text)
    for server in [*_http_servers(config), *config.walk("location")]:
        everything: Block | None = None
        for location in server.inner:
            if location.name != "location" or not location.is_regex:
                continue
            if everything is not None:
                yield Problem(
                    location.where, f"never chosen: {everything.path!r} ({everything.where}) matches everything before"
                )
            elif _takes_every_path(location.path):
                everything = location


def _takes_every_path(pattern: str) -> bool:
    """Whether it matches whatever begins with a slash: it matches these, and says of nothing that it may not be."""
    if "(?!" in pattern or "(?<!" in pattern or "[^" in pattern or "\\" in pattern:
        return False
    try:
        compiled = re.compile(pattern)
    except re.error:
        return False
    return all(compiled.search(path) for path in _ALL_KINDS)


@rule("GW411", "missing-semicolon", "error")
def missing_semicolon(config: Block) -> Iterator[Problem]:
    """A forgotten semicolon makes the next directive a word of this one, where that takes any number of words."""
    for _, statement in config.everywhere(
        "server_name", "index", "gzip_types", "ssl_protocols", "log_format", "try_files"
    ):
        at = _next_directive(statement)
        if at is not None:
            first, second = (" ".join(map(quoted, part)) for part in (statement.args[:at], statement.args[at:]))
            text = f'"{statement.args[at]}" is a word of {statement.name} here: a semicolon is missing before it'
            edit = Edit(statement.where, f"{statement.name} {first};\n{second}")
            yield Problem(statement.where, text, (edit,))


def _next_directive(statement: Statement) -> int | None:
    """Which of its words is the name of a directive that was meant to come behind it."""
    names = known.table()
    for at, token in enumerate(tokens(statement)[1:]) if statement.where.start else ():
        # the first word of a line, which a value follows there
        begins = token.where.line > 1 and not token.quoted and at + 1 < len(statement.args)
        if begins and at and token.text in names and _alone_on_line(statement, at):
            return at
    for at, word in enumerate(statement.args):
        answers = word == "return" and "".join(statement.args[at + 1 : at + 2]).isdigit()
        if at and word in names and ("_" in word or answers):
            return at
    return None


def _alone_on_line(statement: Statement, at: int) -> bool:
    """Whether a word is the first one of a line, and others follow it there to the end of the statement."""
    lines = [token.where.line for token in tokens(statement)[1:]]
    return lines[at - 1] < lines[at] and all(line == lines[at] for line in lines[at:])


@rule("GW412", "redirect-by-rewrite", "note")
def redirect_by_rewrite(config: Block) -> Iterator[Problem]:
    """`rewrite ^ https://… permanent` asks a regular expression for what `return 301 https://…$request_uri` says."""
    for _, statement in config.everywhere("rewrite"):
        args = statement.args
        whole = args[0] in ("^", "^(.*)$", "^/(.*)$", "(.*)", "^(.*)", "^/(.*)", ".*")
        if not whole or not args[1].startswith(("http://", "https://", "$scheme://")):
            continue
        target = re.sub(r"/\$1\??$|\$1\??$|\$request_uri\??$|\$uri\??$", "$request_uri", args[1])
        if "$request_uri" in target:
            code = "301" if args[-1] == "permanent" else "302"
            yield Problem(
                statement.where, f"return {code} {target};", (replaced(statement, "return", code, quoted(target)),)
            )


@rule("GW414", "location-regex-dot", "note")
def location_regex_dot(config: Block) -> Iterator[Problem]:
    """In a pattern a bare dot is any character: `~ .php$` also matches /xphp."""
    for location in config.walk("location"):
        if not location.is_regex or location.opener is None:
            continue
        found = re.match(r"^\.([a-z0-9]{2,5})\$$", location.path)
        if found is not None:
            better = rf"\.{found[1]}$"
            text = f'"{location.path}" matches more than .{found[1]}: {better}'
            yield Problem(location.where, text, (replaced(location.opener, "location", location.modifier, better),))


@rule("GW415", "location-regex-open", "warn")
def location_regex_open(config: Block) -> Iterator[Problem]:
    """`~ \\.php` without $ also matches /a.phpx and /a.php/b: programs run where nobody expects it."""
    for location in config.walk("location"):
        if location.is_regex and location.opener is not None and re.fullmatch(r"\\\.(php|cgi|py|pl)", location.path):
            better = location.path + "$"
            text = f'"{location.path}" matches in the middle of a path: {better}'
            yield Problem(location.where, text, (replaced(location.opener, "location", location.modifier, better),))


@rule("GW416", "location-exact", "note")
def location_exact(config: Block) -> Iterator[Problem]:
    """`location ~ ^/health$` asks a regular expression for what `location = /health` finds at once."""
    for outer in [*_http_servers(config), *config.walk("location")]:
        earlier = False
        for location in outer.inner:
            if location.name != "location" or not location.is_regex or location.opener is None:
                continue
            path = patterns.literal(location.path) if location.modifier == "~" else None
            if path is not None and path.startswith("/"):
                taken = any(each.modifier == "=" and each.path == path for each in outer.inner)
                # one that stands before it, or a text in a location of its own, might be chosen instead now
                safe = not earlier and not taken and outer.name == "server"
                edits = (replaced(location.opener, "location", "=", quoted(path)),) if safe else ()
                yield Problem(location.where, f"one text alone matches: location = {path}", edits)
            earlier = True


@rule("GW417", "map-without-default", "warn")
def map_without_default(config: Block) -> Iterator[Problem]:
    """Without a `default` a map or geo gives nothing: where a limit counts by it, who is not listed is not limited;
    where a request is passed to it, the answer is 500."""
    used: dict[str, Statement] = {}
    for _, statement in config.everywhere("limit_req_zone", "limit_conn_zone", *PASSES, "root", "alias"):
        for name in values.names_in(statement.args[0]):
            used.setdefault(name, statement)
    for block in config.walk("map", "geo"):
        name = block.args[-1].strip("${}") if block.args else ""
        lines = [line for line in block.statements if line.args and line.name not in ("hostnames", "volatile")]
        if name not in used or any(line.name == "default" for line in lines):
            continue
        if used[name].name.startswith("limit_") and (len(lines) < 2 or any(line.args[0] == "" for line in lines)):
            continue  # a short list of those that are limited is meant to be one
        yield Problem(block.where, f"nothing comes out for what is not listed, and {used[name].name} takes it: default")


@rule("GW418", "redirect-without-scheme", "error")
def redirect_without_scheme(config: Block) -> Iterator[Problem]:
    """`return 301 www.example.com$request_uri` leads to a path of that name below the page that was asked for: without
    a scheme it is no host."""
    for _, statement in config.everywhere("return", "rewrite"):
        args = statement.args
        redirects = args[0] in ("301", "302", "303", "307", "308") and len(args) == 2
        if statement.name == "rewrite":
            redirects = args[-1] in ("permanent", "redirect")
        host = re.match(r"(?:[a-z0-9-]+\.)+([a-z]{2,})(?=[/$?]|$)", args[1], re.I) if redirects else None
        if host is not None and host[1].lower() not in _ENDINGS:
            better = [args[0], quoted("https://" + args[1]), *args[2:]]
            words = better if statement.name == "return" else [quoted(args[0]), *better[1:]]
            text = f'"{host[0]}" is a path here: https://{host[0]}'
            yield Problem(statement.where, text, (replaced(statement, statement.name, *words),))


@rule("GW420", "path-not-redirected", "note")
def path_not_redirected(config: Block) -> Iterator[Problem]:
    """`return 301 https://$host` leads every page to the front page: the path is not in it by itself."""
    for block, statement in config.everywhere("return"):
        whole = block.name == "server" or (block.name == "location" and block.path == "/" and not block.modifier)
        if not whole or len(statement.args) != 2 or not statement.args[0].startswith("30"):
            continue
        target = statement.args[1]
        if re.fullmatch(r"(?:https?|\$scheme)://\$(?:host|http_host|server_name)(?::\d+)?", target):
            edit = replaced(statement, "return", statement.args[0], quoted(target + "$request_uri"))
            yield Problem(statement.where, f"every page leads to the front page: {target}$request_uri", (edit,))
