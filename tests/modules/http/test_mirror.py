"""mirror: the copies of a request, and that nobody but the connection's next request waits for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import farm
from tests.http_peers import Heard, Hearing, answering, talking
from tests.modules.http.test_log import serving as serving_with_logs


async def test_each_mirror_gets_the_request(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(heard=heard))
        text = f"""client_body_temp_path {tmp_path}; server {{ listen 127.0.0.1:80;
            location / {{ mirror /copy/1; mirror /copy/2; proxy_pass http://{address}; }}
            location /off {{ mirror off; proxy_pass http://{address}; }}
            location /bare {{ mirror /copy/3; mirror_request_body off; proxy_pass http://{address}; }}
            location /copy/ {{ internal; proxy_pass http://{address}; }}
            location /copy/3 {{ proxy_pass http://{address}; proxy_pass_request_body off;
                proxy_set_header Content-Length ""; }} }}"""
        async with serving(text) as engine:
            for target in ("/a?b", "/off", "/bare"):
                assert (await engine.request("PUT", target, body=b"12345")).body == b"ok\n"
    found = sorted((request.line, request.body) for request in heard)
    assert found == [
        (b"PUT /a?b HTTP/1.1", b"12345"),
        (b"PUT /bare HTTP/1.1", b"12345"),
        (b"PUT /copy/1?b HTTP/1.1", b"12345"),
        (b"PUT /copy/2?b HTTP/1.1", b"12345"),
        (b"PUT /copy/3 HTTP/1.1", b""),
        (b"PUT /off HTTP/1.1", b"12345"),
    ]


async def test_the_response_does_not_wait_but_the_next_request_does(tmp_path: Path) -> None:
    go_on = trio.Event()

    async def slow(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        await go_on.wait()
        await stream.send_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    (tmp_path / "page").write_text("page")
    async with farm(tmp_path) as peers:
        address = await peers.tcp(talking(slow))
        text = f"""log_format u "$uri $status"; access_log {tmp_path}/log u; server {{ listen 127.0.0.1:80;
            root {tmp_path}; location = /page {{ mirror /copy; }}
            location = /copy {{ log_subrequest on; proxy_pass http://{address}; }}
            location = /end {{ return 204; }} }}"""
        async with serving_with_logs(text) as engine:
            client = engine.connect()
            async with client:
                head = b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
                await client.send_all(b"GET /page" + head + b"GET /end" + head)
                data = b""
                while not data.endswith(b"page"):
                    data += await client.receive_some()
                with trio.move_on_after(0.1):
                    data += await client.receive_some()
                assert data.endswith(b"page")
                go_on.set()
                assert b"204 No Content" in await client.receive_some()
    assert (tmp_path / "log").read_text().splitlines() == ["/copy 500", "/page 200", "/end 204"]


async def test_a_mirror_outlives_the_client(tmp_path: Path) -> None:
    """nginx looks for the client's end only on behalf of the main request."""
    go_on, finished = trio.Event(), trio.Event()

    async def slow(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        await go_on.wait()
        assert await stream.receive_some() == b""  # ours, once the answer is there
        finished.set()

    async def answers(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        await go_on.wait()
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await slow(stream, hearing, heard)

    (tmp_path / "page").write_text("page")
    async with farm(tmp_path) as peers:
        address = await peers.tcp(talking(answers))
        text = f"""log_format u "$uri $status"; access_log {tmp_path}/log u; server {{ listen 127.0.0.1:80;
            root {tmp_path}; location = /page {{ mirror /copy; }}
            location = /copy {{ log_subrequest on; proxy_pass http://{address}; proxy_http_version 1.0; }} }}"""
        async with serving_with_logs(text) as engine:
            client = engine.connect()
            await client.send_all(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await client.receive_some()
            await client.aclose()
            await trio.sleep(0.05)
            assert engine.worker.connections
            go_on.set()
            with trio.fail_after(5):
                await finished.wait()
    assert (tmp_path / "log").read_text().splitlines() == ["/copy 200", "/page 200"]


@pytest.mark.parametrize("line", ["mirror off; mirror /a;", "mirror /a; mirror off;"])
def test_refused(line: str) -> None:
    with pytest.raises(ConfigError, match='"mirror" directive is duplicate'):
        load_http(f"server {{ {line} }}")
