"""Limits, access, files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.dev.explain.told import one, texts, told


def test_access_rules(tmp_path: Path) -> None:
    http = "server { listen 8080; location / { allow 10.0.0.0/8; deny all; return 200; root html; } }"
    http = http.replace("return 200; ", "")
    assert one(told(tmp_path, http, "/x", client="10.1.1.1"), "access").text == "client 10.1.1.1: allowed"
    denied = told(tmp_path, http, "/x", client="192.0.2.9")
    assert one(denied, "access").text == "client 192.0.2.9: denied"
    assert one(denied, "answer").data["status"] == 403


def test_a_trusted_proxy(tmp_path: Path) -> None:
    http = "set_real_ip_from 10.0.0.0/8; server { listen 8080; location / { deny 192.0.2.7; } }"
    found = told(tmp_path, http, "/", "X-Real-IP: 192.0.2.7", client="10.0.0.1")
    assert one(found, "client").text == "10.0.0.1 is trusted: the client is 192.0.2.7"
    assert one(found, "access").text == "client 192.0.2.7: denied"


def test_limits_say_their_key(tmp_path: Path) -> None:
    http = """
    limit_req_zone $http_x_key zone=z:1m rate=30r/m;
    server { listen 8080; location / { limit_req zone=z burst=4; uwsgi_pass 127.0.0.1:1; } }
    """
    found = one(told(tmp_path, http, "/", "X-Key: me"), "limit")
    assert found.text.startswith('zone z, 30r/m, burst 4, key $http_x_key = "me"')
    assert "an empty key is not limited" in one(told(tmp_path, http, "/"), "limit").text


def test_candidates_of_try_files(tmp_path: Path) -> None:
    (tmp_path / "html/dir").mkdir(parents=True)
    (tmp_path / "html/a.txt").write_text("a")
    http = "server { listen 8080; root html; location / { try_files $uri $uri/ /a.txt =404; } }"
    found = one(told(tmp_path, http, "/nothing"), "try_files")
    assert found.text == f"found: {tmp_path}/html/a.txt"
    assert found.details == [
        f"{tmp_path}/html/nothing does not exist",
        f"{tmp_path}/html/nothing/ does not exist",
        f"{tmp_path}/html/a.txt is a file",
    ]


def test_index_and_file(tmp_path: Path) -> None:
    (tmp_path / "html").mkdir()
    (tmp_path / "html/second.html").write_text("a")
    http = "server { listen 8080; root html; index first.html second.html; }"
    found = told(tmp_path, http, "/")
    assert one(found, "index").text == "the directory's index: /second.html"
    assert one(found, "file").data["path"] == f"{tmp_path}/html/second.html"
    missing = told(tmp_path, http, "/nothing")
    assert one(missing, "file").text == f"the file {tmp_path}/html/nothing does not exist: 404"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can name another user")
def test_who_may_not_read(tmp_path: Path) -> None:
    (tmp_path / "html").mkdir()
    secret = tmp_path / "html/secret"
    secret.write_text("a")
    secret.chmod(0o600)
    file = tmp_path / "nginx.conf"
    from gateway.dev.explain.command import explain
    from gateway.dev.explain.question import ask

    file.write_text("user nobody nogroup; events {} http { server { listen 8080; root html; } }")
    found = one(explain(ask(["/secret"], [], "127.0.0.1"), str(file), str(tmp_path)), "file")
    assert len(found.details) == 1
    assert "the workers (uid " in found.details[0]


def test_password(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("me:{PLAIN}secret\n")
    http = 'server { listen 8080; location / { auth_basic "here"; auth_basic_user_file users; } }'
    assert "no user and password" in texts(told(tmp_path, http, "/x"), "auth")[0]
    found = told(tmp_path, http, "/x", "Authorization: Basic bWU6c2VjcmV0")
    assert texts(found, "auth") == ["user and password: allowed"]


def test_methods_that_are_not_for_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    http = f"server {{ listen 8080; location / {{ root {tmp_path}; }} }}"
    posted = one(told(tmp_path, http, "/a.txt", method="POST"), "file")
    assert posted.text == f"POST is not for files: 405 ({tmp_path}/a.txt is a file)"
    assert posted.data["path"] == f"{tmp_path}/a.txt"
    deleted = one(told(tmp_path, http, "/a.txt", method="DELETE"), "file")
    assert (deleted.text, deleted.data) == ("DELETE is not for files: 405", {})


def test_a_file_of_which_no_such_part_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    http = f"server {{ listen 8080; location / {{ root {tmp_path}; }} }}"
    found = told(tmp_path, http, "/a.txt", "Range: bytes=5-")
    assert one(found, "answer").data["status"] == 416
    assert one(found, "file").data["path"] == f"{tmp_path}/a.txt"


def test_handlers_in_python(tmp_path: Path) -> None:
    """Who only asks runs them; what may change something is told, and not done."""
    (tmp_path / "hello.py").write_text(
        "import pathlib\ndef yes(r): return True\ndef no(r): return False\n"
        "def content(r):\n    pathlib.Path(__file__).with_name('ran').touch()\n    return 'hello'\n"
    )
    http = """py_import hello; server { listen 8080;
    location / { py_access hello.yes; py_content hello.content; }
    location /no { py_access hello.no; py_content hello.content; } }"""
    posted = told(tmp_path, http, "/", method="POST")
    assert one(posted, "content").text == "py_content hello.content would carry out POST"
    assert not (tmp_path / "ran").exists()
    found = told(tmp_path, http, "/")
    assert one(found, "access").text == "py_access hello.yes: allowed"
    assert one(found, "content").text == "py_content hello.content"
    assert str(one(found, "content").where).endswith("nginx.conf:4")
    assert (tmp_path / "ran").exists()
    denied = told(tmp_path, http, "/no")
    assert one(denied, "access").text == "py_access hello.no: answered with 403"
    assert one(denied, "answer").data["status"] == 403
