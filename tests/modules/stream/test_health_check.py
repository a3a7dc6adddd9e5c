from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import trio

from gateway.config.errors import ConfigError
from gateway.upstream.peers.peers import HEALTHY, UNHEALTHY, Peer
from tests.fakes import farm
from tests.lanes import until
from tests.stream_engine import Engine, load_stream, serving

GROUP = "upstream u { zone u 64k; server 127.0.0.1:1; }"


class Mail:
    """A peer that greets, in words that a test changes."""

    def __init__(self) -> None:
        self.greeting = b"220 mx\r\n"

    async def __call__(self, stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(self.greeting)
            async for data in stream:
                await stream.send_all(data)


def record_of(engine: Engine) -> Peer:
    (upstream,) = engine.cycle.upstreams.all
    assert upstream.shared is not None
    record: Peer = upstream.shared.members()[0]
    return record


async def test_a_peer_goes_and_comes_back(tmp_path: Path) -> None:
    peer = Mail()
    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer)
        conf = f"""
            upstream u {{ zone u 64k; server {address}; }}
            health_check_timeout 50ms;
            match smtp {{ expect ~ "^220 "; }}
            server {{ listen 1; proxy_pass u; health_check interval=10ms passes=2 fails=2 match=smtp; }}
        """
        async with serving(conf) as engine:
            record = record_of(engine)
            await until(lambda: record.checks > 3)
            assert record.health == HEALTHY
            peer.greeting = b"421 busy\r\n"
            await until(lambda: record.health == UNHEALTHY)
            (line,) = engine.logged("peer is unhealthy")
            assert f'health check "smtp" of peer {address} in upstream "u"' in line
            assert await engine.talk() == b""
            assert engine.logged("no live upstreams")
            peer.greeting = b"220 back\r\n"
            await until(lambda: record.health == HEALTHY)
            async with engine.connect() as client:
                assert await client.receive_some() == b"220 back\r\n"


def test_settings() -> None:
    cycle = load_stream(GROUP + r"""
        health_check_timeout 2s;
        match m { send "\x00\x01ping"; expect pong; }
        server { listen 1 udp; proxy_pass u; health_check udp match=m port=53 interval=3 jitter=1s
            mandatory persistent; }
    """)
    (upstream,) = cycle.upstreams.all
    (check,) = upstream.health_checks
    assert (check.interval_s, check.jitter_s, check.port, check.name) == (3.0, 1.0, 53, b"m")
    assert check.mandatory and check.persistent


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server { listen 1; proxy_pass u; health_check match=none; }", 'unknown match "none"'),
        ("server { listen 1; proxy_pass u; health_check interval=0; }", 'invalid parameter "interval=0"'),
        ("server { listen 1; proxy_pass u; health_check uri=/; }", 'invalid parameter "uri=/"'),
        ("server { listen 1; proxy_pass u; health_check persistent; }", 'the "persistent" parameter requires'),
        ("server { listen 1; proxy_pass 127.0.0.1:1; health_check; }", 'health checks require upstream "127.0.0.1"'),
        ("server { listen 1; return x; health_check; }", '"health_check" needs a proxy_pass without variables'),
        ("server { listen 1; proxy_pass $x; health_check; } map 1 $x { }", '"health_check" needs a proxy_pass without'),
        ("match m { } match m { }", 'duplicate match "m"'),
        ("match m { expect ! x; }", 'invalid value "!"'),
        ("match m { send a; send b; }", '"send" directive is duplicate'),
        ("match m { status 200; }", '"status" directive is not allowed here'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_stream(GROUP + text)
    assert str(caught.value).startswith(message)
