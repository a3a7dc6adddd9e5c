"""The engine is asked: sockets, TLS, the end."""

from __future__ import annotations

import time
from hashlib import md5
from pathlib import Path

import pytest

from gateway.dev.explain.command import Unexplained
from gateway.upstream.cache import file_head
from tests.dev.explain.told import one, texts, told


def test_the_socket_is_chosen_by_the_port(tmp_path: Path) -> None:
    http = (
        "server { listen 8080; return 200 a; } server { listen 127.0.0.1:8081; return 200 $server_addr:$server_port; }"
    )
    found = told(tmp_path, http, "http://x:8081/")
    assert one(found, "listen").text == "127.0.0.1:8081"
    assert one(found, "return").text == '200 "127.0.0.1:8081"'
    with pytest.raises(
        Unexplained, match=r"nobody listens on port 99; this configuration listens on 0.0.0.0:8080, 127"
    ):
        told(tmp_path, http, "http://x:99/")


def test_proxy_protocol(tmp_path: Path) -> None:
    http = "server { listen 8080 proxy_protocol; return 200 $proxy_protocol_addr; }"
    assert one(told(tmp_path, http, "/", client="192.0.2.4"), "return").text == '200 "192.0.2.4"'


def test_a_request_that_is_refused(tmp_path: Path) -> None:
    found = told(tmp_path, "server { listen 8080; location / { return 200; } }", "/", "Host: a b")
    assert one(found, "answer").data["status"] == 400


def test_redirection_cycles_end(tmp_path: Path) -> None:
    http = "server { listen 8080; location / { try_files /nothing /x; } }"
    found = told(tmp_path, http, "/")
    assert one(found, "answer").data["status"] == 500
    assert any("rewrite or internal redirection cycle" in text for text in texts(found, "error_log"))


@pytest.mark.parametrize("field", ["Content-Length: 12", "Content-Length: 900000", "Transfer-Encoding: chunked"])
def test_a_declared_body_reaches_the_upstream(field: str, tmp_path: Path) -> None:
    """One larger than its buffer lies in a folder of its own, not where the server keeps them."""
    http = "server { listen 8080; location / { proxy_pass http://192.0.2.1; } }"
    found = told(tmp_path, http, "/", field, method="POST")
    assert one(found, "answer").data["status"] == 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nginx.conf"]


def test_a_body_of_one_s_own(tmp_path: Path) -> None:
    http = "server { listen 8080; location / { client_max_body_size 8; proxy_pass http://192.0.2.1; } }"
    assert one(told(tmp_path, http, "/", method="POST", data="a=b"), "answer").data["status"] == 200
    assert one(told(tmp_path, http, "/", method="POST", data="a=b&c=def"), "answer").data["status"] == 413


def test_a_question_purges_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    http = f"""
    proxy_cache_path {cache} keys_zone=z:1m;
    server {{ listen 8080; location / {{
        proxy_cache z; proxy_cache_key k; proxy_cache_purge $request_method; proxy_pass http://192.0.2.1;
    }} }}
    """
    kept = cache / md5(b"k").hexdigest()
    cache.mkdir()
    start = file_head.start_of(b"k")
    head = file_head.FileHead(file_head.VERSION, 0, start, start, 0, 0, 0, 0, 0, b"", b"", bytes(16))
    kept.write_bytes(file_head.pack(head) + file_head.key_line(b"k"))
    told(tmp_path, http, "/", method="PURGE")
    assert kept.exists()


@pytest.mark.parametrize("passed", ["proxy", "uwsgi", "fastcgi", "scgi"])
@pytest.mark.parametrize("size", [5_000_000, 3_000_000_000])
def test_a_large_body_is_not_waited_for(tmp_path: Path, passed: str, size: int) -> None:
    scheme = "http://" if passed == "proxy" else ""
    params = "" if passed == "proxy" else f"{passed}_param CONTENT_LENGTH $content_length;"
    http = f"""
    client_max_body_size 0;
    client_body_temp_path {tmp_path};
    server {{ listen 8080; location / {{ mirror /copy; {passed}_pass {scheme}192.0.2.1:1; {params} }}
        location /copy {{ return 204; }} }}
    """
    began = time.monotonic()
    found = told(tmp_path, http, "/", f"Content-Length: {size}", method="POST")
    assert one(found, "answer").data["status"] == 200
    sent = {name.lower().replace("-", "_"): value for name, value in one(found, "upstream").data["parameters"]}
    assert sent["content_length"] == str(size)
    assert time.monotonic() - began < 15
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nginx.conf"]


def test_a_step_that_wants_all_of_a_large_body(tmp_path: Path) -> None:
    http = """
    client_max_body_size 0;
    server { listen 8080; location / { auth_request /auth; proxy_pass http://192.0.2.1; }
        location /auth { proxy_pass http://192.0.2.1; } }
    """
    found = told(tmp_path, http, "/", "Content-Length: 99999999", method="POST")
    assert one(found, "answer").data["status"] == 200
    assert [each.data["line"] for each in found.of("upstream")] == ["GET /auth HTTP/1.1", "POST / HTTP/1.1"]
