"""charset: the parameter of Content-Type, recoding by charset_map, X-Accel-Charset."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import Engine, load_http, serving
from tests.fakes import answer, farm

MAPS = """
charset_map A B { 58 59; }
charset_map koi8-r utf-8 { C0 D18E; C1 D0B0; F0 E282AC; }
"""


def server(text: str) -> str:
    return f"{MAPS} server {{ listen 127.0.0.1:80; {text} }}"


async def test_the_parameter_is_added_to_the_types_that_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "a.png").write_text("x")
    text = server(
        f"""root {tmp_path}; types {{ text/plain txt; image/png png; }} charset utf-8;
        location /off {{ charset off; return 200 x; }}
        location /redirect {{ return 302 /x; }}
        location /var {{ set $c koi8-r; charset $c; return 200 x; }}
        location /types {{ charset_types image/png; default_type image/png; return 200 x; }}"""
    )
    async with serving(text) as engine:
        for path, expected in {
            "/a.txt": b"text/plain; charset=utf-8",
            "/a.png": b"image/png",
            "/off": b"text/plain",
            "/redirect": b"text/html",
            "/var": b"text/plain; charset=koi8-r",
            "/types": b"image/png; charset=utf-8",
            "/none": b"text/html; charset=utf-8",
        }.items():
            assert (await engine.get(path)).header("content-type") == expected, path


async def test_recoding(tmp_path: Path) -> None:
    (tmp_path / "koi").write_bytes(b"\xc1\xc0 \xf0 X" * 30_000)
    (tmp_path / "bytes").write_bytes(b"XYZ")
    (tmp_path / "utf").write_bytes("аюя€".encode())
    text = server(
        f"""root {tmp_path}; default_type text/plain; source_charset koi8-r; charset utf-8;
        location /utf {{ source_charset utf-8; charset koi8-r; }}
        location /bytes {{ source_charset A; charset B; }}"""
    )
    async with serving(text) as engine:
        reply = await engine.get("/koi")
        assert reply.header("content-type") == b"text/plain; charset=utf-8"
        assert reply.header("content-length") is None
        assert reply.body.decode() == "аю € X" * 30_000
        assert (await engine.get("/utf")).body == b"\xc1\xc0&#1103;\xf0"
        reply = await engine.get("/bytes", {"Range": "bytes=0-1"})
        assert (reply.status, reply.body) == (206, b"YY")


async def test_an_application_chooses_by_x_accel_charset(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=koi8-r\r\nX-Accel-Charset: %b\r\n\r\n\xc1"
    for wanted, kind, body in ((b"utf-8", b"utf-8", b"\xd0\xb0"), (b"other", b"koi8-r", b"\xc1")):
        async with farm(tmp_path) as peers:
            target = await peers.tcp(answer(head % wanted))
            async with serving(server(f"location / {{ uwsgi_pass {target}; }}")) as engine:
                await _check(engine, wanted, kind, body)


async def _check(engine: Engine, wanted: bytes, kind: bytes, body: bytes) -> None:
    reply = await engine.get("/")
    assert reply.header("content-type") == b"text/plain; charset=" + kind
    assert reply.body == body
    assert any("unknown charset" in line for line in engine.log.lines) == (wanted == b"other")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("charset_map a a { }", 'between the same charsets "a" and "a"'),
        ("charset_map utf-8 a { }", "should be given in the second column"),
        ("charset_map a b { } charset_map b a { }", 'duplicate "charset_map" between "b" and "a"'),
        ("charset_map a b { 1 2 3; }", "invalid parameters number"),
        ("charset_map a b { 100 2; }", 'invalid value "100"'),
        ("charset_map a b { x 2; }", 'invalid value "x"'),
        ("charset_map a utf-8 { 80 F09F9880; }", 'invalid value "F09F9880"'),
        ("source_charset a; charset b; server { }", 'no "charset_map" between the charsets "a" and "b"'),
        ("charset a; charset b;", '"charset" directive is duplicate'),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as found:
        load_http(text)
    assert words in str(found.value)
