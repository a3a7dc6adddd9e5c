"""hints: early hints of upstreams reach the client, whatever protocol brings them."""

from __future__ import annotations

from tests.engine import serving
from tests.http2_client import http2
from tests.http2_server import Call, http2_server


async def hinting(call: Call) -> None:
    connection = call.server.connection
    connection.send_headers(call.number, [(b":status", b"103"), (b"link", b"</a>")])
    connection.send_headers(call.number, [(b":status", b"200")])
    connection.send_data(call.number, b"text", end_stream=True)
    await call.server.flush()


async def test_hints_from_http2_to_http2() -> None:
    conf = "server {{ listen 127.0.0.1:8080; http2 on; early_hints $http_x; location / {{ {}_pass {}; {} }} }}"
    async with http2_server(hinting) as server:
        for prefix, target, version in (("grpc", "grpc", ""), ("proxy", "http", "proxy_http_version 2;")):
            text = conf.format(prefix, f"{target}://127.0.0.1:{server.port}", version)
            async with serving(text) as engine, http2(engine) as client:
                answer = await client.get("/", (b"x", b"1"))
                assert answer.early == [[(b":status", b"103"), (b"link", b"</a>")]] and answer.body == b"text"
                assert (await client.get("/")).early == []
