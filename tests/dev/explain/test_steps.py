"""Plans of modules that tell: what they do stays what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dev.explain.told import one, texts, told


def test_satisfy_any(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("me:{PLAIN}secret\n")
    http = """
    server { listen 8080; location / {
        satisfy any; deny all; auth_basic x; auth_basic_user_file users; proxy_pass http://192.0.2.1;
    } }
    """
    found = told(tmp_path, http, "/", "Authorization: Basic bWU6c2VjcmV0")
    assert one(found, "access").text == "client 127.0.0.1: denied"
    assert texts(found, "auth") == ["user and password: allowed"]
    assert one(found, "answer").data["status"] == 200


def test_limit_except(tmp_path: Path) -> None:
    http = "server { listen 8080; location / { limit_except GET { deny all; } proxy_pass http://192.0.2.1; } }"
    assert one(told(tmp_path, http, "/"), "answer").data["status"] == 200
    assert one(told(tmp_path, http, "/", method="DELETE"), "answer").data["status"] == 403


def test_the_log_that_gets_the_line(tmp_path: Path) -> None:
    http = f"""
    log_format short $uri;
    access_log {tmp_path}/a.log short if=$arg_a;
    server {{ listen 8080; location / {{ return 200; }} location /off {{ access_log off; return 200; }} }}
    """
    assert texts(told(tmp_path, http, "/?a=1"), "log") == [f"a line in {tmp_path}/a.log, format short"]
    assert texts(told(tmp_path, http, "/"), "log") == [f"no line in {tmp_path}/a.log: its condition is not met"]
    assert texts(told(tmp_path, http, "/off"), "log") == ["no access log"]


def test_the_location_that_a_limit_except_stands_in(tmp_path: Path) -> None:
    inside = "limit_except GET { deny all; } proxy_pass http://192.0.2.1;"
    for more in ("", "set $a b;"):
        http = f"server {{ listen 8080; location /a {{ {more} {inside} }} }}"
        found = told(tmp_path, http, "/a/b", method="DELETE")
        assert texts(found, "location") == ['location /a, for "/a/b"']
        assert texts(found, "block") == ["limit_except: its settings hold"]


def test_an_internal_location_from_outside_and_from_inside(tmp_path: Path) -> None:
    http = """
    server { listen 8080; root .; error_page 404 /in/side;
        location /in/ { internal; return 200; } location /out { return 404; } }
    """
    refused, entered = told(tmp_path, http, "/in/x").of("location")
    assert refused.text == 'location /in/, for "/in/x": internal, so 404 for a request from outside'
    assert refused.data["refused"] == "internal"
    assert "refused" not in entered.data
    assert all("refused" not in each.data for each in told(tmp_path, http, "/out").of("location"))


def test_a_body_that_is_too_large_for_the_location(tmp_path: Path) -> None:
    http = """
    server { listen 8080; error_page 413 /sorry; location /a { client_max_body_size 4; proxy_pass http://192.0.2.1; }
        location /sorry { return 200; } }
    """
    assert texts(told(tmp_path, http, "/a", method="POST", data="12345"), "location") == [
        'location /a, for "/a": a body of 5 bytes is above client_max_body_size, so 413',
        'location /sorry, for "/sorry"',
    ]
    assert texts(told(tmp_path, http, "/a", method="POST", data="1234"), "location") == ['location /a, for "/a"']


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ("", "MISS"),
        ("proxy_cache_min_uses 3;", "MISS"),
        ("proxy_cache_lock on;", "MISS"),
        ("proxy_no_cache 1;", "MISS"),
        ("proxy_cache_bypass 1;", "BYPASS"),
        ("proxy_cache off;", ""),
    ],
)
def test_a_cache_is_an_empty_one(tmp_path: Path, settings: str, status: str) -> None:
    http = f"""
    proxy_cache_path {tmp_path}/cache keys_zone=z:1m;
    server {{ listen 8080; location / {{
        proxy_cache z; proxy_cache_valid 1h; proxy_pass http://192.0.2.1; add_header X-Cache "=$upstream_cache_status";
        {settings}
    }} }}
    """.replace("proxy_cache z;", "" if "off" in settings else "proxy_cache z;")
    for _ in range(2):  # nothing is left for the next question
        answer = one(told(tmp_path, http, "/"), "answer")
        assert f"X-Cache: ={status}" in answer.details
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nginx.conf"]


@pytest.mark.parametrize("temporary", ["off", "on"])
def test_a_cache_is_an_empty_one_of_its_own(temporary: str, tmp_path: Path) -> None:
    http = f"""proxy_cache_path {tmp_path}/cache levels=1 keys_zone=one:1m use_temp_path={temporary};
        server {{ listen 8080; proxy_cache one; proxy_cache_valid 1m;
            location / {{ proxy_pass http://192.0.2.1; }} }}"""
    found = told(tmp_path, http, "/")
    assert one(found, "answer").data["status"] == 200 and not found.of("error_log")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nginx.conf"]
