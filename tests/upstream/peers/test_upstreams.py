from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError, Where
from gateway.upstream.peers.address import inet_address, parse_target
from gateway.upstream.peers.peers import Server
from gateway.upstream.peers.upstreams import Upstreams, several, single

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
        block.servers.append(Server(b"127.0.0.1:1", [inet_address("127.0.0.1", 1)]))
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
    table.define(b"spare", HERE).servers.append(Server(b"x", [inet_address("127.0.0.1", 1)], backup=True))
    assert error_of(table) == 'no servers in upstream "spare" in nginx.conf:7'


def test_of_the_run_time() -> None:
    address = inet_address("127.0.0.1", 1)
    assert single(address).group.single
    assert [peer.name for peer in several(b"x", [address, address]).group.peers] == [address.name] * 2
