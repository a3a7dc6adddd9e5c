"""gateway tree: a configuration as it is understood: its files, the servers behind each address, the locations of each
in the order in which they are tried, and what holds in them from outside."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway.config import parser, tree
from gateway.config.errors import format_for_terminal
from gateway.config.tree import Listen, block_of, words
from gateway.dev import terminal
from gateway.dev.start_block import Style
from gateway.process import options as process_options

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.parser import Source, Statement

_WIDTH: Final = 46


def command_line() -> argparse.ArgumentParser:
    """The command line of the verb."""
    made = argparse.ArgumentParser(
        prog="gateway tree",
        description="Show a configuration as it is understood: the files with what includes them, the servers behind "
        "each address, the locations of each in the order in which they are tried, and what they hide "
        "of the blocks around. "
        "Exit codes: 0 shown, 1 it cannot be read to its end, 2 wrong use.",
    )
    made.add_argument("-c", dest="conf", metavar="FILE", help="the configuration")
    made.add_argument("-p", dest="prefix", metavar="DIR", help="the prefix of relative paths")
    made.add_argument("--inherited", action="store_true", help="of each location, what holds in it from outside")
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


def main(argv: Sequence[str]) -> int:
    options = command_line().parse_args(argv)
    conf = options.conf
    if conf is not None and not conf.startswith("/"):
        conf = str(Path.cwd() / conf)
    try:
        where = process_options.resolve(conf_file=conf, prefix=options.prefix, test=True, quiet=True)
    except process_options.NoConfiguration as error:
        print(f"gateway tree: there is neither {' nor '.join(error.places)}; name one with -c", file=sys.stderr)
        return 1
    source = parser.load(where.conf_file)
    shown = Tree(source, inherited=options.inherited)
    if options.json:
        json.dump(shown.as_json(), sys.stdout, indent=2)
        print()
    else:
        print("\n".join(shown.lines(Style(terminal.wants_color(sys.stdout)))))
    if source.error is not None:
        print(f"read up to here:\n{format_for_terminal(source.error)}", file=sys.stderr)
        return 1
    return 0


class Tree:
    """One configuration."""

    def __init__(self, source: Source, *, inherited: bool = False) -> None:
        self._source = source
        self._statements = source.statements.readable()
        self._inherited = inherited
        self._beside = f"{Path(source.files[0][0]).parent}/" if source.files else ""

    def _place(self, where: Where) -> str:
        return str(where).removeprefix(self._beside)

    # -- for people

    def lines(self, style: Style) -> Iterator[str]:
        for depth, file, where in self._files():
            place = f"  {style.dim(f'included at {self._place(where)}')}" if where is not None else ""
            yield f"{'  ' * depth}{style.bold(file.removeprefix(self._beside))}{place}"
        yield ""
        yield from self._named(0, "main  says", self._statements, style)
        asked = False
        for block in self._statements:
            if block.block is None:
                continue
            inner = block_of(block)
            yield ""
            yield f"{style.bold(words(block))}  {style.dim(self._place(block.where))}"
            yield from self._named(1, "says", inner, style)
            for each in inner:
                if each.block is not None and each.name != "server":
                    yield self._line(1, words(each), each, style, self._sum(each))
            for listen in tree.listens(inner):
                asked = True
                yield f"  {style.bold('listen ' + listen.address)}{'  TLS' if listen.tls else ''}"
                for server in listen.servers:
                    yield from self._server([inner], server, listen, style)
        if asked:
            yield ""
            yield style.dim(tree.ORDER)

    def _server(self, chain: list[list[Statement]], server: Statement, listen: Listen, style: Style) -> Iterator[str]:
        inner = block_of(server)
        default = " (default)" if server is listen.first else ""
        yield self._line(2, f"server {tree.names(server)}{default}", server, style)
        if listen is not None and self._first_listen(chain[0], server) != listen.address:
            yield f"      {style.dim('the same as above')}"
            return
        said = [each for each in inner if each.name not in ("listen", "server_name")]
        yield from self._named(3, "says", said, style)
        yield from self._named(3, "from outside", tree.holding([*chain, inner]), style)
        yield from self._named(3, "hides", tree.hidden([*chain, inner]), style)
        yield from self._inner(3, [*chain, inner], style)

    @staticmethod
    def _first_listen(outer: list[Statement], server: Statement) -> str:
        return next(each.address for each in tree.listens(outer) if server in each.servers)

    def _inner(self, depth: int, chain: list[list[Statement]], style: Style) -> Iterator[str]:
        for each in chain[-1]:
            if each.block is not None and each.name != "location":
                yield self._line(depth, words(each), each, style, self._sum(each))
        for found in tree.locations(chain[-1]):
            inner = block_of(found.statement)
            inner_chain = [*chain, inner]
            ends = ", ".join(map(words, tree.ends(inner)))
            yield self._line(depth, f"{found.kind:<2} {found.path}", found.statement, style, ends)
            if self._inherited:
                yield from self._named(depth + 2, "from outside", tree.holding(inner_chain), style)
            yield from self._named(depth + 2, "hides", tree.hidden(inner_chain), style)
            yield from self._inner(depth + 1, inner_chain, style)

    @staticmethod
    def _sum(block: Statement) -> str:
        inner = block_of(block)
        if block.name in ("upstream", "if", "limit_except") and len(inner) <= 4:
            return ", ".join(words(each) for each in inner)
        return f"{len(inner)} lines"

    def _line(self, depth: int, text: str, statement: Statement, style: Style, what: str = "") -> str:
        begin = "  " * depth
        place = self._place(statement.where)
        space = " " * max(_WIDTH - len(begin) - len(text), 1)
        return f"{begin}{style.bold(text)}{space}{style.dim(place)}{'  ' + what if what else ''}".rstrip()

    def _named(self, depth: int, title: str, statements: list[Statement], style: Style) -> Iterator[str]:
        """Simple directives, each with its place."""
        simple = [each for each in statements if each.block is None]
        begin = "  " * depth
        for number, each in enumerate(simple):
            head = f"{begin}{title}" if number == 0 else " " * (len(begin) + len(title))
            yield f"{head}  {words(each)}  {style.dim(self._place(each.where))}"

    def _files(self) -> Iterator[tuple[int, str, Where | None]]:
        """The files below the one that includes them."""
        included = self._source.included
        inner: dict[str, list[str]] = {}
        for file, _ in self._source.files:
            if file in included:
                inner.setdefault(included[file].file, []).append(file)

        def below(file: str, depth: int) -> Iterator[tuple[int, str, Where | None]]:
            yield depth, file, included.get(file)
            for each in inner.get(file, ()):
                yield from below(each, depth + 1)

        for file, _ in self._source.files:
            if file not in included:
                yield from below(file, 0)

    # -- for programs

    def as_json(self) -> dict[str, Any]:
        files = [
            {"file": file, "included_at": None if where is None else str(where)} for _, file, where in self._files()
        ]
        blocks = [self._json(each, [self._statements]) for each in self._statements if each.block is not None]
        return {"files": files, "says": self._says(self._statements), "blocks": blocks}

    @staticmethod
    def _says(statements: Sequence[Statement]) -> list[dict[str, str]]:
        return [{"text": words(each), "where": str(each.where)} for each in statements if each.block is None]

    def _json(self, block: Statement, chain: list[list[Statement]]) -> dict[str, Any]:
        inner = block_of(block)
        made: dict[str, Any] = {"block": words(block), "where": str(block.where), "says": self._says(inner)}
        if block.name in ("server", "location"):
            made["from_outside"] = self._says(tree.holding([*chain, inner]))
            made["hides"] = self._says(tree.hidden([*chain, inner]))
        found = tree.listens(inner)
        if found:
            made["listens"] = [
                {
                    "address": each.address, "tls": each.tls, "default": tree.names(each.first),
                    "servers": [tree.names(server) for server in each.servers],
                }
                for each in found
            ]  # fmt: skip
        ordered = [each.statement for each in tree.locations(inner)]
        others = [each for each in inner if each.block is not None and each.name != "location"]
        made["blocks"] = [self._json(each, [*chain, inner]) for each in [*others, *ordered]]
        return made
