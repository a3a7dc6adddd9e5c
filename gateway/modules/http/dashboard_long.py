"""What is long of one request: its own page has the beginning and a link, and what it leads to is in pages.

A client may send a URI, a field or a body as long as the server lets it, and each character of them takes up to six
bytes in a page: what counts is the length of a text as it stands there. No page is above 80 KiB.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from gateway.modules.http.dashboard_listings import Asked
from gateway.modules.http.dashboard_page import table, text

_PIECE: Final = 48 << 10  # of a page that has nothing else
_WIDEST: Final = 6  # bytes of a character: &quot;
_MOST_VALUE: Final = 600
_MOST_FIELDS: Final = 9000
_LINE: Final = 80  # what a row of a table takes beside its words

TITLES: Final = {
    "request": "what is kept of it", "log": "what the error log says", "asked": "the fields asked",
    "body": "its body", "answered": "the fields answered", "curl": "the command", "lacks": "what the command lacks",
}  # fmt: skip


def fitting(value: str, most: int) -> str:
    """As much of its beginning as takes no more than so many bytes in a page."""
    kept = value[:most]
    while (size := _size(kept)) > most:
        kept = kept[: len(kept) * most // size]
    return kept


def characters(value: str, most: int = _PIECE) -> int:
    """How many of them each page of a text has: as many as fit into a page wherever they are taken from."""
    for count in (most, most // 2, most // 4):
        parts = (value[at : at + count] for at in range(0, len(value), count))
        if all(_size(part) <= most for part in parts):
            return count
    return most // _WIDEST


def _size(value: str) -> int:
    return len(text(value).encode("utf-8", "replace"))


class Long:
    """The texts of one request, whose page is at `address`."""

    def __init__(self, address: str) -> None:
        self.address = address

    def link(self, of: str, said: str) -> str:
        return f'<a href="{text(self.address)}?of={of}" data-key="{of}">{text(said)}</a>'

    def cut(self, value: object, of: str, most: int = _MOST_VALUE) -> str:
        """The text as HTML, or its beginning and how long it is, with a link to the whole."""
        whole = str(value)
        kept = fitting(whole, most)
        if len(kept) == len(whole):
            return text(whole)
        return f"{text(kept)}… {self.link(of, f'all {len(whole):,} characters')}"

    def lines(self, values: Iterable[object], of: str, most: int) -> str:
        """Paragraphs, as many as there is room for."""
        shown, room, left = [], most, 0
        for value in values:
            words = fitting(str(value), _MOST_VALUE * 2)
            room -= _size(words) + _LINE
            if room < 0:
                left += 1
                continue
            shown.append(f'<p class="say">{self.cut(value, of, _MOST_VALUE * 2)}</p>')
        more = f"<p>{self.link(of, f'{left:,} more lines')}</p>" if left else ""
        return "".join(shown) + more

    def fields(self, which: str, fields: list[Any]) -> str:
        """A table of the first ones."""
        if not fields:
            return '<p class="soft">none kept</p>'
        rows: list[list[str]] = []
        room = _MOST_FIELDS
        for name, value in fields:
            row = [f"<td>{self.cut(name, which)}</td>", f'<td class="long">{self.cut(value, which)}</td>']
            room -= sum(len(each.encode("utf-8", "replace")) for each in row) + _LINE
            if room < 0 and rows:
                break
            rows.append(row)
        caption = f"fields {which}; secrets are masked"
        if len(rows) == len(fields):
            return table(caption, ["name", "value"], rows)
        more = f"<p>{self.link(which, f'all {len(fields):,} fields {which}')}</p>"
        return table(f"{caption}; {len(rows)} of {len(fields):,}", ["name", "value"], rows) + more

    def page(self, title: str, of: str, whole: str, asked: Asked) -> str:
        """One of the pages of a text."""
        count = characters(whole)
        pages = max(1, -(-len(whole) // count))
        number = min(asked.page, pages)
        begin = (number - 1) * count
        shown = whole[begin : begin + count]
        places = {"first": 1, "previous": number - 1, "next": number + 1, "last": pages}
        links = "".join(
            f'<a href="{text(self.address)}?of={of}&amp;page={to}" data-key="page-{word}">{word}</a>'
            for word, to in places.items()
            if 1 <= to <= pages and to != number
        )
        said = f"characters {begin + 1:,} to {begin + len(shown):,} of {len(whole):,}" if pages > 1 else ""
        turn = f'<nav aria-label="More of this text">{links}<span class="soft">{said}</span></nav>' if said else ""
        back = f'<p><a href="{text(self.address)}" data-key="back">back to the request</a></p>'
        return f"<h2>{text(title)}: {text(TITLES[of])}</h2>{back}{turn}<pre>{text(shown)}</pre>{turn}"


def address(base: str, id: object) -> str:
    """Of the page of one request."""
    return f"{base}requests/{quote(str(id), errors='replace')}"
