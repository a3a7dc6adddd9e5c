"""more_set_headers and more_clear_headers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import Reply, load_http, serving

CONF = """
more_set_headers "X-Outer: $uri";
server {
    listen 127.0.0.1:80;
    root %s;
    location / { add_header X-Added one; }
    location /inner {
        more_set_headers "X-Inner: a" "Server: mine";
        more_set_headers -s "404 500" "X-Failed: yes";
        more_set_headers -t "text/plain text/css" "X-Text: yes";
        return 404;
    }
    location /clear {
        more_clear_headers Server "X-Out*" Content-Type ETag Last-Modified;
        alias %s/page;
    }
    location /replace { more_set_headers "Content-Type: text/css" "X-Outer: other"; return 200 text; }
    location /append { more_set_headers -a "X-Outer: second"; return 200 text; }
    location /redirect { more_set_headers "Location: /else"; return 302 /here; }
    location /dated { more_set_headers "Last-Modified: Thu, 01 Jan 1970 00:00:09 GMT" "ETag: x" "Date:"; return 200 a; }
    location /if { if ($arg_a) { more_set_headers "X-If: $arg_a"; } return 200 text; }
    location /empty { more_set_headers "X-Outer:" "X-Unset: $arg_a"; return 200 text; }
}
"""


def fields(reply: Reply) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in reply.headers}


async def test_fields(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("page")
    async with serving(CONF % (tmp_path, tmp_path)) as engine:
        found = fields(await engine.get("/none"))
        assert (found["x-outer"], found.get("x-added")) == ("/none", None)  # whatever the status
        found = fields(await engine.get("/inner"))
        assert (found["x-outer"], found["x-inner"], found["server"]) == ("/inner", "a", "mine")
        assert found["x-failed"] == "yes"
        assert "x-text" not in found
        found = fields(await engine.get("/clear"))
        assert not {"server", "x-outer", "content-type", "etag", "last-modified"} & set(found)
        found = fields(await engine.get("/replace"))
        assert (found["content-type"], found["x-outer"]) == ("text/css", "other")
        both = [value for name, value in (await engine.get("/append")).headers if name == b"x-outer"]
        assert both == [b"/append", b"second"]
        assert fields(await engine.get("/redirect"))["location"] == "http://localhost/else"
        found = fields(await engine.get("/dated"))
        assert (found["last-modified"], found["etag"]) == ("Thu, 01 Jan 1970 00:00:09 GMT", "x")
        assert "date" not in found
        assert fields(await engine.get("/if?a=b"))["x-if"] == "b"
        assert "x-if" not in fields(await engine.get("/if"))
        found = fields(await engine.get("/empty"))
        assert not {"x-outer", "x-unset"} & set(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("more_set_headers -s;", 'option "-s" has no value'),
        ("more_set_headers -s 4xx a;", 'invalid status in "4xx"'),
        ("more_set_headers -x a;", 'unknown option name: "-x"'),
        ("more_clear_headers -a a;", 'unknown option name: "-a"'),
        ('more_set_headers ": a";', 'no name in ": a"'),
        ("more_set_headers -s 404;", "no header is named"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_http(text)
