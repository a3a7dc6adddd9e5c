"""A configuration as a tree: servers by where they listen, locations in the order in which they are tried, and which
directives hold in a block. Read from the statements alone, so also of a configuration that does not load."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway.config import known

if TYPE_CHECKING:
    from gateway.config.parser import Statement

ORDER: Final = (
    "Locations stand in the order in which they win: = at once; then the longest prefix that fits, at once if it has "
    "^~; else the first of the regular expressions (~, ~*) that matches; else that prefix. @ is asked by name."
)
# What says where a request ends, besides *_pass: all that give a location its content handler are among them.
_ENDS: Final = (
    "return", "try_files", "alias", "root", "internal", "empty_gif", "stub_status", "flv", "mp4",
    "api", "dashboard", "metrics", "py_content",
)  # fmt: skip
_SPACED: Final = re.compile(r"[\s;{}]")
# The order in which locations win over each other; a longer prefix without "^~" takes one with it out of the way.
_RANKS: Final = {"=": 0, "^~": 1, "~": 2, "~*": 2, "": 3, "@": 4}
# They belong to the block that they stand in: done there, and nothing for the blocks inside.
_NOT_INHERITED: Final = frozenset({"set", "rewrite", "return", "break", "if", "try_files", "include", "location"})


@dataclass(slots=True)
class Listen:
    """An address with the servers behind it; the default one is the first that says so, else the first."""

    address: str
    tls: bool = False
    servers: list[Statement] = field(default_factory=list)
    default: int | None = None

    @property
    def first(self) -> Statement:
        return self.servers[self.default or 0]


@dataclass(slots=True)
class Location:
    """A location, or what else has a block inside of a server."""

    kind: str  # =, ^~, ~, ~*, @ or nothing
    path: str
    statement: Statement


def words(statement: Statement) -> str:
    """A directive in one line, without its block; with quotes where one would not see where a word ends."""
    shown = (word if word and not _SPACED.search(word) else f'"{word}"' for word in statement.args)
    return " ".join([statement.name, *shown])


def inside(statements: Sequence[Statement], name: str) -> Iterator[Statement]:
    """The blocks of this name among these."""
    return (statement for statement in statements if statement.name == name and statement.block is not None)


def block_of(statement: Statement) -> list[Statement]:
    """What could be read of its block."""
    return [] if statement.block is None else statement.block.readable()


def listens(outer: Sequence[Statement]) -> list[Listen]:
    """The servers of an http or stream block by address, in the order of the configuration."""
    found: dict[str, Listen] = {}
    for server in inside(outer, "server"):
        lines = [each.args for each in block_of(server) if each.name == "listen" and each.args]
        # nginx's own default, which depends on the rights as well.
        for address, *parameters in lines or [["80" if os.geteuid() == 0 else "8000"]]:
            listen = found.setdefault(shown(address), Listen(shown(address)))
            listen.tls |= "ssl" in parameters
            if "default_server" in parameters or "default" in parameters:
                listen.default = len(listen.servers)
            listen.servers.append(server)
    return list(found.values())


def shown(address: str) -> str:
    """An address of listen with its port."""
    if address.isdigit():
        return f"*:{address}"
    return address if ":" in address.rpartition("]")[2] else f"{address}:80"


def names(server: Statement) -> str:
    """What it is asked for by."""
    lines = [each.args for each in block_of(server) if each.name == "server_name"]
    return " ".join(name for args in lines for name in args if name) or "_"


def location(statement: Statement) -> Location:
    """Of a location's own line: its kind and its path."""
    args = statement.args
    if len(args) == 2:
        return Location(args[0], args[1], statement)
    name = args[0] if args else ""
    for kind in ("=", "^~", "~*", "~"):
        if name.startswith(kind):
            return Location(kind, name[len(kind) :], statement)
    return Location("@", name, statement) if name.startswith("@") else Location("", name, statement)


def locations(statements: Sequence[Statement]) -> list[Location]:
    """In the order in which nginx prefers them."""

    def rank(found: Location) -> tuple[int, int]:
        # Regular expressions are asked in the order of the file, prefixes by their length.
        return _RANKS.get(found.kind, 3), 0 if found.kind in ("~", "~*", "@") else -len(found.path)

    return sorted((location(each) for each in inside(statements, "location")), key=rank)


def ends(statements: Sequence[Statement]) -> list[Statement]:
    """Where a request of this block ends, as far as the block itself says it."""
    return [each for each in statements if each.name.endswith("_pass") or each.name in _ENDS]


def inherits(name: str) -> bool:
    """Whether what an outer block says of it holds in a location that says nothing."""
    contexts = {context for each in known.table().get(name, ()) for context in each.contexts}
    if not contexts and name in known.OWN:
        return name not in _NOT_INHERITED
    return "location" in contexts and bool(contexts & {"http", "server"}) and name not in _NOT_INHERITED


def holding(chain: Sequence[Sequence[Statement]]) -> list[Statement]:
    """What the blocks around the last one of a chain (outermost first) say that holds in it."""
    own = {each.name for each in chain[-1]}
    found: list[Statement] = []
    for outer in reversed(chain[:-1]):
        here = [each for each in outer if each.block is None and each.name not in own and inherits(each.name)]
        found = here + found
        own.update(each.name for each in here)
    return found


def hidden(chain: Sequence[Sequence[Statement]]) -> list[Statement]:
    """What the blocks around say in vain, since the last one of the chain says the same directive itself: these are the
    innermost ones of each name."""
    found: list[Statement] = []
    seen: set[str] = set()
    own = {each.name for each in chain[-1] if each.block is None and inherits(each.name)}
    for outer in reversed(chain[:-1]):
        here = [each for each in outer if each.block is None and each.name in own - seen]
        found += here
        seen.update(each.name for each in here)
    return found
