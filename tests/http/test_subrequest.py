"""Subrequests: what they are to the log and to each other, and that all of them end with the client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.engine import serving
from tests.fakes import Peer, cut_after, farm, silent
from tests.http2_client import http2, request
from tests.http_peers import Heard, Hearing, answering, proxied, talking
from tests.modules.http.test_log import serving as serving_with_logs
from tests.speeches import HTTP


def page(folder: Path, text: str, name: str = "page") -> None:
    (folder / name).write_text(text)


async def test_log_subrequest(tmp_path: Path) -> None:
    page(tmp_path, '<!--#include virtual="/part?x" --><!--#include virtual="/quiet" -->')
    text = f"""log_format u "$uri $args $status $request_uri $request_method"; access_log {tmp_path}/log u;
        server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ }} default_type text/html;
        location / {{ }}
        location = /part {{ log_subrequest on; return 404; }}
        location = /quiet {{ internal; return 200 q; }} }}"""
    async with serving_with_logs(text) as engine:
        assert (await engine.get("/page")).body.endswith(b"</html>\r\nq")
        assert (await engine.get("/quiet")).status == 404
    assert (tmp_path / "log").read_text().splitlines() == [
        "/part x 404 /page GET",
        "/page - 200 /page GET",
        "/quiet - 404 /quiet GET",
    ]


async def test_a_cycle_ends(tmp_path: Path) -> None:
    page(tmp_path, '.<!--#include virtual="/page" -->')
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ }} default_type text/html; }}"""
    async with serving(text) as engine:
        body = (await engine.get("/page")).body
        assert body == b"." * 52 + b"[an error occurred while processing the directive]"
        (line,) = [line for line in engine.log.lines if "subrequests cycle" in line]
        assert 'subrequests cycle while processing "/page", client' in line
        assert 'request: "GET /page HTTP/1.1", subrequest: "/page"' in line


async def test_access_is_checked_for_the_main_request_alone(tmp_path: Path) -> None:
    page(tmp_path, '<!--#include virtual="/denied" -->')
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ }} default_type text/html;
        location = /denied {{ deny all; alias {tmp_path}/secret; }} }}"""
    page(tmp_path, "secret", "secret")
    async with serving(text) as engine:
        assert (await engine.get("/page")).body == b"secret"
        assert (await engine.get("/denied")).status == 403


async def test_variables_are_those_of_the_whole_response(tmp_path: Path) -> None:
    page(tmp_path, '<!--#include virtual="/a" wait="yes" -->,<!--#include virtual="/b" -->')
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ }} default_type text/html;
        location = /a {{ set $v from-a; return 200 $v; }} location = /b {{ return 200 $v; }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/page")).body == b"from-a,from-a"


async def test_an_answer_that_breaks_off_is_a_part_like_any_other(tmp_path: Path) -> None:
    page(tmp_path, '[<!--#include virtual="/up" -->]')
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbroken"
    async with farm(tmp_path) as peers:
        address = await peers.tcp(cut_after(len(answer), answer, speech=HTTP))
        text = f"""proxy_temp_path {tmp_path}; server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ }}
            default_type text/html; location /up {{ proxy_pass http://{address}; }} }}"""
        async with serving(text) as engine:
            assert (await engine.get("/page")).body == b"[broken]"
            assert [line for line in engine.log.lines if "upstream prematurely closed connection" in line]


async def _lost(tmp_path: Path, peer: Peer, include: str) -> list[str]:
    """A client that goes away while a subrequest is under way; the log's lines."""
    page(tmp_path, f'before<!--#include virtual="/up" {include} -->behind<!--#include virtual="/up" -->')
    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer)
        text = f"""log_format u "$uri $status"; access_log {tmp_path}/log u; proxy_temp_path {tmp_path};
            server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ }} default_type text/html;
            location / {{ }} location /up {{ log_subrequest on; proxy_pass http://{address}; }} }}"""
        async with serving_with_logs(text) as engine:
            client = engine.connect()
            await client.send_all(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not peers.hits.get(address):
                await trio.sleep(0.01)
            await client.aclose()
            while engine.worker.connections:
                await trio.sleep(0.01)
            return engine.log.lines


async def test_a_client_that_goes_away_ends_all_of_them(tmp_path: Path) -> None:
    for include in ("", 'wait="yes"', 'set="v"'):
        lines = await _lost(tmp_path, silent(), include)
        assert [line for line in lines if "client prematurely closed connection" in line]
        assert (tmp_path / "log").read_text().splitlines()[-1].startswith("/page ")
        assert "/up" not in (tmp_path / "log").read_text()


async def test_the_connection_lives_on(tmp_path: Path) -> None:
    page(tmp_path, '[<!--#include virtual="/part" -->]')
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ }} default_type text/html;
        location = /part {{ return 200 part; }} location = /end {{ return 200 end; keepalive_timeout 0; }} }}"""
    async with serving(text) as engine:
        head = b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        data = await engine.raw(b"GET /page" + head + b"GET /page" + head + b"GET /end" + head)
        assert data.count(b"[") == 2 and data.endswith(b"\r\nend\r\n0\r\n\r\n")


async def test_the_request_s_body_is_shared(tmp_path: Path) -> None:
    heard: list[Heard] = []

    def answer(request: Heard) -> bytes:
        body = b"again" if request.line.startswith(b"GET") else b'<!--#include virtual="/again" -->.'
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    async with proxied(answering(answer, heard), tmp_path, "ssi on;") as engine:
        assert (await engine.request("POST", "/a", body=b"12345")).body == b"again."
    assert [(request.line, request.body) for request in heard] == [
        (b"POST /a HTTP/1.1", b"12345"),
        (b"GET /again HTTP/1.1", b"12345"),
    ]


async def test_a_body_that_was_read_away_is_not_announced(tmp_path: Path) -> None:
    """Over HTTP/1 nothing is left of it."""
    heard: list[Heard] = []
    outside = "location = /page { add_after_body /up; default_type text/html; return 200 page; }"
    async with proxied(answering(heard=heard), tmp_path, outside=outside) as engine:
        assert (await engine.request("POST", "/page", body=b"12345")).body == b"pageok\n"
    assert heard[0].fields[b"content-length"] == b"0"


@pytest.mark.parametrize(("sent", "told"), [([(b"content-length", b"5")], b"5"), ([], None)])
async def test_http2_drops_a_body_and_tells_what_was_declared(
    sent: list[tuple[bytes, bytes]], told: bytes | None, tmp_path: Path
) -> None:
    """As nginx, which only takes off the length what it reads; a main request does not, so that no upstream waits."""
    heard: list[Heard] = []

    async def hear(stream: trio.SocketStream, hearing: Hearing, asked: Heard) -> None:
        heard.append(asked)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")

    outside = """http2 on; default_type text/html;
        location = /page { add_after_body /up; return 200 "page $content_length,"; }
        location = /none { memcached_pass 127.0.0.1:1; set $memcached_key a; error_page 502 504 = @up; }
        location @up { proxy_pass http://back; }"""
    async with proxied(talking(hear), tmp_path, outside=outside) as engine, http2(engine) as client:
        page = await client.post("/page", b"12345", *sent)
        assert page.body == b"page %b,ok\n" % (told or b"")
        number = await client.begin(request("/none", *sent), end=False)
        await client.send(number, b"12345", end=True)
        assert (await client.answer(number)).body == b"ok\n"
    lengths = [asked.fields.get(b"content-length") for asked in heard]
    assert lengths == [told, told and b"0"]


async def test_an_answer_too_big_for_memory_cuts_the_response(tmp_path: Path) -> None:
    page(tmp_path, '<!--#include virtual="/big" set="v" --><!--#echo var="v" -->')
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ }} default_type text/html;
        location = /big {{ return 200 12345; subrequest_output_buffer_size $size; }} }}"""
    async with serving(text.replace("$size", "5")) as engine:
        assert (await engine.get("/page")).body == b"12345"
    async with serving(text.replace("$size", "4")) as engine:
        assert await engine.raw(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
        assert [line for line in engine.log.lines if "too big subrequest response: 5" in line]


async def test_a_clone_begins_at_the_content_handler(tmp_path: Path) -> None:
    """That of its parent, with the parent's method and URI; access and rewrite are not gone through again."""
    seen: list[tuple[bytes, bytes, bytes]] = []
    text = """server { listen 127.0.0.1:80; location / { rewrite ^/(.) /x$1 break; return 200; }
        location ~ /q(?<n>.) { proxy_pass http://127.0.0.1:1; } }"""
    async with serving(text) as engine:
        from gateway.http.module import OK
        from gateway.http.subrequest import Subrequest, clone

        def content(request: Any) -> int:
            seen.append((request.method, request.uri, request.values.get("n", b"")))
            if not isinstance(request, Subrequest):
                made = clone(request)
                assert made is not None and made.background
                return int(request.respond(200, b"done") or OK)
            assert request.parent is not None
            assert request.plan is request.parent.plan and request.captures is request.parent.captures
            request.send_head()
            return OK

        location = engine.cycle.servers[0].locations.regexes[0]
        plan = engine.cycle.plan_of(location)
        location.plan = type(plan)((None, content), plan.head_filters, ())
        assert (await engine.request("POST", "/q1", body=b"x")).body == b"done"
    assert seen == [(b"POST", b"/q1", b"1"), (b"POST", b"/q1", b"1")]


async def test_a_subrequest_has_received_nothing(tmp_path: Path) -> None:
    page(tmp_path, '<!--#include virtual="/part" -->')
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ }} default_type text/html;
        location = /part {{ return 200 "[$request_length]"; }}
        location = /main {{ return 200 "$request_length"; }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/page")).body == b"[0]"
        assert int((await engine.get("/main")).body) > 0
