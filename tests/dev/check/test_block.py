"""Blocks of a configuration: what stands around, and what holds where."""

from __future__ import annotations

import pytest

from gateway.config.parser import parse
from gateway.dev.check.block import Block

CONFIG = Block(None, list(parse("""
http {
    add_header A 1;
    client_max_body_size 5m;
    server {
        add_header B 1;
        location ~* \\.x$ { proxy_pass http://a; }
        location ^~ /y { add_header C 1; if ($z) { return 200; } }
        location =/z { }
    }
}
""").statements), None)  # fmt: skip


def test_walking() -> None:
    assert [block.name for block in CONFIG.walk()] == [
        "main",
        "http",
        "server",
        "location",
        "location",
        "if",
        "location",
    ]
    assert [statement.args[0] for _, statement in CONFIG.everywhere("add_header")] == ["A", "B", "C"]


@pytest.mark.parametrize(("number", "modifier", "path"), [(0, "~*", "\\.x$"), (1, "^~", "/y"), (2, "=", "/z")])
def test_locations(number: int, modifier: str, path: str) -> None:
    location = list(CONFIG.walk("location"))[number]
    assert (location.modifier, location.path) == (modifier, path)


def test_what_holds() -> None:
    first, second, _ = CONFIG.walk("location")
    assert [each.args[0] for each in first.effective("add_header")] == ["B"]
    assert [each.args[0] for each in second.effective("add_header")] == ["C"]
    assert first.value("client_max_body_size") == "5m"
    assert first.value("root", "html") == "html"
    passing = first.passes()
    assert passing is not None and passing.name == "proxy_pass"
    (condition,) = CONFIG.walk("if")
    around = condition.around("location")
    assert around is second
