from __future__ import annotations

from pathlib import Path

import trio

from gateway.core.event_log import the_events
from tests.fakes import Peer, close_at_once, farm, silent
from tests.stream_engine import Engine, serving


def echo(first: bytes = b"") -> Peer:
    async def peer(stream: trio.SocketStream) -> None:
        if first:
            await stream.send_all(first)
        async for data in stream:
            await stream.send_all(data.upper())

    return peer


async def exactly(client: trio.SocketStream, count: int) -> bytes:
    data = b""
    with trio.fail_after(5):
        while len(data) < count:
            more = await client.receive_some()
            assert more
            data += more
    return data


def statuses(engine: Engine) -> list[int]:
    """Of the sessions that end from now on."""
    seen: list[int] = []
    for server in engine.cycle.servers:
        server.plan.log_handlers = [lambda session: seen.append(session.status)]
    return seen


async def test_bytes_both_ways(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(echo(b"hello"))
        async with serving(f"server {{ listen 1; proxy_pass {address}; }}") as engine:
            seen = statuses(engine)
            async with engine.connect() as client:
                assert await exactly(client, 5) == b"hello"
                await client.send_all(b"abc")
                assert await exactly(client, 3) == b"ABC"
            await engine.ended()
            assert seen == [200]
            assert len(engine.logged(f"connected to {address}")) == 1
            line = "client disconnected, bytes from/to client:3/8, bytes from/to upstream:8/3"
            assert len(engine.logged(line)) == 1


async def test_much_both_ways(tmp_path: Path) -> None:
    data = b"abcdefgh" * 100_000
    async with farm(tmp_path) as peers:
        address = await peers.unix(echo())
        conf = f"proxy_buffer_size 1k; server {{ listen 1; proxy_pass {address}; }}"
        async with serving(conf) as engine, engine.connect() as client, trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, data)
            assert await exactly(client, len(data)) == data.upper()


async def test_the_upstreams_end_ends_the_session(tmp_path: Path) -> None:
    async def says(stream: trio.SocketStream) -> None:
        await stream.send_all(b"x" * 100_000)

    async with farm(tmp_path) as peers:
        address = await peers.tcp(says)
        async with serving(f"server {{ listen 1; proxy_pass {address}; }}") as engine:
            assert await engine.talk() == b"x" * 100_000
            await engine.ended()
            assert len(engine.logged("upstream disconnected, bytes from/to client:0/100000")) == 1


async def test_half_close(tmp_path: Path) -> None:
    async def after_the_end(stream: trio.SocketStream) -> None:
        data = b""
        async for more in stream:
            data += more
        await stream.send_all(data.upper())

    async with farm(tmp_path) as peers:
        address = await peers.tcp(after_the_end)
        conf = f"server {{ listen 1; proxy_pass {address}; proxy_half_close on; }}"
        conf += f"server {{ listen 2; proxy_pass {address}; }}"
        async with serving(conf) as engine:
            for listening, expected in ((0, b"ABC"), (1, b"")):
                async with engine.connect(listening) as client:
                    await client.send_all(b"abc")
                    await client.send_eof()
                    data = b""
                    async for more in client:
                        data += more
                    assert data == expected


async def test_proxy_protocol_and_what_came_behind_it(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(echo())
        conf = f"""
            server {{ listen 1 proxy_protocol; set_real_ip_from 127.0.0.1; proxy_protocol on; proxy_pass {address}; }}
        """
        async with serving(conf) as engine, engine.connect() as client:
            await client.send_all(b"PROXY TCP6 2001:db8::1 ::2 1 2\r\nabc")
            expected = b"PROXY TCP6 2001:DB8::1 UNIX: 1 0\r\nABC"
            assert await exactly(client, len(expected)) == expected


async def test_next_upstream_and_its_limits(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        one, two, good = await peers.refusing(), await peers.refusing(), await peers.tcp(echo(b"hi"))
        block = "server {{ listen {}; proxy_pass u; {} }}"
        conf = f"upstream u {{ server {one} max_fails=0; server {two} max_fails=0; server {good} backup; }}"
        conf += block.format(1, "") + block.format(2, "proxy_next_upstream off;")
        conf += block.format(3, "proxy_next_upstream_tries 2;")
        async with serving(conf) as engine:
            seen = statuses(engine)
            async with engine.connect() as client:
                assert await exactly(client, 2) == b"hi"
            await engine.ended()
            assert len(engine.logged("connect() failed (111: Connection refused)")) == 2
            assert await engine.talk(listening=1) == b""
            assert await engine.talk(listening=2) == b""
            await engine.ended()
            assert seen == [200, 502, 502]
            line = engine.logged("connect() failed")[-1]
            assert "while connecting to upstream, client: 127.0.0.1, server: 0.0.0.0:3, upstream: " in line
            assert line.endswith(", bytes from/to client:0/0, bytes from/to upstream:0/0")


async def test_a_peer_that_failed_is_left_alone_for_a_while_and_the_log_says_so(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        one, two = await peers.refusing(), await peers.tcp(echo(b"hi"))
        conf = f"upstream u {{ server {one}; server {two}; }} server {{ listen 1; proxy_pass u; }}"
        async with serving(conf) as engine:
            for _ in range(2):
                async with engine.connect() as client:
                    assert await exactly(client, 2) == b"hi"
            await engine.ended()
            (line,) = engine.logged("upstream server temporarily disabled")
            assert "[warn]" in line and len(engine.logged("connect() failed")) == 1
        event = the_events().newest()[0]
        assert event["object"] == f"u {one}" and event["text"] == "is left alone for 10 s after 1 failure"
        assert event["cause"] == "111: Connection refused while connecting to upstream"


async def test_a_peer_that_takes_connections_again_is_back(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        one, two = await peers.tcp(echo(b"hi")), await peers.refusing()
        conf = f"upstream u {{ server {one}; server {two} down; }} server {{ listen 1; proxy_pass u; }}"
        async with serving(conf) as engine:
            (upstream,) = engine.cycle.upstreams.all
            peer = upstream.group.peers[0]
            peer.fails, peer.accessed, peer.checked = 1, 1, 1
            peer.left()
            async with engine.connect() as client:
                assert await exactly(client, 2) == b"hi"
                assert (peer.fails, peer.downstart) == (0, 0)
            await engine.ended()
        event = the_events().newest()[0]
        assert (event["object"], event["text"]) == (f"u {one}", "is back: it answered again")


async def test_no_live_upstreams(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        one, two = await peers.refusing(), await peers.refusing()
        conf = f"upstream u {{ server {one} down; server {two} down; }} server {{ listen 1; proxy_pass u; }}"
        async with serving(conf) as engine:
            seen = statuses(engine)
            assert await engine.talk() == b""
            await engine.ended()
            assert seen == [502]
            assert len(engine.logged("no live upstreams while connecting to upstream")) == 1


async def test_nothing_happens_for_proxy_timeout(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(silent())
        async with serving(f"proxy_timeout 30ms; server {{ listen 1; proxy_pass {address}; }}") as engine:
            assert await engine.talk() == b""
            (line,) = engine.logged("connection timed out (110: Connection timed out)")
            assert "[info]" in line and "while proxying connection" in line


async def test_variables_name_the_upstream(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(close_at_once())
        conf = f"upstream at40000 {{ server {address}; }}"
        targets = ("at$remote_port", f"{address}$upstream_addr", "$protocol", "a.test:$remote_port")
        for port, target in enumerate(targets):
            conf += f"server {{ listen {port + 1}; proxy_pass {target}; }}"
        async with serving(conf) as engine:
            seen = statuses(engine)
            for listening in range(4):
                await engine.talk(listening=listening)
            await engine.ended()
            assert seen == [200, 200, 500, 500]
            assert peers.hits[address] == 2
            assert len(engine.logged('no port in upstream "TCP"')) == 1
            assert len(engine.logged("no resolver defined to resolve a.test")) == 1


async def test_rates(tmp_path: Path) -> None:
    async def says(stream: trio.SocketStream) -> None:
        await stream.send_all(b"x" * 3000)

    async with farm(tmp_path) as peers:
        address = await peers.tcp(says)
        async with serving(f"server {{ listen 1; proxy_download_rate 10k; proxy_pass {address}; }}") as engine:
            began = engine.worker.lane.now
            assert await engine.talk() == b"x" * 3000
            assert engine.worker.lane.now - began >= 0.2  # its bytes stand for 0.29 s


async def test_what_came_early_counts_for_the_rate(tmp_path: Path) -> None:
    """Bytes behind a PROXY protocol header are there before there is an upstream: they are the first of the rate."""
    async with farm(tmp_path) as peers:
        server = f"listen 1 proxy_protocol; proxy_pass {await peers.tcp(echo())}; proxy_upload_rate 50;"
        async with serving(f"server {{ {server} }}") as engine, engine.connect() as client:
            await client.send_all(b"PROXY UNKNOWN\r\n" + b"x" * 500)
            assert await exactly(client, 500) == b"X" * 500
            await client.send_all(b"more")
            with trio.move_on_after(0.3) as waited:
                await client.receive_some()
            assert waited.cancelled_caught
            engine.worker.abort()


async def test_what_is_read_while_connecting_is_paid_for(tmp_path: Path) -> None:
    """A second of the rate passes behind it, not what is left of the clock's present second."""
    async with farm(tmp_path) as peers:
        server = f"listen 1; proxy_pass {await peers.tcp(echo())}; proxy_upload_rate 1000;"
        async with serving(f"server {{ {server} }}") as engine, engine.connect() as client:
            await client.send_all(b"x" * 1001)
            assert await exactly(client, 1000) == b"X" * 1000
            began = engine.worker.lane.fresh()
            assert await exactly(client, 1) == b"X"
            assert engine.worker.lane.fresh() - began > 0.9
            engine.worker.abort()
