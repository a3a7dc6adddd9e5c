"""grpc: calls of all four kinds, trailers, errors, against a server of the h2 package."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from gateway.config.errors import ConfigError
from tests import certificates
from tests.engine import load_http, serving
from tests.http2_client import http2, request
from tests.http2_server import Call, http2_server

CONF = "server {{ listen 127.0.0.1:8080; http2 on; location / {{ grpc_pass {}; {} }} }}"
TE = (b"te", b"trailers")
HEAD = [(b":status", b"200"), (b"content-type", b"application/grpc")]
OK = [(b"grpc-status", b"0"), (b"grpc-message", b"")]


async def echo(call: Call) -> None:
    body = await call.whole()
    await call.head(HEAD)
    await call.data(body.upper())
    await call.trailers(OK)


async def test_a_unary_call() -> None:
    async with http2_server(echo) as server:
        text = CONF.format(f"grpc://127.0.0.1:{server.port}", "grpc_set_header X-Own $request_method;")
        async with serving(text) as engine, http2(engine) as client:
            answer = await client.post("/Service/Call", b"hello", TE, (b"content-type", b"application/grpc"))
    assert answer.status == 200 and answer.body == b"HELLO" and answer.trailers == OK
    [call] = server.calls
    assert call.fields[:4] == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/Service/Call"),
        (b":authority", b"127.0.0.1:%d" % server.port),
    ]
    assert call.get(b"te") == b"trailers" and call.get(b"x-own") == b"POST"
    assert call.get(b"host") is None and call.get(b"content-type") == b"application/grpc"


async def test_a_call_over_tls() -> None:
    context = certificates.server_context()
    context.set_alpn_protocols(["h2"])
    async with http2_server(echo, tls=context) as server:
        text = f"upstream u {{ server 127.0.0.1:{server.port}; }}" + CONF.format("grpcs://u", "")
        async with serving(text) as engine, http2(engine) as client:
            for word in (b"one", b"two"):
                answer = await client.post("/Service/Call", word, TE)
                assert answer.body == word.upper() and answer.trailers == OK
    assert [call.get(b":scheme") for call in server.calls] == [b"https", b"https"]
    assert len(server.conversations) == 1


async def test_host_is_the_authority() -> None:
    async with http2_server(echo) as server:
        text = CONF.format(f"127.0.0.1:{server.port}", "grpc_set_header Host $host; grpc_set_header TE '';")
        async with serving(text) as engine, http2(engine) as client:
            number = await client.begin(request("/a%20b?c", TE, method="POST", host="service"), end=False)
            await client.send(number, b"x", end=True)
            assert (await client.answer(number)).body == b"X"
    [call] = server.calls
    assert call.get(b":authority") == b"service" and call.get(b"te") is None and call.get(b":path") == b"/a%20b?c"


async def test_both_sides_speak_at_once() -> None:
    async def parrot(call: Call) -> None:
        await call.head(HEAD)
        at = 0
        while part := await call.part(at):
            at += len(part)
            await call.data(part.upper())
        await call.trailers(OK)

    async with (
        http2_server(parrot) as server,
        serving(CONF.format(f"127.0.0.1:{server.port}", "")) as engine,
        http2(engine) as client,
    ):
        number = await client.begin(request("/Chat", TE, method="POST"), end=False)
        answer = client.answers[number]
        for word in (b"one", b"two", b"three"):
            await client.send(number, word)
            await client.until(lambda word=word: answer.body.endswith(word.upper()))
        await client.send(number, b"", end=True)
        assert (await client.answer(number)).trailers == OK
    assert answer.body == b"ONETWOTHREE"


async def test_a_large_body_waits_for_the_peers_windows() -> None:
    body = bytes(range(256)) * 2000
    async with http2_server(echo) as server:
        text = CONF.format(f"127.0.0.1:{server.port}", "") + "client_max_body_size 10m;"
        async with serving(text) as engine, http2(engine) as client:
            answer = await client.post("/", body, TE)
    assert server.calls[0].body == body and answer.body == body.upper() and answer.trailers == OK


@pytest.mark.parametrize("tls", [False, True])
async def test_a_peer_with_wide_windows_has_no_need_to_speak(tls: bool) -> None:
    body = bytes(range(256)) * 20000
    context = certificates.server_context() if tls else None
    if context is not None:
        context.set_alpn_protocols(["h2"])

    async def listener(call: Call) -> None:
        assert await call.whole() == body
        await call.head(HEAD)
        await call.trailers(OK)

    async with http2_server(listener, window=False, tls=context, initial_window=1 << 30) as server:
        text = f"upstream u {{ server 127.0.0.1:{server.port}; }} client_max_body_size 10m;"
        text += CONF.format("grpcs://u" if tls else "grpc://u", "")
        async with serving(text) as engine, http2(engine) as client:
            for _ in range(2):
                answer = await client.post("/", body, TE)
                assert answer.status == 200 and answer.trailers == OK
    assert [len(call.body) for call in server.calls] == [len(body)] * 2 and len(server.conversations) == 1


@pytest.mark.parametrize("early", [False, True])
async def test_windows_that_open_once_let_the_whole_body_through(early: bool) -> None:
    """What waited of it is written when they open; then the client is read on, though the peer says nothing more."""
    opened = trio.Event()

    async def slow(call: Call) -> None:
        if early:
            await call.head(HEAD)
        await opened.wait()
        call.server.connection.increment_flow_control_window(1 << 20)
        call.server.connection.increment_flow_control_window(1 << 20, call.number)
        await call.server.flush()
        await call.whole()
        if not early:
            await call.head(HEAD)
        await call.trailers(OK)

    async with http2_server(slow, window=False) as server:
        text = CONF.format(f"127.0.0.1:{server.port}", "")
        async with serving(text) as engine, http2(engine) as client:
            number = await client.begin(request("/", TE, method="POST"), end=False)
            sent = 0
            while sent < 65535 + 16384 or client.connection.local_flow_control_window(number) > 0:
                await client.until(lambda: client.connection.local_flow_control_window(number) > 0)
                size = min(client.connection.local_flow_control_window(number), 10000)
                await client.send(number, bytes(size))
                sent += size
            opened.set()
            await client.until(lambda: client.connection.local_flow_control_window(number) > 0)
            await client.send(number, b"x", end=True)
            assert (await client.answer(number)).trailers == OK
        assert len(server.calls[0].body) == sent + 1


async def test_a_body_that_trickles_through_the_windows_renews_send_timeout(autojump_clock: MockClock) -> None:
    async def slow(call: Call) -> None:
        for _ in range(6):
            await trio.sleep(0.2)
            call.server.connection.increment_flow_control_window(1000)
            call.server.connection.increment_flow_control_window(1000, call.number)
            await call.server.flush()
        await call.whole()
        await call.head(HEAD)
        await call.trailers(OK)

    async with http2_server(slow, window=False) as server:
        text = CONF.format(f"127.0.0.1:{server.port}", "grpc_send_timeout 700ms; client_body_buffer_size 256k;")
        async with serving(text) as engine, http2(engine) as client:
            answer = await client.post("/", bytes(65535 + 6000), TE)
            assert answer.status == 200 and answer.trailers == OK


async def test_a_peer_whose_window_stays_shut_times_out() -> None:
    async def deaf(call: Call) -> None:
        await trio.sleep_forever()

    async with http2_server(deaf, window=False) as server:
        text = CONF.format(f"127.0.0.1:{server.port}", "grpc_send_timeout 100ms; client_body_buffer_size 256k;")
        async with serving(text) as engine, http2(engine) as client:
            number = await client.begin(request("/", TE, method="POST"), end=False)
            for _ in range(5):
                await client.until(lambda: client.connection.local_flow_control_window(number) >= 16000)
                await client.send(number, bytes(16000))
            assert (await client.answer(number)).status == 504
        assert len(server.calls[0].body) == 65535


async def test_an_answer_that_is_trailers_alone() -> None:
    async def refuse(call: Call) -> None:
        await call.whole()
        await call.head([*HEAD, (b"grpc-status", b"12")], end=True)

    async with http2_server(refuse) as server:
        text = f"upstream u {{ server 127.0.0.1:{server.port}; }}" + CONF.format("u", "")
        async with serving(text) as engine, http2(engine) as client:
            answer = await client.post("/", b"x", TE)
            assert answer.fields[b"grpc-status"] == b"12" and answer.ended and not answer.body
            await client.post("/", b"x", TE)
        assert len(server.conversations) == 1  # the connection was kept
        assert [call.number for call in server.calls] == [1, 3]


@pytest.mark.parametrize(
    ("code", "words"), [(7, "upstream rejected request with error 7"), (0, "upstream rejected request with error 0")]
)
async def test_a_stream_that_the_peer_resets(code: int, words: str) -> None:
    async def reset(call: Call) -> None:
        await call.refuse(code)

    async with http2_server(reset) as server, serving(CONF.format(f"127.0.0.1:{server.port}", "")) as engine:
        async with http2(engine) as client:
            assert (await client.post("/", b"x", TE)).status == 502
        assert [line for line in engine.log.lines if words in line]


async def test_a_client_that_cancels_ends_the_call() -> None:
    over = trio.Event()

    async def slow(call: Call) -> None:
        await call.head(HEAD)
        await call.data(b"first")
        try:
            await trio.sleep_forever()
        finally:
            over.set()  # the connection was closed

    async with (
        http2_server(slow) as server,
        serving(CONF.format(f"127.0.0.1:{server.port}", "")) as engine,
        http2(engine) as client,
    ):
        number = await client.begin(request("/", TE, method="POST"), end=False)
        await client.until(lambda: client.answers[number].body == b"first")
        client.connection.reset_stream(number, 8)
        await client.flush()
        with trio.fail_after(5):
            await over.wait()


async def test_another_peer_is_asked() -> None:
    text = "upstream u {{ server 127.0.0.1:{}; server 127.0.0.1:{}; }}"

    async def unavailable(call: Call) -> None:
        await call.head([(b":status", b"503")], end=True)

    async with http2_server(unavailable) as bad, http2_server(echo) as good:
        conf = text.format(bad.port, good.port) + CONF.format("grpc://u", "grpc_next_upstream http_503 non_idempotent;")
        async with serving(conf) as engine, http2(engine) as client:
            number = await client.begin(request("/", TE))
            answer = await client.answer(number)
    assert answer.status == 200 and len(bad.calls) == 1 and good.calls[0].get(b":authority") == b"u"


async def test_a_target_of_variables() -> None:
    async with http2_server(echo) as server:
        text = CONF.format("grpc://127.0.0.1:$arg_p", "")
        async with serving(text) as engine, http2(engine) as client:
            assert (await client.get(f"/?p={server.port}")).status == 200
    assert server.calls[0].get(b":authority") == b"127.0.0.1:%d" % server.port


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="duplicate"):
        load_http(CONF.format("127.0.0.1:1", "grpc_pass 127.0.0.1:2;"))
    with pytest.raises(ConfigError, match="no port"):
        load_http(CONF.format("grpc://nowhere", ""))
