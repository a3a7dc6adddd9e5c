"""The block that is shown once when a server is up: where it listens, for which names, which upstreams answer."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.config import tree
from gateway.config.parser import Source, Statement
from gateway.config.tree import Listen
from gateway.dev.peer_state import Peer, states

_PASS: Final = frozenset({"uwsgi_pass", "proxy_pass", "fastcgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"})
_WIDTH: Final = 100
_DEFAULT_PORT: Final = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}


def walk(statements: list[Statement]) -> Iterator[Statement]:
    """All statements of a tree, outer ones first."""
    for statement in statements:
        yield statement
        if statement.block is not None:
            yield from walk(statement.block)


def listens(source: Source) -> list[Listen]:
    """The table of the http servers by address, in the order of the configuration."""
    return tree.listens([each for http in tree.inside(source.statements, "http") for each in http.block or []])


def peers(source: Source) -> list[Peer]:
    """All that requests are passed to, each once; what has variables in it is not known before a request."""
    blocks = {
        s.args[0]: [p.args[0] for p in s.block or [] if p.name == "server" and p.args]
        for s in walk(source.statements)
        if s.name == "upstream" and s.args
    }
    found: dict[tuple[str, str], Peer] = {}
    for statement in walk(source.statements):
        if statement.name not in _PASS or not statement.args or "$" in statement.args[0]:
            continue
        protocol = statement.name.removesuffix("_pass")
        scheme, sign, target = statement.args[0].rpartition("://")
        port = _DEFAULT_PORT.get(scheme, 80)
        if sign:
            target = ":".join(target.split(":")[:2]) if target.startswith("unix:") else target.partition("/")[0]
        for name in blocks.get(target, [target]):
            address = _address(name, port)
            if address is not None:
                upstream = target if target in blocks else ""
                tls = scheme in ("https", "grpcs")
                found.setdefault((protocol, name), Peer(protocol, name, address, upstream, tls))
    return list(found.values())


def _address(name: str, default_port: int) -> str | tuple[str, int] | None:
    if name.startswith("unix:"):
        return name[5:]
    match = re.fullmatch(r"(\[[^]]+]|[^:]+)(?::(\d+))?", name)
    return (match[1].strip("[]"), int(match[2] or default_port)) if match else None


class Style:
    """Colours, or none of them."""

    def __init__(self, color: bool) -> None:
        self._color = color

    def _sgr(self, number: int, text: str) -> str:
        return f"\x1b[{number}m{text}\x1b[0m" if self._color else text

    def bold(self, text: str) -> str:
        """What is looked for."""
        return self._sgr(1, text)

    def dim(self, text: str) -> str:
        """What is beside the point."""
        return self._sgr(2, text)

    def good(self, text: str) -> str:
        """What is well."""
        return self._sgr(32, text)

    def bad(self, text: str) -> str:
        """What is not."""
        return self._sgr(31, text)


def start_block(
    source: Source,
    *,
    title: str,
    ready_ms: float,
    file: str,
    folder: Path,
    stop: str,
    style: Style,
    unicode: bool = True,
) -> str:
    """The text, without a newline at its end."""
    good, bad, arrow = ("✓", "✗", "→") if unicode else ("+", "x", "->")
    directives = sum(1 for _ in walk(source.statements))
    count = f"{len(source.files)} files" if len(source.files) != 1 else "1 file"
    lines = [
        f"{style.bold(title)}  ready in {ready_ms:.0f} ms",
        f"configuration  {file} {style.dim(f'({count}, {directives} directives)')}",
        "",
    ]
    rows = [(url(listen), _servers(listen, arrow)) for listen in listens(source)]
    width = max((len(address) for address, _ in rows), default=0)
    lines += [f"  {style.bold(address)}{' ' * (width - len(address))}  {arrow} {text}" for address, text in rows]
    found = peers(source)
    if found:
        lines.append("")
    for peer, (fine, word, cause) in zip(found, states(found, folder), strict=True):
        upstream = f"upstream {peer.upstream}  " if peer.upstream else ""
        mark = style.good(f"{good} {word}") if fine else style.bad(f"{bad} {word}")
        lines.append(f"  {upstream}{peer.protocol}  {peer.name}  {mark}")
        if cause:
            lines += [f"      {line}" for line in textwrap.wrap(cause, _WIDTH, break_long_words=False)]
    return "\n".join([*lines, "", stop])


def as_json(source: Source, *, title: str, ready_ms: float, file: str, folder: Path) -> str:
    """The same for a program, in one line."""
    found = peers(source)
    return json.dumps({
        "title": title,
        "ready_ms": round(ready_ms),
        "configuration": file,
        "files": len(source.files),
        "listens": [
            {
                "url": url(each),
                "servers": [tree.names(server) for server in each.servers],
                "default": tree.names(each.first),
            }
            for each in listens(source)
        ],
        "upstreams": [
            {
                "name": peer.name, "protocol": peer.protocol, "upstream": peer.upstream, "answers": fine, "state": word,
                "cause": cause,
            }
            for peer, (fine, word, cause) in zip(found, states(found, folder), strict=True)
        ],
    })  # fmt: skip


def url(listen: Listen) -> str:
    if listen.address.startswith("unix:"):
        return listen.address
    scheme, port = ("https", ":443") if listen.tls else ("http", ":80")
    return f"{scheme}://{listen.address.removesuffix(port).replace('*', '127.0.0.1')}/"


def _servers(listen: Listen, arrow: str) -> str:
    default = tree.names(listen.first)
    if len(listen.servers) == 1:
        return f"{default} (default)"
    shown = [tree.names(server) for server in listen.servers[:8]] + (["…"] if len(listen.servers) > 8 else [])
    return f"{', '.join(shown)} {arrow} default {default}"
