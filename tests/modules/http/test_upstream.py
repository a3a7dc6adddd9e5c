from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from gateway.upstream.peers.peers import DRAINING
from tests.engine import load_http, serving
from tests.fakes import answer, close_at_once, farm


def servers(lines: str) -> Any:
    return load_http(f"upstream u {{ {lines} }} server {{ listen 127.0.0.1:8080; }}").upstreams.all[0].servers


def test_parameters() -> None:
    one, two, three = servers(
        "server 127.0.0.1:81 weight=5 max_conns=7 max_fails=3 fail_timeout=1m; server 127.0.0.2 backup down;"
        "server unix:/x drain route=r;"
    )
    assert (one.weight, one.max_conns, one.max_fails, one.fail_timeout) == (5, 7, 3, 60)
    assert two.backup and two.down and two.addresses[0].name == b"127.0.0.2:80"
    assert three.down == DRAINING and three.route == b"r"


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


@pytest.mark.parametrize("line", ["uwsgi_pass", "fastcgi_pass", "scgi_pass", "tunnel_pass", "proxy_pass http://"])
def test_a_group_may_be_named_like_an_address(line: str) -> None:
    to = "" if line.endswith("/") else " "
    cycle = load_http(f"""
        upstream 192.0.2.7 {{ server 127.0.0.1:9000; }}
        server {{ listen 127.0.0.1:80; location / {{ {line}{to}192.0.2.7; }} }}
    """)
    (upstream,) = cycle.upstreams.all
    assert [peer.name for peer in upstream.group.peers] == [b"127.0.0.1:9000"]
    with pytest.raises(ConfigError, match=r'upstream "192.0.2.7" may not have port 90'):
        load_http(f"""
            upstream 192.0.2.7 {{ server 127.0.0.1:9000; }}
            server {{ listen 127.0.0.1:80; location / {{ {line}{to}192.0.2.7:90; }} }}
        """)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("upstream u {\n\n}", "no servers are inside upstream in nginx.conf:4"),
        ("server { location /a { } location /a { } }\nfoo;", 'unknown directive "foo"'),
        ("server { location /a { }\n location /a { } }", 'duplicate location "/a" in nginx.conf:3'),
        (
            "upstream u { server 127.0.0.1 backup; } server { location /a { } location /a { } }",
            'no servers in upstream "u"',
        ),
        (
            "upstream u { server a.b resolve; } server { proxy_cache z; }",
            'requires upstream "u" in nginx.conf:2 to be in',
        ),
        (
            "upstream u { zone z 64k; server a.b resolve; }\n upstream v { server 127.0.0.1 backup; }",
            'no resolver defined .* upstream "u" in nginx.conf:2',
        ),
        ("server { listen 1 default_server; } server { listen 1 default_server; }\nfoo;", "a duplicate default server"),
        ("server { listen 1 bind; } server { listen 1 bind; }\nfoo;", "duplicate listen options for 0.0.0.0:1"),
        ("server { secure_link $uri; secure_link_secret a;\n}\n", "cannot be mixed with .* in nginx.conf:5"),
        ("types { a/b { c; } }", 'unexpected "{" in nginx.conf:2'),
    ],
)
def test_what_is_said_first_and_where(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_http(text)
