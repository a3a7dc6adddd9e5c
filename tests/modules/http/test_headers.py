"""headers: add_header, add_trailer, expires."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.http.response import http_date
from gateway.modules.http.headers import Expires, parse_expires
from tests.engine import serving
from tests.fakes import farm
from tests.http_peers import answering


def test_parse_expires() -> None:
    assert parse_expires(["1h"]) == Expires("access", 3600)
    assert parse_expires(["-1"]) == Expires("access", -1)
    assert parse_expires(["modified", "1d"]) == Expires("modified", 86400)
    assert parse_expires(["@15h30m"]) == Expires("daily", 55800)
    for words in (["x"], ["modified", "@1h"], ["other", "1h"], ["@25h"]):
        with pytest.raises(ValueError, match=r".*"):
            parse_expires(words)


async def test_a_field_of_a_map_follows_each_request() -> None:
    text = """map $arg_kind $kind { default none; ~^b bee; c $arg_more; x ""; }
        server { listen 127.0.0.1:80; add_header X-Kind $kind; location / { return 200; } }"""
    async with serving(text) as engine:
        for target, kind in (
            ("/", b"none"), ("/?kind=b", b"bee"), ("/?kind=b", b"bee"), ("/?kind=c&more=1", b"1"), ("/?kind=x", None),
            ("/?kind=c&more=2", b"2"), ("/", b"none"),
        ):  # fmt: skip
            assert (await engine.get(target)).header("x-kind") == kind


async def test_headers_inherit_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("x")
    text = f"""add_header X-Outer 1; server {{ listen 127.0.0.1:80; root {tmp_path};
        location /none {{ }}
        location /own {{ alias {tmp_path}/t; add_header X-Own 2; }}
        location /merge {{ alias {tmp_path}/t; add_header_inherit merge; add_header X-Own 2 always; }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/t")).header("x-outer") == b"1"
        reply = await engine.get("/own")
        assert reply.header("x-outer") is None and reply.header("x-own") == b"2"
        reply = await engine.get("/merge")
        # as nginx, which puts what is inherited behind its own
        assert [each for each in reply.headers if each[0] in (b"x-own", b"x-outer")] == [
            (b"x-own", b"2"),
            (b"x-outer", b"1"),
        ]
        assert (await engine.get("/none")).header("x-outer") is None


async def test_expires_and_trailers(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("x")
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path};
        location / {{ expires 1h; add_trailer X-Sum $request_completion-$uri; }} }}"""
    async with serving(text) as engine:
        reply = await engine.get("/t")
        assert reply.header("cache-control") == b"max-age=3600"
        assert reply.header("x-sum") == b"-/t"
        assert reply.header("transfer-encoding") == b"chunked"
        assert (reply.body, reply.header("content-length")) == (b"x", None)


async def test_expires_by_a_variable_and_from_each_files_own_time(tmp_path: Path) -> None:
    """What is kept for a second is kept for one text, and one Last-Modified."""
    for name, moment in (("a", 1_000_000_000), ("b", 1_100_000_000)):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (moment, moment))
    conf = f"""server {{ listen 127.0.0.1:80; root {tmp_path};
        location / {{ expires modified 1h; }}
        location = /by {{ expires $arg_e; return 200 x; }}
        location = /mod {{ expires modified $arg_e; return 200 x; }} }}"""
    async with serving(conf) as engine:
        for _ in range(2):
            for path, moment in (("/a", 1_000_003_600), ("/b", 1_100_003_600)):
                reply = await engine.get(path)
                assert reply.header("expires") == http_date(moment)
                assert reply.header("cache-control") == b"no-cache"
            for text, control in (
                ("1h", b"max-age=3600"),
                ("-1", b"no-cache"),
                ("epoch", b"no-cache"),
                ("max", b"max-age=315360000"),
                ("0", b"max-age=0"),
                ("off", None),
                ("what", None),
                ("", None),
            ):
                reply = await engine.get(f"/by?e={text}")
                assert reply.header("cache-control") == control, text
                assert (reply.header("expires") is None) == (control is None)
            assert (await engine.get("/mod?e=2h")).header("cache-control") == b"max-age=7200"
        for number in range(100):  # more than are remembered
            assert (await engine.get(f"/by?e={number + 1}")).header("cache-control") == b"max-age=%d" % (number + 1)


async def test_expires_takes_the_place_of_what_an_upstream_said(tmp_path: Path) -> None:
    lines = b"Cache-Control: private\r\nX-Last: 1\r\nEXPIRES: 0\r\nCache-Control: no-store\r\n"
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + lines + b"\r\nx"))
        async with serving(
            f"server {{ listen 127.0.0.1:80; expires 1m; location / {{ proxy_pass http://{address}; }} }}"
        ) as engine:
            data = await engine.raw(b"GET / HTTP/1.0\r\n\r\n")
            names = [line.partition(b":")[0] for line in data.split(b"\r\n")]
            assert names.count(b"Cache-Control") == 1 and names.count(b"EXPIRES") == 1 and b"Expires" not in names
            assert b"\r\nCache-Control: max-age=60\r\n" in data and b"EXPIRES: 0" not in data
