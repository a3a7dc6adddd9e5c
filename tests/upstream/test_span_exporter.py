"""Batches of spans, sent to gRPC's own server."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trustme

from gateway.core.logs import Log
from gateway.protocol import otlp
from gateway.upstream.span_exporter import Exporter, Target
from tests.collector import Collector, grpc
from tests.engine import MemorySink
from tests.http2_server import Call, http2_server
from tests.spans import span as made_span

SOURCE = otlp.origin([(b"service.name", b"x")], b"gateway", b"1")


def span(number: int, size: int = 0) -> bytes:
    said = [(b"x", b"x" * size)] if size else []
    return made_span(number.to_bytes(16, "big"), number.to_bytes(8, "big"), b"n%d" % number, 1, 2, said)


@asynccontextmanager
async def exporting(target: Target, **options: Any) -> AsyncIterator[tuple[Exporter, MemorySink]]:
    sink = MemorySink()
    exporter = Exporter(target, SOURCE, Log(sink), **options)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exporter.run)
        yield exporter, sink
        nursery.cancel_scope.cancel()


async def until(collector: Collector, spans: int) -> None:
    await trio.to_thread.run_sync(collector.wait, lambda seen: len(seen.spans) >= spans)


async def said(sink: MemorySink) -> str:
    with trio.fail_after(30):
        while not sink.lines:
            await trio.sleep(0.01)
    return sink.lines[0]


async def test_batches() -> None:
    fields = ((b"x-key", b"secret"),)
    with Collector().serving() as collector:
        target = Target("127.0.0.1", collector.port, fields=fields)
        async with exporting(target, batch_size=3, interval_s=60) as (exporter, sink):
            for number in range(1, 7):
                assert exporter.add(span(number))
            await until(collector, 6)
            assert [len(each.resource_spans[0].scope_spans[0].spans) for each in collector.requests] == [3, 3]
            assert exporter.add(span(7))
        # the one that was not full is sent when the task ends
        assert [each.name for each in collector.spans] == [f"n{number}" for number in range(1, 8)]
        assert {each["x-key"] for each in collector.fields} == {"secret"}
        assert not sink.lines


async def test_the_interval() -> None:
    with Collector().serving() as collector:
        async with exporting(Target("localhost", collector.port), interval_s=0.01) as (exporter, _):
            for number in range(1, 4):
                exporter.add(span(number))
                await until(collector, number)
        assert len(collector.peers) == 1  # the connection is kept


async def test_more_than_a_window_takes() -> None:
    with Collector().serving() as collector:
        async with exporting(Target("127.0.0.1", collector.port), batch_size=50) as (exporter, sink):
            for number in range(50):
                exporter.add(span(number, 30_000))
            await until(collector, 50)
        assert not sink.lines


async def test_a_collector_that_is_away_and_comes_back() -> None:
    with Collector().serving() as collector:
        port = collector.port
    async with exporting(Target("127.0.0.1", port), batch_size=1, batch_count=2) as (exporter, sink):
        assert exporter.add(span(1)) and exporter.add(span(2))
        assert not exporter.add(span(3))  # two are kept
        line = await said(sink)
        assert "[error]" in line and f"OTel export failure: connect() to 127.0.0.1:{port} failed" in line
        assert line.endswith("(1 spans)")
        with Collector().serving(port) as collector:
            with trio.fail_after(30):
                while not exporter.add(span(4)):
                    await trio.sleep(0.01)
            await until(collector, 1)
            peers = collector.peers
        with Collector().serving(port) as collector:  # the connection that was kept is over
            exporter.add(span(5))
            await until(collector, 1)
            assert collector.peers != peers


def _unavailable(context: Any, answer: Any) -> None:
    context.abort(grpc.StatusCode.UNAVAILABLE, "come later, Ü")


def _rejecting(context: Any, answer: Any) -> None:
    answer.partial_success.rejected_spans = 1
    answer.partial_success.error_message = "too old"


@pytest.mark.parametrize(
    ("answer", "words"),
    [(_unavailable, "grpc-status 14: come later, Ü"), (_rejecting, "1 were rejected: too old")],
)
async def test_what_a_collector_refuses(answer: Any, words: str) -> None:
    with Collector(answer).serving() as collector:
        async with exporting(Target("127.0.0.1", collector.port), batch_size=1) as (exporter, sink):
            exporter.add(span(1))
            line = (await said(sink)).encode("latin-1").decode()
            assert f"OTel export failure: {words} (1 spans)" in line
            await until(collector, 1)
        assert len(collector.requests) == 1  # what was answered is not asked again


@pytest.mark.parametrize("known", [True, False])
async def test_tls(known: bool) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    pair = certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    if known:
        authority.configure_trust(context)
    with Collector().serving(tls=pair) as collector:
        async with exporting(Target("localhost", collector.port, context), batch_size=1) as (exporter, sink):
            exporter.add(span(1))
            if known:
                await until(collector, 1)
            else:
                assert "TLS handshake failed" in await said(sink)
        assert bool(collector.requests) == known


@pytest.mark.parametrize(
    ("status", "fields", "words"),
    [
        (b"404", [], "the collector answered with status 404"),
        (b"200", [], "grpc-status missing"),
        (b"200", [(b"grpc-status", b"12")], "grpc-status 12"),
    ],
)
async def test_what_is_no_collector(status: bytes, fields: list[tuple[bytes, bytes]], words: str) -> None:
    async def answer(call: Call) -> None:
        await call.whole()
        await call.head([(b":status", status), (b"content-type", b"application/grpc"), *fields], end=True)

    async with http2_server(answer) as server, exporting(Target("127.0.0.1", server.port), batch_size=1) as pair:
        exporter, sink = pair
        exporter.add(span(1))
        assert f"OTel export failure: {words} (1 spans)" in await said(sink)


async def test_one_that_hangs(autojump_clock: trio.testing.MockClock) -> None:
    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, silent, listeners)
        port = listeners[0].socket.getsockname()[1]
        async with exporting(Target("127.0.0.1", port), batch_size=1) as (exporter, sink):
            exporter.add(span(1))
            assert "no answer within 10 seconds" in await said(sink)
            exporter.add(span(2))
        # at the end it is waited for no longer than two seconds
        assert len(sink.lines) == 1
        nursery.cancel_scope.cancel()
