"""set of the stream block."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.stream_engine import load_stream, serving


async def test_values() -> None:
    conf = """
        map $a $mapped { x X; default other; }
        server { listen 1; set $a x; set $b "$a$mapped"; return "$b"; }
        server { listen 2; return "[$a]"; }
        server { listen 3; set $mapped own; return $mapped; }
    """
    async with serving(conf) as engine:
        assert [await engine.talk(listening=number) for number in range(3)] == [b"xX", b"[]", b"own"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("set a b;", 'invalid variable name "a"'),
        ("set $remote_addr b;", 'the duplicate "remote_addr" variable'),
        ("set $a $nosuch;", 'unknown "nosuch" variable'),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("$", "[$]")):
        load_stream(f"server {{ listen 1; {line} return a; }}")
