"""Which server and which location, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dev.explain.told import one, texts, told

SERVERS = """
server { listen 8080; server_name a.example; return 200; }
server { listen 8080 default_server; server_name *.w.example; return 200; }
server { listen 8080; server_name www.t.*; return 200; }
server { listen 8080; server_name "~^r(?<digits>\\d+)\\.example$"; return 200; }
"""


@pytest.mark.parametrize(
    ("host", "line", "why"),
    [
        ("a.example", 4, 'its server_name is "a.example"'),
        ("x.y.w.example", 5, 'server_name "*.w.example"'),
        ("www.t.org", 6, 'server_name "www.t.*"'),
        ("r12.example", 7, "matches its server_name ~^r"),
        ("other", 5, 'no server_name matches "other"; it is the default server'),
    ],
)
def test_servers(tmp_path: Path, host: str, line: int, why: str) -> None:
    found = one(told(tmp_path, SERVERS, f"http://{host}:8080/"), "server")
    assert found.where is not None
    assert (found.where.line, why in found.text) == (line, True)
    assert len(found.details) == 3  # the others, with their places


LOCATIONS = r"""
server {
    listen 8080;
    location / { return 200; }
    location = /exact { return 200; }
    location /docs/ { return 200; location ~ \.txt$ { return 200; } }
    location ^~ /static/ { return 200; }
    location ~ \.php$ { return 200; }
    location ~* \.PHP5$ { return 200; }
}
"""


@pytest.mark.parametrize(
    ("path", "location", "lines"),
    [
        ("/x", "location /", [r"location ~ \.php$: does not match", r"location ~ \.PHP5$: does not match"]),
        ("/exact", "location = /exact", ["location = /exact: equal, which ends the search"]),
        ("/static/a.php", "location ^~ /static/", ["regular expressions are not asked, because of its ^~"]),
        ("/docs/a.txt", r"location ~ \.txt$", [r"location ~ \.txt$: matches, which is preferred to a prefix"]),
        ("/docs/a.php5", r"location ~ \.PHP5$", [r"location ~ \.txt$: does not match"]),
        ("/a.php", r"location ~ \.php$", ["location /: the longest prefix"]),
    ],
)
def test_locations(tmp_path: Path, path: str, location: str, lines: list[str]) -> None:
    found = one(told(tmp_path, LOCATIONS, path), "location")
    assert found.data["location"] == location
    assert [line for line in lines if line not in found.details] == []


def test_a_slash_that_is_missing(tmp_path: Path) -> None:
    found = told(tmp_path, "server { listen 8080; location /app/ { uwsgi_pass 127.0.0.1:1; } }", "/app")
    assert one(found, "location").details == ["location /app/: the URI without its slash, which is redirected to"]
    assert one(found, "answer").data["status"] == 301
    assert texts(found, "content") == []
