"""dashboard_listings: what the overview shows of a long table, and the pages that have all of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs

import pytest

from gateway.config.text import to_bytes
from gateway.core.turns import at_once
from gateway.modules.http.dashboard_listings import Asked, Listing, few, search, whole
from gateway.modules.http.dashboard_page import cell

_LINK = re.compile(r'href="/gw/things\??([^"]*)" data-key="page-(\w+)"')
HOSTILE = '"><b>&'


def listing(count: int, of: str = "", rank: Callable[[int], int] | None = None, ranked: str = "") -> Listing:
    return Listing(
        "things", "things", lambda count: f"{count} things", ["thing"], lambda: range(count),
        lambda item: f"a{item} All", lambda item: [cell(f"a{item};")], of=of, few=3, most=10, rank=rank, ranked=ranked,
    )  # fmt: skip


def rows(part: str) -> list[int]:
    return [int(found) for found in re.findall(r"a(\d+);", part)]


def test_the_overview_says_what_it_leaves_out() -> None:
    part, count = at_once(few(listing(3), "/gw/"))
    assert (rows(part), count) == ([0, 1, 2], 3) and "href" not in part
    part, count = at_once(few(listing(1000), "/gw/"))
    assert (rows(part), count) == ([0, 1, 2], 3)
    assert "1000 things; 3 of 1,000" in part and 'href="/gw/things"' in part
    part, _ = at_once(few(listing(1000, rank=lambda item: item % 500, ranked=", the best"), "/gw/"))
    assert rows(part) == [499, 999, 498] and "3 of 1,000, the best" in part
    part, _ = at_once(few(listing(3, rank=lambda item: item), "/gw/"))
    assert rows(part) == [0, 1, 2]  # where all are shown, in their order
    assert at_once(few(listing(0), "/gw/"))[1] == 0


def test_each_row_is_on_one_page() -> None:
    """By the links alone, as somebody goes who has no JavaScript."""
    seen: list[int] = []
    asked, last = Asked(), ""
    while True:
        part = at_once(whole(listing(95), asked, "/gw/"))
        seen += rows(part)
        links = {word: link for link, word in _LINK.findall(part)}
        assert ("previous" in links) == (asked.page > 1) and f"page {asked.page} of 10" in part
        if "next" not in links:
            break
        asked = Asked.read(links["next"].replace("&amp;", "&").encode())
        last = links["last"]
    assert seen == list(range(95)) and last == "page=10" and set(links) == {"first", "previous"}


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (b"", range(10)), (b"page=10", range(90, 95)), (b"page=11", range(90, 95)), (b"page=0", range(10)),
        (b"page=" + b"9" * 5000, range(90, 95)), (b"page=-1", range(10)), (b"page=x&q=a93", [93]),
        (b"page=\xc2\xb2", range(10)), (b"q=a9+ALL", [9, *range(90, 95)]), (b"q=a9+all&page=4", [9, *range(90, 95)]),
        (b"q=none", []), (b"q=" + b"a+" * 4000, range(10)), (b"q=%ff", []), (b"q=\xff&page=\xff", []),
        (b"of=%ff", range(10)), (b"of=\xff&q=a93", [93]),
    ],
)  # fmt: skip
def test_what_is_asked_for(args: bytes, shown: range | list[int]) -> None:
    part = at_once(whole(listing(95), Asked.read(args), "/gw/"))
    assert rows(part) == list(shown)
    if not shown:
        assert 'none of 95 have these words <a href="/gw/things">all 95</a>' in part


def test_nothing_yet() -> None:
    assert "none yet" in at_once(whole(listing(0), Asked(), "/gw/"))


@pytest.mark.parametrize("name", ["app", "b\udcffd", HOSTILE, "50%25", "a b/c?d#e", "ä"])
def test_any_name_goes_through_links_and_forms(name: str) -> None:
    made = listing(95, of=name)
    for address in (made.address("/gw/", Asked()), made.address("/gw/", Asked(words=HOSTILE), 3)):
        assert re.fullmatch(r"[!-~]+", address)
        assert Asked.read(address.partition("?")[2].encode()).of == name
    asked = Asked(words=HOSTILE)
    part = at_once(whole(made, asked, "/gw/"))
    form = search(made, asked, "/gw/")
    assert HOSTILE not in part + form
    (hidden,) = re.findall(r'name="of" value="([^"]*)"', form)
    assert Asked.read(b"of=" + to_bytes(hidden).replace(b"%", b"%25")).of == name


def test_a_filter_stays_over_pages() -> None:
    part = at_once(whole(listing(95, of="x"), Asked(words="a1 all"), "/gw/"))
    (link,) = re.findall(r'href="/gw/things\?([^"]*)" data-key="page-next"', part)
    assert parse_qs(link.replace("&amp;", "&")) == {"of": ["x"], "q": ["a1 all"], "page": ["2"]}
