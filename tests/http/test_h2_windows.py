"""The windows of a connection and its streams, as a client sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway._fast.errors import Http2Error
from gateway.http.h2_windows import Windows
from gateway.protocol import http2_frames
from tests import http2_frames as wire
from tests.engine import serving
from tests.http2_client import Http2Client, http2, request

SERVER = "server { listen 127.0.0.1:8080; server_name localhost; http2 on; %s }"


def test_the_clients_window_is_made_wide_again_in_time() -> None:
    windows = Windows()
    assert windows.take_in(1000) == 0
    taken = http2_frames.MAX_WINDOW // 4 * 3
    assert windows.take_in(taken) == taken + 1000
    windows.receive = 5
    with pytest.raises(Http2Error, match="violated connection flow control: received DATA frame length 6"):
        windows.take_in(6)


def test_the_connections_window_does_not_overflow() -> None:
    windows = Windows()
    windows.widen(wire.MAX_WINDOW - 65535)
    with pytest.raises(Http2Error, match="window increment 1 not allowed for window 2147483647"):
        windows.widen(1)


async def widen(client: Http2Client, number: int, increment: int) -> None:
    client.connection.increment_flow_control_window(increment, number)
    await client.flush()


async def begin_with(client: Http2Client, size: int) -> None:
    client.connection.update_settings({4: size})
    await client.flush()


async def test_settings_change_the_windows_of_all_streams(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(100)))
    async with serving(SERVER % f"root {tmp_path};") as engine, http2(engine, INITIAL_WINDOW_SIZE=0) as client:
        client.auto_window = False
        numbers = [await client.begin(request("/file")) for _ in range(20)]
        answers = [client.answers[number] for number in numbers]
        await client.until(lambda: all(answer.fields for answer in answers))
        assert not any(answer.body for answer in answers)
        await widen(client, numbers[0], 3)
        await client.until(lambda: answers[0].body == bytes(range(3)))
        await begin_with(client, 10)
        await client.until(lambda: all(answer.body[:10] == bytes(range(10)) for answer in answers))
        await client.until(lambda: len(answers[0].body) == 13)
        await begin_with(client, 5)  # the windows are below nothing now
        await begin_with(client, 9)
        await widen(client, numbers[1], 1)
        assert (await client.get("/none", method="HEAD")).status == 404
        assert [len(answer.body) for answer in answers] == [13] + 19 * [10]
        await begin_with(client, 100)
        for number in numbers:
            assert (await client.answer(number)).body == bytes(range(100))


async def test_a_window_that_overflows_ends_its_stream_alone(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(200_000))
    async with serving(SERVER % f"root {tmp_path};") as engine, http2(engine, INITIAL_WINDOW_SIZE=0) as client:
        client.auto_window = False
        one, two = [await client.begin(request("/large")) for _ in range(2)]
        await client.until(lambda: all(client.answers[number].fields for number in (one, two)))
        await widen(client, one, wire.MAX_WINDOW)
        await client.until(lambda: len(client.answers[one].body) == 65535)  # all that the connection lets through
        await client.raw(wire.settings([(4, 65535)]))
        assert (await client.get("/none", method="HEAD")).status == 404
        assert client.answers[one].reset is None
        await client.raw(wire.settings([(4, 65536)]))
        await client.until(lambda: client.answers[one].reset is not None)
        assert client.answers[one].reset == wire.FLOW_CONTROL_ERROR
        assert (await client.get("/none", method="HEAD")).status == 404
        assert client.answers[two].reset is None
