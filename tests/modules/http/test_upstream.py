from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.upstream.peers.peers import DRAINING
from tests.engine import load_http, serving
from tests.fakes import answer, close_at_once, farm


def servers(lines: str) -> list[object]:
    return load_http(f"upstream u {{ {lines} }} server {{ listen 127.0.0.1:8080; }}").upstreams.all[0].servers


def test_parameters() -> None:
    one, two, three = servers(
        "server 127.0.0.1:81 weight=5 max_conns=7 max_fails=3 fail_timeout=1m; server 127.0.0.2 backup down;"
        "server unix:/x drain route=r;"
    )
    assert (one.weight, one.max_conns, one.max_fails, one.fail_timeout) == (5, 7, 3, 60)  # type: ignore[attr-defined]
    assert two.backup and two.down and two.addresses[0].name == b"127.0.0.2:80"  # type: ignore[attr-defined]
    assert three.down == DRAINING and three.route == b"r"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "no servers are inside upstream"),
        ("server 127.0.0.1 weight=0;", 'invalid parameter "weight=0"'),
        ("server 127.0.0.1 weight=x;", 'invalid parameter "weight=x"'),
        ("server 127.0.0.1 fail_timeout=x;", 'invalid parameter "fail_timeout=x"'),
        ("server 127.0.0.1 what;", 'invalid parameter "what"'),
        ("server 127.0.0.1 route=;", "route is empty"),
        ("server 127.0.0.1:0;", 'invalid port in upstream "127.0.0.1:0"'),
        ("server no-such-host.invalid;", 'host not found in upstream "no-such-host.invalid"'),
        ("server 127.0.0.1 backup;", 'no servers in upstream "u"'),
        (
            "random; server 127.0.0.1 slow_start=5s;",
            'balancing method does not support parameter "slow_start=5s"',
        ),
        ("ip_hash; server 127.0.0.1 backup;", 'balancing method does not support parameter "backup"'),
    ],
)
def test_refused(lines: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        servers(lines)
    assert words in str(caught.value)


async def test_variables(tmp_path: Path) -> None:
    head = b"X-One: 1\r\nX-One: 2\r\nSet-Cookie: a=b; path=/\r\nContent-Length: 2\r\n\r\nok"
    async with farm(tmp_path) as peers:
        bad, good = await peers.tcp(close_at_once()), await peers.tcp(answer(head))
        text = f"""
            upstream u {{ server {bad}; server {good}; }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u;
                add_header V "$upstream_addr|$upstream_status|$upstream_http_x_one|$upstream_cookie_a";
                add_header T "$upstream_connect_time $upstream_header_time $upstream_response_time";
            }}
            location /none {{ return 200 "[$upstream_addr$upstream_http_x$upstream_cookie_x$upstream_trailer_x]"; }} }}
        """
        async with serving(text) as engine:
            reply = await engine.get("/")
            assert reply.header("v") == f"{bad}, {good}|502, 200|1, 2|b".encode()
            assert (reply.header("t") or b"").startswith(b"0.0")
            assert (await engine.get("/none")).body == b"[]"
