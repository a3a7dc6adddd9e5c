"""uwsgi's packet as a location's settings make it: modifiers, params, what stands behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gateway.protocol import uwsgi
from tests.engine import serving
from tests.fakes import farm


@pytest.mark.parametrize(
    ("directives", "modifiers", "tail"),
    [
        ("", (0, 0), b""),
        ("uwsgi_modifier1 5; uwsgi_modifier2 7;", (5, 7), b""),
        ("uwsgi_string behind;", (0, 0), b"behind"),
    ],
)
async def test_the_packet(directives: str, modifiers: tuple[int, int], tail: bytes, tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def app(stream: trio.SocketStream) -> None:
        asked.append(await stream.receive_some(65536))
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\nok\n")
        await stream.aclose()

    async with farm(tmp_path) as peers:
        address = await peers.unix(app)
        text = f"""server {{ listen 127.0.0.1:8080;
            location / {{ uwsgi_pass {address}; uwsgi_param URI $request_uri; uwsgi_param E "" ; {directives} }} }}"""
        async with serving(text) as engine:
            assert (await engine.get("/a?b", {"X-Y": "z"})).body == b"ok\n"
    packet = asked[0]
    assert packet.endswith(tail)
    # the string counts as a part of the packet, though it is no param
    size = int.from_bytes(packet[1:3], "little") - len(tail)
    decoded = uwsgi.decode(packet[:1] + size.to_bytes(2, "little") + packet[3:])
    assert decoded is not None
    first, second, pairs, rest = decoded
    assert (first, second) == modifiers
    assert dict(pairs)[b"URI"] == b"/a?b"
    assert dict(pairs)[b"HTTP_X_Y"] == b"z"
    assert rest == tail
