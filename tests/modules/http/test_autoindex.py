"""autoindex: the four formats, and what a folder's page looks like."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving

CONF = """
server {
    listen 127.0.0.1:80;
    root %s;
    location / { autoindex on; }
    location /rounded/ { alias %s/; autoindex on; autoindex_exact_size off; }
    location /utf8/ { alias %s/; autoindex on; charset utf-8; }
    location /json/ { alias %s/; autoindex on; autoindex_format json; }
    location /jsonp/ { alias %s/; autoindex on; autoindex_format jsonp; }
    location /xml/ { alias %s/; autoindex on; autoindex_format xml; }
    location /off/ { alias %s/; }
}
"""

AT = 1_000_000_000  # 9 September 2001, 01:46:40


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    for name, size in (("b", 3), ("a&b", 1), ("x" * 60, 5), ("ö" * 30, 0), ("big", 1_600_000), ("kilo", 10_240)):
        with open(folder / name, "wb") as file:
            file.truncate(size)
    (folder / "z").mkdir()
    (folder / ("d" * 50)).mkdir()
    (folder / ".hidden").touch()
    for name in os.listdir(folder):
        os.utime(folder / name, (AT, AT))
    return folder


def conf(tree: Path) -> str:
    return CONF % ((tree,) * 7)


async def test_page(tree: Path) -> None:
    async with serving(conf(tree)) as engine:
        reply = await engine.get("/")
        assert reply.header("content-type") == b"text/html"
        lines = reply.body.decode("latin-1").split("\r\n")
        assert lines[:3] == [
            "<html>",
            "<head><title>Index of /</title></head>",
            "<body>",
        ]
        assert lines[3] == '<h1>Index of /</h1><hr><pre><a href="../">../</a>'
        assert lines[4] == f'<a href="{"d" * 50}/">{"d" * 50}</a> 09-Sep-2001 01:46                   -'
        assert lines[5] == f'<a href="z/">z/</a>{" " * 48} 09-Sep-2001 01:46                   -'
        assert lines[6] == f'<a href="a%26b">a&amp;b</a>{" " * 47} 09-Sep-2001 01:46                   1'
        assert lines[7] == f'<a href="b">b</a>{" " * 49} 09-Sep-2001 01:46                   3'
        assert f'<a href="{"x" * 60}">{"x" * 47}..&gt;</a> 09-Sep-2001 01:46                   5' in lines
        assert lines[-3:] == ["</pre><hr></body>", "</html>", ""]
        assert ".hidden" not in reply.body.decode("latin-1")
        assert (await engine.request("HEAD", "/")).body == b""


async def test_characters_are_counted_where_the_page_is_utf_8(tree: Path) -> None:
    name = "ö" * 30
    quoted = "%C3%B6" * 30
    async with serving(conf(tree)) as engine:
        plain = (await engine.get("/")).body
        # 60 bytes are too long where bytes count
        assert f'<a href="{quoted}">'.encode() + name.encode()[:47] + b"..&gt;</a> " in plain
        reply = await engine.get("/utf8/")
        assert f'<a href="{quoted}">{name}</a>{" " * 20} 09' in reply.body.decode()


async def test_sizes_are_rounded(tree: Path) -> None:
    async with serving(conf(tree)) as engine:
        lines = (await engine.get("/rounded/")).body.decode("latin-1").split("\r\n")
        ends = {line.partition('">')[0].removeprefix('<a href="'): line[-7:] for line in lines if "01:46" in line}
        assert ends["b"] == "      3"
        assert ends["kilo"] == "    10K"
        assert ends["big"] == "     2M"
        assert ends["z/"] == "      -"


async def test_json(tree: Path) -> None:
    async with serving(conf(tree)) as engine:
        reply = await engine.get("/json/")
        assert reply.header("content-type") == b"application/json"
        items = json.loads(reply.body)
        assert [item["name"] for item in items[:3]] == ["d" * 50, "z", "a&b"]
        assert items[1] == {"name": "z", "type": "directory", "mtime": "Sun, 09 Sep 2001 01:46:40 GMT"}
        assert items[2] == {"name": "a&b", "type": "file", "mtime": "Sun, 09 Sep 2001 01:46:40 GMT", "size": 1}
        assert reply.body.startswith(b'[\r\n{ "name":')
        assert reply.body.endswith(b" }\r\n]")


async def test_jsonp(tree: Path) -> None:
    async with serving(conf(tree)) as engine:
        reply = await engine.get("/jsonp/?callback=a.b_1")
        assert reply.header("content-type") == b"application/javascript"
        assert reply.body.startswith(b"/* callback */\r\na.b_1([\r\n")
        assert reply.body.endswith(b"\r\n]);")
        assert (await engine.get("/jsonp/?callback=")).header("content-type") == b"application/json"
        assert (await engine.get("/jsonp/")).body.startswith(b"[")
        assert (await engine.get("/jsonp/?callback=a(")).status == 400
        assert (await engine.get("/jsonp/?callback=" + "a" * 129)).status == 400
        assert [line for line in engine.log.lines if "client sent too long callback name" in line]


async def test_xml(tree: Path) -> None:
    async with serving(conf(tree)) as engine:
        reply = await engine.get("/xml/")
        assert reply.header("content-type") == b"text/xml; charset=utf-8"
        items = list(ET.fromstring(reply.body))
        assert [(item.tag, item.text) for item in items[:3]] == [
            ("directory", "d" * 50), ("directory", "z"), ("file", "a&b"),
        ]  # fmt: skip
        assert items[2].attrib == {"mtime": "2001-09-09T01:46:40Z", "size": "1"}
        assert "size" not in items[0].attrib


async def test_an_empty_folder(tmp_path: Path) -> None:
    text = f"server {{ listen 127.0.0.1:80; root {tmp_path}; autoindex on; autoindex_format json; }}"
    async with serving(text) as engine:
        assert (await engine.get("/")).body == b"[\r\n]"


async def test_who_gets_none(tree: Path) -> None:
    async with serving(conf(tree)) as engine:
        assert (await engine.get("/off/")).status == 403
        assert (await engine.get("/nothing/")).status == 404
        assert (await engine.request("POST", "/", body=b"a")).status == 403
        (tree / "z" / "index.html").write_text("page")
        assert (await engine.get("/z/")).body == b"page"


def test_refused() -> None:
    with pytest.raises(ConfigError, match='invalid value "yaml"'):
        load_http("autoindex_format yaml;")
