"""Plans of modules that tell: what they do stays what it was."""

from __future__ import annotations

from pathlib import Path

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
