from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import serving
from tests.fakes import answer, farm
from tests.http_peers import Heard, answering
from tests.speeches import UWSGI, Asked
from tests.upstream.cache.caching import Time, cached, page, state

ASK = {"If-Modified-Since": "x", "If-Unmodified-Since": "x", "If-None-Match": "x", "Range": "x", "If-Range": "x"}
CONDITIONS = {b"if-modified-since", b"if-unmodified-since", b"if-none-match", b"if-match", b"range", b"if-range"}


async def test_they_pass_where_nothing_is_kept(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with cached(answering(page(), heard), tmp_path, "proxy_cache_bypass $arg_by;") as engine:
        await engine.request("POST", "/", ASK, b"x")
        await engine.get("/?by=1", ASK)
    assert len(CONDITIONS & heard[0].fields.keys()) == 5
    assert not CONDITIONS & heard[1].fields.keys()


async def test_a_field_of_the_configuration_counts(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with cached(answering(page(), heard), tmp_path, "proxy_set_header Range bytes=1-;") as engine:
        await engine.get("/", ASK)
    assert heard[0].fields[b"range"] == b"bytes=1-"


async def test_params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    asked: list[Asked] = []
    data = page(b'ETag: "1"', b"Last-Modified: Mon, 28 Sep 1970 06:00:00 GMT")
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(data, asked=asked, speech=UWSGI))
        text = f"""uwsgi_temp_path {tmp_path}; uwsgi_cache_path {tmp_path} keys_zone=a:1m;
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass {address}; uwsgi_cache a; uwsgi_cache_key k;
            uwsgi_cache_valid 1m; uwsgi_cache_revalidate on; add_header X-Cache $upstream_cache_status always;
            add_header X-Had "$upstream_cache_last_modified $upstream_cache_etag" always; }} }}"""
        async with serving(text) as engine:
            first = await engine.get("/", {"If-None-Match": "x", "Range": "x"})
            assert first.header("x-had") == b""
            time.passes(61)
            second = await engine.get("/", {"If-None-Match": "x", "Range": "x"})
            assert state(second) == "EXPIRED"
            assert second.header("x-had") == b'Mon, 28 Sep 1970 06:00:00 GMT "1"'
    names = {b"HTTP_" + name.upper().replace(b"-", b"_") for name in CONDITIONS}
    assert not names & dict(asked[0].params).keys()
    found = dict(asked[1].params)
    assert found[b"HTTP_IF_NONE_MATCH"] == b'"1"'
    assert found[b"HTTP_IF_MODIFIED_SINCE"] == b"Mon, 28 Sep 1970 06:00:00 GMT"
    assert len(names & found.keys()) == 2
