"""The dashboard's requests: a body that was kept is shown, sent again, and in what curl is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.modules.http.request_history_body import Body
from tests.engine import serving
from tests.fakes import farm
from tests.http2_client import http2
from tests.http_peers import Heard, answering
from tests.modules.http.test_dashboard_replay import _again, _kept

CONF = """request_history {folder}/ring requests=9 body={size};
    server {{ listen unix:{folder}/socket; http2 on; server_name site; client_body_temp_path {folder};
    location / {{ proxy_pass http://{peer}; {inside} }}
    location /gw/ {{ dashboard replay=on; }} }}"""


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_whole_body_goes_again(tmp_path: Path, chunked: bool) -> None:
    heard: list[Heard] = []
    async with farm(tmp_path) as peers:
        peer = await peers.tcp(answering(heard=heard))
        async with serving(CONF.format(folder=tmp_path, peer=peer, size="1k", inside="")) as engine:
            framing = "Transfer-Encoding: chunked\r\n\r\n7\r\na=b&c=d\r\n0\r\n\r\n" if chunked else (
                "Content-Length: 7\r\n\r\na=b&c=d"
            )  # fmt: skip
            await engine.raw(f"POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{framing}".encode())
            (first,) = _kept(tmp_path)
            page = (await engine.get(f"/gw/requests/{first['id']}")).body
            assert b'<pre id="body">a=b&amp;c=d</pre>' in page and b"--data-raw &#x27;a=b&amp;c=d&#x27;" in page
            assert b"$remote_port is 0" in page and b"client certificate" not in page
            assert (await _again(engine, first["id"], "&sure=yes")).status == 303
            second = _kept(tmp_path)[0]
    assert (second["replay"], second["body"]) == (first["id"], Body(b"a=b&c=d", 7))
    assert [each.body for each in heard] == [b"a=b&c=d"] * 2


@pytest.mark.parametrize("size", [10, 65535, 65536])
async def test_over_http2(tmp_path: Path, size: int) -> None:
    heard: list[Heard] = []
    async with farm(tmp_path) as peers:
        peer = await peers.tcp(answering(heard=heard))
        async with serving(CONF.format(folder=tmp_path, peer=peer, size="100k", inside="")) as engine:
            await engine.request("POST", "/first", body=b"x" * size)
            async with http2(engine) as client:
                await client.post("/a", b"y" * size, (b"content-type", b"text/plain"))
            first = _kept(tmp_path)[0]
            assert first["protocol"] == "HTTP/2.0" and first["body"].size == size
            page = (await engine.get(f"/gw/requests/{first['id']}")).body
            assert (b"goes over HTTP/1.1" in page) is (size > 65535)
            assert (await _again(engine, first["id"], "&sure=yes")).status == 303
            assert _kept(tmp_path)[0]["protocol"] == ("HTTP/1.1" if size > 65535 else "HTTP/2.0")
    assert [each.body for each in heard[1:]] == [b"y" * size] * 2


@pytest.mark.parametrize(
    ("body", "inside", "why"),
    [
        (b"a" * 2000, "", b"1,024 of 2,000 bytes were kept"),
        (b"password=x", "", b"secrets, which were never kept"),
        (b"a" * 300_000, "proxy_request_buffering off;", b"went on as it came"),
    ],
)
async def test_one_that_is_not_whole_does_not(tmp_path: Path, body: bytes, inside: str, why: bytes) -> None:
    async with farm(tmp_path) as peers:
        peer = await peers.tcp(answering())
        async with serving(CONF.format(folder=tmp_path, peer=peer, size="1k", inside=inside)) as engine:
            await engine.request("POST", "/a", body=body)
            (first,) = _kept(tmp_path)
            page = (await engine.get(f"/gw/requests/{first['id']}")).body
            assert why in page and b"cannot be sent again" in page and b"--data-raw" not in page
            assert b"password=x" not in page
