"""HTTP dates as nginx reads them, and fields that keep their place."""

from __future__ import annotations

import pytest

from gateway.http.response import PLACED, Response, http_date, parse_http_date
from tests.engine import serving

MOMENT = 1_600_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"Sun, 13 Sep 2020 12:26:40 GMT", MOMENT),
        (b"Sunday, 13-Sep-20 12:26:40 GMT", MOMENT),
        (b"Sun Sep 13 12:26:40 2020", MOMENT),
        (b"Sat Sep  5 12:26:40 2020", MOMENT - 8 * 86400),
        (b"Sun,13 Sep 2020 12:26:40", MOMENT),
        (b"x, 13 Sep 2020 12:26:40 +0800", MOMENT),
        (b"Sat, 29 Feb 2020 00:00:00 GMT", 1582934400),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", 0),
        (b"Sun, 06-Nov-94 08:49:37 GMT", 784111777),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799),
        (b"Sat, 29 Feb 2021 00:00:00 GMT", None),
        (b"Sun, 13 sep 2020 12:26:40 GMT", None),
        (b"13 Sep 2020 12:26:40 GMT", None),
        (b"Sun, 13 Sep 2020  12:26:40 GMT", None),
        (b"Sun, 13 Sep 2020 24:00:00 GMT", None),
        (b"Sun, 13 Sep 2020 12:26:60 GMT", None),
        (b"Sun, 31 Sep 2020 12:26:40 GMT", None),
        (b"", None),
        (b"0", None),
    ],
)
def test_dates(text: bytes, seconds: int | None) -> None:
    assert parse_http_date(text) == seconds


def test_each_month_and_back() -> None:
    for seconds in range(0, 4_000_000_000, 2_000_003):
        assert parse_http_date(http_date(seconds)) == seconds


def test_a_placed_field_has_one_place() -> None:
    response = Response()
    response.fields.append((b"X", b"1"))
    response.place(b"ETag", b"etag")
    response.place(b"etag", b"etag")
    assert response.fields == [(b"X", b"1"), (b"ETag", PLACED)]
    assert response.get(b"etag") is None


async def test_own_last_modified_stands_where_it_was_added() -> None:
    text = """server { listen 127.0.0.1:80; add_header A a; add_header Last-Modified "Mon, 28 Sep 1970 06:00:00 GMT";
        add_header B b; location / { return 200 ok; } }"""
    async with serving(text) as engine:
        names = [name for name, _ in (await engine.get("/")).headers]
        assert names[-3:] == [b"a", b"last-modified", b"b"]
