"""The engine is asked: sockets, TLS, the end."""

from __future__ import annotations

import time
from hashlib import md5
from pathlib import Path

import pytest
import trio

from gateway.dev.explain import engine
from gateway.dev.explain.command import Unexplained
from gateway.upstream.cache import file_head
from tests.certificates import write
from tests.dev.explain.told import one, texts, told


def test_the_socket_is_chosen_by_the_port(tmp_path: Path) -> None:
    http = (
        "server { listen 8080; return 200 a; } server { listen 127.0.0.1:8081; return 200 $server_addr:$server_port; }"
    )
    found = told(tmp_path, http, "http://x:8081/")
    assert one(found, "listen").text == "127.0.0.1:8081"
    assert one(found, "return").text == '200 "127.0.0.1:8081"'
    where = r"nobody listens on port 99; this configuration listens on 0.0.0.0:8080, 127.* \(/.*nginx.conf\)$"
    with pytest.raises(Unexplained, match=where):
        told(tmp_path, http, "http://x:99/")


def test_proxy_protocol(tmp_path: Path) -> None:
    http = "server { listen 8080 proxy_protocol; return 200 $proxy_protocol_addr; }"
    assert one(told(tmp_path, http, "/", client="192.0.2.4"), "return").text == '200 "192.0.2.4"'


def test_a_request_that_is_refused(tmp_path: Path) -> None:
    found = told(tmp_path, "server { listen 8080; location / { return 200; } }", "/", "Host: a b")
    assert one(found, "answer").data["status"] == 400
    (why,) = texts(found, "error_log")
    assert why.startswith("[info] client sent invalid host header while reading client request headers")
    assert one(found, "server").text == "(no server_name): no other server listens on this address"


def test_the_answer_comes_behind_the_interim_ones(tmp_path: Path) -> None:
    found = told(tmp_path, "server { listen 8080; return 200 x; }", "/", "Expect: 100-continue", data="x")
    assert one(found, "answer").data["status"] == 200


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


_SEEN = 'add_header Seen "$server_protocol|$http2|$host|$http_host|$http_connection|$scheme|$ssl_alpn_protocol" always;'


def test_https_is_asked_as_a_browser_does(tmp_path: Path) -> None:
    """Over HTTP/2 where it is on, and over HTTP/1.1 where it is not, or where that is asked for."""
    chain, key = write(tmp_path, "localhost")
    http = f"""
    ssl_certificate {chain}; ssl_certificate_key {key}; {_SEEN}
    server {{ listen 8443 ssl; http2 on; return 204; }} server {{ listen 8444 ssl; return 204; }}
    """
    for url, version, seen in (
        ("https://a:8443/", "", "HTTP/2.0|h2|a|a:8443||https|h2"),
        ("https://a:8443/", "2", "HTTP/2.0|h2|a|a:8443||https|h2"),
        ("https://a:8443/", "1.1", "HTTP/1.1||a|a:8443|close|https|http/1.1"),
        ("https://a:8444/", "", "HTTP/1.1||a|a:8444|close|https|http/1.1"),
    ):
        found = told(tmp_path, http, url, "Connection: close", http_version=version)
        answer = one(found, "answer")
        assert answer.data["status"] == 204
        assert f"seen: {seen}" in [detail[:4].lower() + detail[4:] for detail in answer.details]
        assert ("a client does not send this: Connection" in str(found.of("protocol"))) == ("h2|" in seen)


def test_http2_without_tls(tmp_path: Path) -> None:
    http = f"{_SEEN} server {{ listen 8080; http2 on; return 204; }} server {{ listen 8081; return 204; }}"
    found = told(tmp_path, http, "http://a:8080/", http_version="2")
    assert "seen: HTTP/2.0|h2c|a|a:8080||http|" in one(found, "answer").details
    found = told(tmp_path, http, "http://a:8081/", http_version="2")
    assert "no HTTP/2 is spoken on this port" in one(found, "protocol").text
    assert one(found, "answer").text == "HTTP/1.1 204 No Content"
    assert one(told(tmp_path, http, "http://a:8080/"), "answer").text == "HTTP/1.1 204 No Content"


@pytest.mark.parametrize("size", [12, 900_000, 3_000_000_000])
def test_bodies_over_http2(size: int, tmp_path: Path) -> None:
    """One that the windows hold back goes on as they widen; of one that is huge no more is made up than of HTTP/1's."""
    http = """
    client_max_body_size 0; client_body_timeout 10s;
    server { listen 8080; http2 on; location / { uwsgi_request_buffering off; uwsgi_param L $content_length;
        uwsgi_pass 192.0.2.1:1; } location /all { proxy_pass http://192.0.2.1; } }
    """
    found = told(tmp_path, http, "/", f"Content-Length: {size}", method="POST", http_version="2")
    assert one(found, "answer").data["status"] == 200
    assert ("L", str(size)) in one(found, "upstream").data["parameters"]
    if size < 10_000_000:
        found = told(tmp_path, http, "/all", f"Content-Length: {size}", method="POST", http_version="2")
        assert one(found, "answer").data["status"] == 200


def test_a_stream_that_is_refused(tmp_path: Path) -> None:
    http = "server { listen 8080; http2 on; return 204; }"
    found = told(tmp_path, http, "/", "Host: a b", http_version="2")
    assert one(found, "answer").data.get("status") in (400, None)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_an_answer_that_is_read_late_is_told(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has much to do: the request has ended before we come to read."""
    read = engine._received

    async def late(stream: trio.abc.Stream) -> bytes:
        await trio.sleep(0.2)
        return await read(stream)

    monkeypatch.setattr(engine, "_received", late)
    http = "server { listen 8080; http2 on; return 200 a; }"
    assert one(told(tmp_path, http, "/", http_version=version), "answer").data["status"] == 200
