from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.fakes import Peer, farm
from tests.stream_engine import load_stream, serving


def peer_name() -> Peer:
    async def peer(stream: object) -> None:
        await stream.send_all(stream.socket.getpeername()[0].encode())  # type: ignore[attr-defined]

    return peer


async def test_bind(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer_name())
        conf = f"""
            server {{ listen 1; proxy_pass {address}; proxy_bind 127.0.0.2; }}
            server {{ listen 2; proxy_pass {address}; proxy_bind $remote_addr; }}
            server {{ listen 3; proxy_pass {address}; proxy_bind $protocol; }}
        """
        async with serving(conf) as engine:
            assert await engine.talk() == b"127.0.0.2"
            assert await engine.talk(listening=1) == b"127.0.0.1"
            assert await engine.talk(listening=2) == b"127.0.0.1"
            assert len(engine.logged('invalid local address "TCP"')) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("proxy_pass 127.0.0.1;", 'no port in upstream "127.0.0.1"'),
        ("proxy_pass a:1; proxy_pass b:1;", '"proxy_pass" directive is duplicate'),
        ("proxy_pass a:b;", 'invalid port in upstream "a:b"'),
        ("proxy_protocol v3;", 'invalid value "v3"'),
        ("proxy_protocol maybe;", 'invalid value "maybe"'),
        ("proxy_pass 127.0.0.1:1; proxy_ssl on; proxy_ssl_verify on;", "no proxy_ssl_trusted_cert"),
        ("proxy_bind nowhere;", 'invalid address "nowhere"'),
        ("proxy_upload_rate x;", '"proxy_upload_rate" directive invalid value'),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_stream(f"server {{ listen 1; {line} }}")


@pytest.mark.parametrize("name", ["proxy_downstream_buffer", "proxy_upstream_buffer"])
def test_directives_of_old_are_a_warning(name: str) -> None:
    warned: list[ConfigError] = []
    load_stream(f"{name} 4k;", warnings=warned)
    words = f'the "{name}" directive is deprecated, use the "proxy_buffer_size" directive instead'
    assert [str(warning) for warning in warned] == [f"{words} in nginx.conf:2"]
