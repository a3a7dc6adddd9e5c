"""The dashboard's tables of what there may be thousands of.

The overview has the first rows of each, says how many it leaves out and links the page that has them all, of which a
filter shows some and the rest is in pages; both are a form and links, and work without JavaScript.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote_to_bytes, urlencode

from gateway.config.text import to_bytes, to_str
from gateway.config.units import number_of
from gateway.core.turns import PORTION, Work
from gateway.modules.http.dashboard_page import part, table, text

# Of a page's rows; with what stands around them no page is above 80 KiB.
_MOST: Final = 100
_MOST_WORDS: Final = 20


@dataclass(frozen=True, slots=True)
class Listing:
    """A table; rows are made of those items alone that are shown."""

    path: str  # of its page, below the dashboard
    title: str
    caption: Callable[[int], str]  # of how many there are
    columns: Sequence[str]
    items: Callable[[], Iterable[Any]]  # from the first one on, each time
    words: Callable[[Any], str]  # what a filter looks at
    row: Callable[[Any], list[str]]
    of: str = ""  # whose rows these are, where a path has several listings: `?of=` of its page
    id: str = ""  # of its part, if it is not the path
    few: int = 25  # what the overview has room for
    most: int = _MOST
    rank: Callable[[Any], Any] | None = None  # the greatest come first on the overview, if not all are there
    ranked: str = ""  # what these are: "that have most requests"

    def part(self, inside: str) -> str:
        return part(self.id or self.path, self.title, inside)

    def address(self, base: str, asked: Asked, page: int = 1) -> str:
        """Of its page, or another one of it."""
        fields = {"of": quoted(self.of), "q": asked.words, "page": str(page) if page > 1 else ""}
        said = {name: value for name, value in fields.items() if value}
        return f"{base}{self.path}{'?' if said else ''}{urlencode(said, errors='surrogateescape')}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a listing is to be shown: `?of=NAME&q=WORDS&page=NUMBER`, pages from 1 on."""

    of: str = ""
    words: str = ""
    page: int = 1

    @classmethod
    def read(cls, args: bytes) -> Asked:
        """What is no number of a page is the first."""
        fields = parse_qs(to_str(args), errors="surrogateescape")
        page = fields.get("page", ["1"])[0]
        number = number_of(page) if page.isascii() and page.isdigit() else 1
        of = to_str(unquote_to_bytes(to_bytes(fields.get("of", [""])[0])))
        return cls(of, fields.get("q", [""])[0], max(1, number))


def quoted(name: str) -> str:
    """A name in an address or a form, whatever its bytes are: a page has none that are no UTF-8."""
    return quote(to_bytes(name))


def few(listing: Listing, base: str) -> Work[tuple[str, int]]:
    """The part of the overview, and how many rows it has."""
    best: list[tuple[Any, int, Any]] = []
    count = 0
    for count, item in enumerate(listing.items(), 1):
        entry = (listing.rank(item) if listing.rank is not None else 0, -count, item)
        if len(best) < listing.few:
            heapq.heappush(best, entry)
        else:
            heapq.heappushpop(best, entry)
        if count % PORTION == 0:
            yield
    caption, more = listing.caption(count), ""
    if count > len(best):
        best.sort(reverse=True)
        caption += f"; {len(best)} of {count:,}{listing.ranked}"
        link = text(listing.address(base, Asked()))
        more = f'<p><a href="{link}" data-key="{link}">all {count:,}: {text(listing.title)}</a></p>'
    else:
        best.sort(key=lambda entry: -entry[1])
    rows = [listing.row(item) for _, _, item in best]
    return listing.part(table(caption, listing.columns, rows) + more), len(rows)


def whole(listing: Listing, asked: Asked, base: str) -> Work[str]:
    """The part of its own page."""
    wanted = asked.words.lower().split()[:_MOST_WORDS]
    first = (asked.page - 1) * listing.most
    rows: list[list[str]] = []
    total = found = 0
    for total, item in enumerate(listing.items(), 1):
        if total % PORTION == 0:
            yield
        if wanted:
            looked_at = listing.words(item).lower()
            if not all(word in looked_at for word in wanted):
                continue
        if first <= found < first + listing.most:
            rows.append(listing.row(item))
        found += 1
    pages = -(-found // listing.most)
    if found and not rows:  # there were more when the link was made
        return (yield from whole(listing, replace(asked, page=pages), base))
    out_of = f" of {total:,} have these words" if wanted else ""
    if not found:
        everything = f' <a href="{text(listing.address(base, Asked()))}">all {total:,}</a>' if total else ""
        return listing.part(f'<p class="soft">{"none" + out_of if total else "none yet"}{everything}</p>')
    caption = listing.caption(total)
    if wanted:
        caption += f"; {found:,}{out_of}"
    if pages > 1:
        caption += f"; {first + 1:,} to {first + len(rows):,} of {found:,}"
    turn = _pager(listing, asked, base, pages) if pages > 1 else ""
    return listing.part(table(caption, listing.columns, rows) + turn)


def _pager(listing: Listing, asked: Asked, base: str, pages: int) -> str:
    """Links to other pages."""
    now = asked.page
    places = {"first": 1, "previous": now - 1, "next": now + 1, "last": pages}
    links = "".join(
        f'<a href="{text(listing.address(base, asked, page))}" data-key="page-{word}">{word}</a>'
        for word, page in places.items()
        if 1 <= page <= pages and page != now
    )
    return f'<nav aria-label="More of this table">{links}<span class="soft">page {now:,} of {pages:,}</span></nav>'


def search(listing: Listing, asked: Asked, base: str) -> str:
    """The filter's form, which stands before the part: what is typed stays when the part is looked at anew."""
    of = f'<input type="hidden" name="of" value="{text(quoted(listing.of))}">' if listing.of else ""
    return (
        f'<form method="get" action="{text(base + listing.path)}" role="search">{of}<label>filter '
        f'<input type="search" name="q" value="{text(asked.words)}" placeholder="words of a row">'
        "</label> <button>show</button></form>"
    )
