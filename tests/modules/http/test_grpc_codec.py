"""What a call is named by, and which of the client's fields go with it."""

from __future__ import annotations

import pytest

from gateway.modules.http.grpc_codec import authority_of
from tests.engine import serving
from tests.http2_client import http2
from tests.http2_server import Call, http2_server


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        (b"grpc://app.test:50051", b"app.test:50051"),
        (b"GRPCS://app.test", b"app.test"),
        (b"app", b"app"),
        (b"unix:/run/app.sock", b"localhost"),
        (b"grpc://unix:/run/app.sock", b"localhost"),
        (b"[::1]:80", b"[::1]:80"),
        (b"a b:x", b"a b:x"),
    ],
)
def test_the_authority_of_a_target(target: bytes, authority: bytes) -> None:
    assert authority_of(target) == authority


async def test_fields_of_the_clients_connection_stay_here() -> None:
    async def answer(call: Call) -> None:
        await call.whole()
        await call.head([(b":status", b"200"), (b"grpc-status", b"0")], end=True)

    async with http2_server(answer) as server:
        text = f"""server {{ listen 127.0.0.1:8080; http2 on; grpc_set_header X-A own; grpc_set_header X-None "";
            location / {{ grpc_pass 127.0.0.1:{server.port}; }} }}"""
        sent = [(b"x-a", b"1"), (b"x-b", b"2"), (b"te", b"trailers")]
        async with serving(text) as engine, http2(engine) as client:
            assert (await client.post("/", b"abc", *sent, (b"content-length", b"3"))).status == 200
    one = [field for field in server.calls[0].fields if field[0][:1] != b":"]
    assert one[:3] == [(b"x-a", b"own"), (b"content-length", b"3"), (b"te", b"trailers")]
    assert (b"x-b", b"2") in one
    names = [name for name, _ in one]
    assert b"host" not in names and names.count(b"te") == names.count(b"content-length") == names.count(b"x-a") == 1


@pytest.mark.parametrize(("end", "length"), [(b"", b"3"), (b"0\r\n\r\n", None)])
async def test_a_chunked_body_that_is_here_has_a_length(end: bytes, length: bytes | None) -> None:
    """It is $content_length, which is known once the last chunk has come; one that still comes has none."""

    async def answer(call: Call) -> None:
        await call.head([(b":status", b"200"), (b"grpc-status", b"0")], end=True)

    async with http2_server(answer) as server:
        text = f"server {{ listen 127.0.0.1:8080; location / {{ grpc_pass 127.0.0.1:{server.port}; }} }}"
        async with serving(text) as engine, engine.connect() as client:
            head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            await client.send_all(head + b"3\r\nabc\r\n" + (b"" if end else b"0\r\n\r\n"))
            assert b" 200 " in await client.receive_some()
            if end:
                await client.send_all(end)
    assert dict(server.calls[0].fields).get(b"content-length") == length
