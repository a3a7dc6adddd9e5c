"""A request's record: what it begins with, and what it keeps no longer than it may."""

from __future__ import annotations

from gateway._fast.request_head import RequestHead
from gateway.http.request_record import URI_CHANGES, RequestRecord
from tests.engine import serving


def test_what_it_begins_with() -> None:
    record = RequestRecord.__new__(RequestRecord)
    record.reset(RequestHead())
    assert (record.uri, record.http_version, record.limit_rate, record.valid_unparsed_uri) == (b"", 10, None, True)
    record.values["x"] = b"1"
    assert record.values == {"x": b"1"} and record.get_values() is record.values
    assert record.state == {} and record.body_filters == [] and record.cleanups == []


def test_so_many_uri_changes_and_no_more() -> None:
    record = RequestRecord.__new__(RequestRecord)
    record.reset(RequestHead())
    assert [record.count_uri_change() for _ in range(URI_CHANGES + 1)] == [True] * URI_CHANGES + [False]


async def test_named_groups_are_kept_and_empty_where_they_did_not_match() -> None:
    text = r"""server { listen 127.0.0.1:8080;
        location ~ ^/(?<first>[a-z]+)(/(?<second>[a-z]+))?$ { return 200 "$first|$second|$1"; } }"""
    async with serving(text) as engine:
        assert (await engine.get("/a/b")).body == b"a|b|a"
        assert (await engine.get("/a")).body == b"a||a"
