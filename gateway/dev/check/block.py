"""A configuration as its blocks: statements with what stands around them, and what holds where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.parser import Statement
    from gateway.process.options import Options

# Directives that a block sets anew as a whole: one of them here, and none of the outer ones holds.
_FAMILIES: Final = ("proxy", "uwsgi", "fastcgi", "scgi", "grpc", "memcached")
PASSES: Final = tuple(f"{family}_pass" for family in _FAMILIES)


class Block:
    """One block: the statement that opens it (None for the whole), its statements, and the block around it."""

    def __init__(self, opener: Statement | None, statements: list[Statement], outer: Block | None) -> None:
        self.opener = opener
        self.outer = outer
        self.statements = statements
        self.options: Options | None = None  # of the whole: what it is loaded with, for rules that ask it
        self.inner = [Block(each, list(each.block), self) for each in statements if each.block is not None]

    @property
    def name(self) -> str:
        return self.opener.name if self.opener is not None else "main"

    @property
    def args(self) -> list[str]:
        return self.opener.args if self.opener is not None else []

    @property
    def where(self) -> Where:
        assert self.opener is not None
        return self.opener.where

    def walk(self, *names: str) -> Iterator[Block]:
        """This block and all inside of it; with names, only blocks of these."""
        if not names or self.name in names:
            yield self
        for inner in self.inner:
            yield from inner.walk(*names)

    def all(self, *names: str) -> list[Statement]:
        """The statements of these names that stand in this block itself."""
        return [statement for statement in self.statements if statement.name in names]

    def one(self, name: str) -> Statement | None:
        found = self.all(name)
        return found[-1] if found else None

    def everywhere(self, *names: str) -> Iterator[tuple[Block, Statement]]:
        """These statements in this block and inside of it, with the block of each."""
        for block in self.walk():
            for statement in block.all(*names):
                yield block, statement

    def effective(self, *names: str) -> list[Statement]:
        """What holds here of directives that inherit as a whole: those of the innermost block that has one."""
        at: Block | None = self
        while at is not None:
            found = at.all(*names)
            if found:
                return found
            at = at.outer
        return []

    def value(self, name: str, default: str = "") -> str:
        """The first argument of a directive that holds here."""
        found = self.effective(name)
        return found[-1].args[0] if found and found[-1].args else default

    def around(self, name: str) -> Block | None:
        """The innermost block of this name, this one included."""
        at: Block | None = self
        while at is not None and at.name != name:
            at = at.outer
        return at

    # -- of locations ----------------------------------------------------------------------------------------------

    @property
    def modifier(self) -> str:
        """Of a location: "=", "^~", "~", "~*" or nothing."""
        return self._named()[0]

    @property
    def path(self) -> str:
        """Of a location: its name or its pattern."""
        return self._named()[1]

    def _named(self) -> tuple[str, str]:
        args = self.args
        if len(args) == 2:
            return args[0], args[1]
        name = args[0] if args else ""
        for glued in ("=", "^~", "~*", "~"):
            if name.startswith(glued):
                return glued, name[len(glued) :]
        return "", name

    @property
    def is_regex(self) -> bool:
        return self.modifier in ("~", "~*")

    def patterns_asked(self) -> Iterator[Block]:
        """Locations by a pattern that are asked, one after the other, of a path whose longest prefix leads to this
        location (or, of a server, to none): those inside, then those beside it and beside what is around it."""
        at: Block | None = self
        asked = self.modifier != "="
        while at is not None and at.name in ("location", "server"):
            yield from (each for each in at.inner if asked and each.name == "location" and each.is_regex)
            asked = not at.modifier
            at = at.outer

    def passes(self) -> Statement | None:
        """The *_pass of this block itself."""
        found = self.all(*PASSES)
        return found[-1] if found else None
