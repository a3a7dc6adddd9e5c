"""The dashboard's page of the configuration: servers by address, locations as they are tried, what matched lately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from gateway.config import tree
from gateway.modules.http.dashboard_page import cell, number, table, text

if TYPE_CHECKING:
    from gateway.config.parser import Statement

_COLUMNS: Final = ["block", "file and line", "#lately", "what it says", "what it hides"]
# What only names a block, or how many of its lines are shown.
_NAMING: Final = ("listen", "server_name")
_MOST: Final = 12


def configuration(http: Sequence[Statement], matched: Mapping[str, int], kept: int) -> str:
    """`matched`: of the last `kept` requests, how many each block answered, by its file and line."""
    parts = ["<h2>configuration</h2>", f'<p class="soft">{text(tree.ORDER)}</p>']
    for listen in tree.listens(http):
        rows: list[list[str]] = []
        for server in listen.servers:
            default = " (default)" if server is listen.first else ""
            inner = tree.block_of(server)
            rows.append(_row(0, f"server {tree.names(server)}{default}", server, [http, inner], matched))
            rows += _locations(1, [http, inner], matched)
        caption = f"{listen.address}{' with TLS' if listen.tls else ''}; lately: of the last {kept} requests"
        parts.append(f"<h2>listen {text(listen.address)}</h2>{table(caption, _COLUMNS, rows)}")
    return "".join(parts)


def _locations(depth: int, chain: list[Sequence[Statement]], matched: Mapping[str, int]) -> Iterator[list[str]]:
    for found in tree.locations(chain[-1]):
        inner_chain = [*chain, tree.block_of(found.statement)]
        name = f"{found.kind} {found.path}".strip()
        yield _row(depth, name, found.statement, inner_chain, matched)
        yield from _locations(depth + 1, inner_chain, matched)


def _row(
    depth: int, name: str, statement: Statement, chain: list[Sequence[Statement]], matched: Mapping[str, int]
) -> list[str]:
    where = str(statement.where)
    simple = [each for each in chain[-1] if each.block is None and each.name not in _NAMING]
    ends = tree.ends(simple)
    own = [tree.words(each) for each in [*ends, *(each for each in simple if each not in ends)]]
    says = "; ".join(own[:_MOST]) + (f"; and {len(own) - _MOST} more" if len(own) > _MOST else "")
    hides = "; ".join(f"{tree.words(each)} ({each.where})" for each in tree.hidden(chain))
    shown = "\u2003" * depth + name
    return [cell(shown, "place"), cell(where), number(matched.get(where, 0)), cell(says, "long"), cell(hides, "long")]
