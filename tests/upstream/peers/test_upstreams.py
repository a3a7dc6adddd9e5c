from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError, Where
from gateway.upstream.peers.address import inet_address, parse_target
from gateway.upstream.peers.peers import UpstreamServer
from gateway.upstream.peers.upstreams import Upstreams, several, single
from tests.engine import load_http

HERE = Where("nginx.conf", 7)


def test_a_block_before_or_after_its_use() -> None:
    for block_first in (True, False):
        table = Upstreams()
        if block_first:
            block = table.define(b"App", HERE)
        used = table.refer(parse_target(b"app"), HERE)
        if not block_first:
            block = table.define(b"App", HERE)
        assert used is block
        block.servers.append(UpstreamServer(b"127.0.0.1:1", [inet_address("127.0.0.1", 1)]))
        table.finish()
        assert [peer.name for peer in used.group.peers] == [b"127.0.0.1:1"]
        assert table.find(parse_target(b"APP")) is block


def test_same_address_same_upstream() -> None:
    table = Upstreams()
    one = table.refer(parse_target(b"127.0.0.1:81"), HERE)
    assert table.refer(parse_target(b"127.0.0.1:81"), HERE) is one
    assert table.refer(parse_target(b"127.0.0.1:82"), HERE) is not one
    unix = table.refer(parse_target(b"unix:/a"), HERE)
    table.finish()
    assert one.group.single and unix.group.peers[0].name == b"unix:/a"
    assert table.find(parse_target(b"127.0.0.1:81")) is one
    assert table.find(parse_target(b"127.0.0.1:83")) is None


def test_host_names() -> None:
    table = Upstreams()
    one = table.refer(parse_target(b"localhost:81"), HERE)
    table.finish()
    assert b"127.0.0.1:81" in [peer.name for peer in one.group.peers]


def error_of(table: Upstreams) -> str:
    with pytest.raises(ConfigError) as caught:
        table.finish()
    return str(caught.value)


def test_errors() -> None:
    table = Upstreams()
    table.define(b"a", HERE)
    with pytest.raises(ConfigError, match='duplicate upstream "A" in nginx'):
        table.define(b"A", HERE)
    with pytest.raises(ConfigError, match='upstream "a" may not have port 80 in nginx'):
        table.refer(parse_target(b"a:80"), HERE)
    table = Upstreams()
    table.refer(parse_target(b"b:80"), HERE)
    with pytest.raises(ConfigError, match='upstream "b" may not have port 80'):
        table.define(b"b", HERE)
    table = Upstreams()
    table.refer(parse_target(b"nobody"), HERE)
    assert error_of(table) == 'no port in upstream "nobody" in nginx.conf:7'
    table = Upstreams()
    table.refer(parse_target(b"no-such-host.invalid:80"), HERE)
    assert error_of(table) == 'host not found in upstream "no-such-host.invalid" in nginx.conf:7'
    table = Upstreams()
    table.define(b"spare", HERE).servers.append(UpstreamServer(b"x", [inet_address("127.0.0.1", 1)], backup=True))
    assert error_of(table) == 'no servers in upstream "spare" in nginx.conf:7'


def test_of_the_run_time() -> None:
    address = inet_address("127.0.0.1", 1)
    assert single(address).group.single
    assert [peer.name for peer in several(b"x", [address, address]).group.peers] == [address.name] * 2


@pytest.mark.parametrize("name", ["192.0.2.7", "[2001:db8::7]"])
@pytest.mark.parametrize("first", [True, False])
def test_a_group_named_like_an_address(name: str, first: bool) -> None:
    group = f"upstream {name} {{ server 127.0.0.1:3000; }}"
    server = f"""server {{ listen 127.0.0.1:80; location / {{ proxy_pass http://{name}; }}
        location /u {{ uwsgi_pass {name}; }} location /f {{ fastcgi_pass {name}; }}
        location /s {{ scgi_pass {name}; }} }}"""
    cycle = load_http(group + server if first else server + group)
    assert [[peer.name for peer in upstream.group.peers] for upstream in cycle.upstreams.all] == [[b"127.0.0.1:3000"]]


def test_a_group_named_like_an_address_has_no_port() -> None:
    group = "upstream 192.0.2.7 { server 127.0.0.1:3000; }"
    server = "server { listen 127.0.0.1:80; location / { proxy_pass http://192.0.2.7:80; } }"
    for text in (group + server, server + group):
        with pytest.raises(ConfigError, match=r'upstream "192\.0\.2\.7" may not have port 80'):
            load_http(text)
