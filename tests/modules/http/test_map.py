"""map: what goes first, hostnames, regular expressions and their captures, values with variables, volatile."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving


def shown(maps: str, value: str) -> str:
    return f'{maps} server {{ listen 127.0.0.1:8080; location / {{ return 200 "{value}"; }} }}'


async def test_plain_keys_ignore_case() -> None:
    maps = "map $args $x { default 0; foo bar; Foo2 $y; \\include inc; '' empty; } map $args $y { default d; }"
    async with serving(shown(maps, "$x")) as engine:
        for key, value in {
            "1": b"0",
            "foo": b"bar",
            "FOO": b"bar",
            "foo2": b"d",
            "include": b"inc",
            "": b"empty",
        }.items():
            assert (await engine.get("/?" + key)).body == value


HOSTS = """
map $arg_h $x {
    hostnames;
    example.com exact;
    example.* tail;
    *.example.com head;
    *.long.example.com longer;
    .dot.com dot;
    ~^RE\\.org$ sensitive;
    ~*^re\\.org$ insensitive;
    ~^(?<first>[a-z]+)\\.(net) $1-$2-$first;
}
"""


@pytest.mark.parametrize(
    ("host", "value"),
    [
        ("example.com", "exact"),
        ("EXAMPLE.COM.", "exact"),
        ("example.org", "tail"),
        ("www.example.com", "head"),
        ("a.long.example.com", "longer"),
        ("long.example.com", "head"),
        ("dot.com", "dot"),
        ("a.b.dot.com", "dot"),
        ("RE.org", "sensitive"),
        ("re.ORG", "insensitive"),
        ("some.net", "some-net-some"),
        ("none", ""),
    ],
)
async def test_hostnames(host: str, value: str) -> None:
    async with serving(shown(HOSTS, "<$x>")) as engine:
        assert (await engine.get("/?h=" + host)).body == b"<" + value.encode() + b">"


async def test_a_value_is_kept_unless_volatile() -> None:
    maps = "map $uri $kept { /a A; /b B; } map $uri $fresh { volatile; /a A; /b B; }"
    text = f"""{maps} server {{ listen 127.0.0.1:8080;
        location /a {{ set $seen $kept$fresh; rewrite ^ /b last; }}
        location /b {{ return 200 "$seen $kept$fresh"; }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/a")).body == b"AA AB"


async def test_set_comes_before_map() -> None:
    maps = "map $uri $m { volatile; default map; }"
    text = f"""{maps} server {{ listen 127.0.0.1:8080;
        location /a {{ set $m own; return 200 "$m"; }} location /b {{ return 200 "$m"; }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/a")).body == b"own"
        assert (await engine.get("/b")).body == b"map"


@pytest.mark.parametrize("kind", ["", "volatile;"])
async def test_a_cycle_ends(kind: str) -> None:
    maps = f"map $b $a {{ {kind} default a; }} map $a $b {{ {kind} default b$a; }}"
    async with serving(shown(maps, "$b")) as engine:
        assert (await engine.get("/")).body == b"ba"
    maps = f"map $b $a {{ {kind} default $b; }} map $a $b {{ {kind} default $a; }}"
    async with serving(shown(maps, "<$b>")) as engine:
        assert (await engine.get("/")).body == b"<>"
        assert 'cycle while evaluating variable "' in engine.log.lines[0]


async def test_include(tmp_path: Path) -> None:
    (tmp_path / "m.conf").write_text("foo bar;")
    async with serving(shown(f"map $args $x {{ include {tmp_path}/m.conf; }}", "$x")) as engine:
        assert (await engine.get("/?foo")).body == b"bar"


async def test_an_undecided_match_is_the_default() -> None:
    async with serving(shown('map $args $x { default d; ~^(a+)+$ x; ~^c ""; }', "$x")) as engine:
        assert (await engine.get("/?" + "a" * 40 + "b")).body == b"d"
        assert "pcre2_match() failed: -47 on" in engine.log.lines.pop()
        assert (await engine.get("/?c")).body == b""


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("map a b { }", 'invalid variable name "b"'),
        ("map a $uri { }", 'the duplicate "uri" variable'),
        ("map a $b { x; }", "invalid number of the map parameters"),
        ("map a $b { x y z; }", "invalid number of the map parameters"),
        ("map a $b { x y { } }", 'unexpected "{"'),
        ("map a $b { default 1; default 2; }", "duplicate default map parameter"),
        ("map a $b { x 1; X 2; }", 'conflicting parameter "x"'),
        ("map a $b { hostnames; .x.y 1; x.y 2; }", 'conflicting parameter "x.y"'),
        ("map a $b { hostnames; a*b 1; }", 'invalid hostname or wildcard "a*b"'),
        ("map a $b { x $none; }", 'unknown "none" variable'),
        ("map a $b { ~( x; }", "pcre2_compile() failed"),
    ],
)
def test_mistakes(block: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(block + " server { listen 127.0.0.1:8080; }")
    assert message in str(caught.value)
