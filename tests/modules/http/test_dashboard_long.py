"""What is long of one request."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.modules.http.dashboard_long import Long, characters, fitting
from gateway.modules.http.dashboard_page import text
from tests.engine import Engine, serving
from tests.modules.http.test_dashboard_replay import _kept

MOST = 80 * 1024
CONF = """request_history {folder}/ring requests=9 size=64k body=512k;
    server {{ listen unix:{folder}/socket; client_max_body_size 1m; client_body_buffer_size 1m;
    large_client_header_buffers 8 64k; client_body_temp_path {folder};
    location / {{ proxy_pass http://127.0.0.1:1; }}
    location /gw/ {{ dashboard replay=on; }} }}"""


@given(st.text(), st.integers(24, 200))
def test_each_page_fits_wherever_it_begins(value: str, most: int) -> None:
    count = characters(value, most)
    assert count >= most // 6
    for at in range(0, len(value), count):
        assert len(text(value[at : at + count]).encode("utf-8", "replace")) <= most
    kept = fitting(value, most)
    assert value.startswith(kept) and len(text(kept).encode("utf-8", "replace")) <= most


@pytest.mark.parametrize("character", ["y", "\u20ac", "\U0001f600"])
def test_room_is_counted_in_bytes(character: str) -> None:
    long = Long("/gw/requests/a")
    for length in (149, 600):
        fields = [[f"x-{number}", character * length] for number in range(99)]
        assert len(long.fields("answered", fields).encode()) < 10_000
        assert len(long.lines([character * length] * 99, "log", 6000).encode()) < 7000


async def _read(engine: Engine, path: str) -> tuple[str, str]:
    """The page, and the text that it has."""
    reply = await engine.get(path)
    assert reply.status == 200 and len(reply.body) <= MOST, (path, len(reply.body))
    page = reply.body.decode()
    return page, html.unescape(page.rpartition("<pre>")[2].partition("</pre>")[0])


async def _whole(engine: Engine, path: str) -> str:
    """By its links alone, from page to page."""
    said = ""
    while path:
        page, words = await _read(engine, path)
        said += words
        found = re.search(r'<a href="([^"]+)" data-key="page-next">', page)
        path = html.unescape(found[1]) if found else ""
    return said


@pytest.mark.parametrize("character", ["y", "'", "\u20ac"])
async def test_a_request_that_is_long_everywhere(tmp_path: Path, character: str) -> None:
    body = (character * 60_000).encode()
    async with serving(CONF.format(folder=tmp_path)) as engine:
        fields = {f"X-{number}": "'" * 7000 for number in range(3)} | {f"Y-{number}": "z" for number in range(700)}
        await engine.request("POST", "/" + "u&" * 10_000, {**fields, "Content-Type": "text/plain"}, body=body)
        (entry,) = _kept(tmp_path)
        link = f"/gw/requests/{entry['id']}"
        page, _ = await _read(engine, link)
        assert f"all {len(entry['uri']):,} characters" in page and "fields asked" in page
        assert await _whole(engine, f"{link}?of=body") == body.decode()
        assert f"URI: {entry['uri']}" in await _whole(engine, f"{link}?of=request")
        asked = "\n".join(f"{name}: {value}" for name, value in entry["asked"])
        assert await _whole(engine, f"{link}?of=asked") == asked
        assert (await _whole(engine, f"{link}?of=curl")).startswith("curl -i -X POST")
        for of in re.findall(re.escape(link) + r"\?of=(\w+)", page):
            assert await _whole(engine, f"{link}?of={of}")
        last, _ = await _read(engine, f"{link}?of=body&page=99999")
        assert 'data-key="page-next"' not in last and "back to the request" in last
        assert "fields asked" in (await _read(engine, f"{link}?of=none"))[0]


async def test_a_short_one_is_whole(tmp_path: Path) -> None:
    async with serving(CONF.format(folder=tmp_path)) as engine:
        await engine.request("POST", "/a", {"X-A": "b"}, body=b"c=d")
        (entry,) = _kept(tmp_path)
        page, _ = await _read(engine, f"/gw/requests/{entry['id']}")
    assert "?of=" not in page and 'data-copy="curl"' in page and '<pre id="body">c=d</pre>' in page
