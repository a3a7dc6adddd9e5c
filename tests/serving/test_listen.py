"""What `listen` means, in each block that has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from gateway.serving.cycle import BlockCycle
from tests.engine import load_http, warnings_of
from tests.stream_engine import load_stream

Load = Callable[[str], BlockCycle]

BLOCKS = pytest.mark.parametrize(("load", "content"), [(load_http, "return 200 a"), (load_stream, "return a")])


@BLOCKS
@pytest.mark.parametrize(
    ("word", "field", "value"),
    [
        ("backlog=7", "backlog", 7),
        ("rcvbuf=8k", "rcvbuf", 8192),
        ("sndbuf=9", "sndbuf", 9),
        ("fastopen=3", "fastopen", 3),
        ("reuseport", "reuseport", True),
        ("deferred", "deferred", True),
        ("multipath", "multipath", True),
        ("ipv6only=off", "ipv6only", False),
        ("so_keepalive=on", "keepalive", True),
        ("so_keepalive=off", "keepalive", False),
        ("so_keepalive=2m::9", "keepidle", 120),
        ("so_keepalive=:5:", "keepintvl", 5),
        ("so_keepalive=::9", "keepcnt", 9),
    ],
)
def test_a_socket_option(load: Load, content: str, word: str, field: str, value: Any) -> None:
    cycle = load(f"server {{ listen 81; {content}; }} server {{ listen 127.0.0.1:81 {word}; {content}; }}")
    # an address with options has a socket of its own, beside the wildcard's
    assert [address.text for address in cycle.listens] == ["0.0.0.0:81", "127.0.0.1:81"]
    assert getattr(cycle.listens[1], field) == value


@BLOCKS
def test_bind_makes_a_socket_and_its_absence_none(load: Load, content: str) -> None:
    text = "server {{ listen 81; {0}; }} server {{ listen 127.0.0.1:81 {1}; {0}; }}"
    assert len(load(text.format(content, "bind")).listens) == 2
    assert len(load(text.format(content, "")).listens) == 1


@BLOCKS
@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("81 nonsense", "82", 'invalid parameter "nonsense"'),
        ("81 udp=on", "82", 'invalid parameter "udp=on"'),
        ("81 backlog=0", "82", 'invalid backlog "backlog=0"'),
        ("81 rcvbuf=x", "82", 'invalid rcvbuf "rcvbuf=x"'),
        ("81 fastopen=x", "82", 'invalid fastopen "fastopen=x"'),
        ("81 ipv6only=oft", "82", 'invalid ipv6only flags "oft"'),
        ("81 so_keepalive=::", "82", 'invalid so_keepalive value: "::"'),
        ("81; listen 81", "82", "a duplicate listen 0.0.0.0:81"),
        ("81 bind", "81 backlog=9", "duplicate listen options for 0.0.0.0:81"),
        ("81 default_server", "81 default_server", "a duplicate default server for 0.0.0.0:81"),
    ],
)
def test_refused(load: Load, content: str, first: str, second: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"server {{ listen {first}; {content}; }} server {{ listen {second}; {content}; }}")
    assert caught.value.message == message


def test_a_port_may_be_left_out_where_there_is_a_default() -> None:
    assert load_http("server { listen 127.0.0.1; return 200 a; }").listens[0].text == "127.0.0.1:80"
    with pytest.raises(ConfigError, match=r'no port in "127\.0\.0\.1"'):
        load_stream("server { listen 127.0.0.1; return a; }")


def test_words_of_http_alone() -> None:
    text = "server {{ listen 81; {0}; }} server {{ listen 81 {1}; {0}; }}"
    (listening,) = load_http(text.format("return 200 a", "default")).listenings
    assert listening.only.default.where.line == 2
    for word in ("default", "http2", "quic"):
        with pytest.raises(ConfigError, match=f'invalid parameter "{word}"'):
            load_stream(text.format("return a", word))


def test_what_this_system_has_not_is_a_warning() -> None:
    words = 'accept filters "accept_filter=dataready" are not supported on this platform, ignored'
    assert warnings_of("server { listen 81 accept_filter=dataready; }") == [f"{words} in nginx.conf:2"]
