"""The dashboard's page of the configuration: servers by address, locations as they are tried, what matched lately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config import tree
from gateway.modules.http.dashboard_listings import Asked, Listing
from gateway.modules.http.dashboard_page import cell, number, text

if TYPE_CHECKING:
    from gateway.config.parser import Statement

_COLUMNS: Final = ["block", "file and line", "#lately", "what it says", "what it hides"]
# What only names a block, or how many of its lines are shown.
_NAMING: Final = ("listen", "server_name")
_MOST: Final = 12
PATH: Final = "configuration"
_PAGE: Final = 80
HEAD: Final = f'<h2>configuration</h2><p class="soft">{text(tree.ORDER)}</p>'


@dataclass(frozen=True, slots=True)
class _Block:
    """A server or location, before its row is made."""

    depth: int
    name: str
    statement: Statement
    chain: list[Sequence[Statement]]


def listings(http: Sequence[Statement], matched: Mapping[str, int], kept: int) -> list[Listing]:
    """One for each address; `matched`: of the last `kept` requests, how many each block answered, by file and line."""
    return [_listing(http, listen, matched, kept) for listen in tree.listens(http)]


def others(left: Sequence[Listing], base: str) -> list[str]:
    """Of more addresses than there is room for, the links."""
    links = (f'<li><a href="{text(each.address(base, Asked()))}">{text(each.title)}</a></li>' for each in left)
    return [f"<h2>{len(left)} more</h2><ul>{''.join(links)}</ul>"] if left else []


def _listing(http: Sequence[Statement], listen: tree.Listen, matched: Mapping[str, int], kept: int) -> Listing:
    def items() -> Iterator[_Block]:
        for server in listen.servers:
            default = " (default)" if server is listen.first else ""
            inner = tree.block_of(server)
            yield _Block(0, f"server {tree.names(server)}{default}", server, [http, inner])
            yield from _locations(1, [http, inner])

    def words(block: _Block) -> str:
        return f"{block.name} {block.statement.where}"

    def row(block: _Block) -> list[str]:
        return _row(block, matched)

    def caption(_: int) -> str:
        return f"{listen.address}{' with TLS' if listen.tls else ''}; lately: of the last {kept} requests"

    return Listing(
        PATH, f"listen {listen.address}", caption, _COLUMNS, items, words, row, of=listen.address,
        id=f"listen-{listen.address}", most=_PAGE,
    )  # fmt: skip


def _locations(depth: int, chain: list[Sequence[Statement]]) -> Iterator[_Block]:
    for found in tree.locations(chain[-1]):
        inner_chain = [*chain, tree.block_of(found.statement)]
        name = f"{found.kind} {found.path}".strip()
        yield _Block(depth, name, found.statement, inner_chain)
        yield from _locations(depth + 1, inner_chain)


def _row(block: _Block, matched: Mapping[str, int]) -> list[str]:
    where, chain = str(block.statement.where), block.chain
    simple = [each for each in chain[-1] if each.block is None and each.name not in _NAMING]
    ends = tree.ends(simple)
    own = [tree.words(each) for each in [*ends, *(each for each in simple if each not in ends)]]
    says = "; ".join(own[:_MOST]) + (f"; and {len(own) - _MOST} more" if len(own) > _MOST else "")
    hides = "; ".join(f"{tree.words(each)} ({each.where})" for each in tree.hidden(chain))
    shown = "\u2003" * block.depth + block.name
    return [cell(shown, "place"), cell(where), number(matched.get(where, 0)), cell(says, "long"), cell(hides, "long")]
