"""post_action: what follows a response, unseen by the client."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.engine import Engine
from tests.modules.http.test_log import serving

CONF = """
log_format one '$uri $status $body_bytes_sent $request_completion';
access_log %s/access.log one;
server {
    listen 127.0.0.1:80;
    http2 on;
    root %s;
    location / { post_action /after; }
    location /named { post_action @after; return 200 text; }
    location = /again { post_action /again; return 200 text; }
    location /after { return 404; }
    location @after { set $seen 1; return 204; }
    location = /fails { post_action /failing; return 200 text; }
    location /failing { error_page 404 /instead; return 404; }
    location /instead { return 201; }
    location = /leads { post_action /led; return 200 text; }
    location /led { error_page 404 =200 /instead; return 404; }
    location /slow { limit_rate 10; post_action /after; }
}
"""


async def logged(tmp_path: Path, engine: Engine, count: int) -> list[str]:
    with trio.fail_after(5):
        while len(lines := (tmp_path / "access.log").read_text().splitlines()) < count:
            await trio.sleep(0.01)
    return lines


def conf(tmp_path: Path) -> str:
    (tmp_path / "page").write_text("the page")
    (tmp_path / "slow").write_bytes(bytes(1000))
    (tmp_path / "access.log").touch()
    return CONF % (tmp_path, tmp_path)


async def test_another_location_after_the_response(tmp_path: Path) -> None:
    async with serving(conf(tmp_path)) as engine:
        reply = await engine.get("/page")
        assert (reply.status, reply.body) == (200, b"the page")
        # one line for both, with what the client got
        assert await logged(tmp_path, engine, 1) == ["/after 404 8 OK"]
        assert (await engine.get("/named")).body == b"text"
        assert (await logged(tmp_path, engine, 2))[1].startswith("/named ")


async def test_its_failure_leads_to_an_error_page(tmp_path: Path) -> None:
    async with serving(conf(tmp_path)) as engine:
        for path in ("/fails", "/leads"):
            assert (await engine.get(path)).body == b"text"
        assert await logged(tmp_path, engine, 2) == ["/instead 404 4 OK", "/instead 200 4 OK"]


async def test_the_connection_goes_on(tmp_path: Path) -> None:
    async with serving(conf(tmp_path)) as engine:
        request = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
        received = await engine.raw(request * 2 + b"GET /page HTTP/1.0\r\n\r\n")
        assert received.count(b"the page") == 3
        await logged(tmp_path, engine, 3)


async def test_one_that_leads_to_itself_ends(tmp_path: Path) -> None:
    async with serving(conf(tmp_path)) as engine:
        assert (await engine.get("/again")).body == b"text"
        assert len(await logged(tmp_path, engine, 1)) == 1
        assert not engine.worker.connections


async def test_after_a_client_that_went_away(tmp_path: Path) -> None:
    async with serving(conf(tmp_path)) as engine:
        stream = engine.connect()
        await stream.send_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        await stream.receive_some(1)
        await stream.aclose()
        line = (await logged(tmp_path, engine, 1))[0]
        uri, _, sent, *completed = line.split()
        assert uri == "/after"
        assert int(sent) < 1000
        assert not completed
