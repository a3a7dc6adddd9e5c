"""http_v3: its directives, and what a `listen … quic` cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.dev.explain.findings import Findings
from tests.certificates import write
from tests.dev.explain.told import one, told
from tests.engine import load_http


def test_without_quic_nothing_of_it_is_needed() -> None:
    load_http("http3 off; http3_max_concurrent_streams 7; quic_gso on; server { listen 127.0.0.1:8080; }")


@pytest.mark.parametrize(
    ("directive", "words"),
    [
        ("http3 yes;", 'invalid value "yes" in "http3" directive'),
        ("http3_max_concurrent_streams x;", '"http3_max_concurrent_streams" directive invalid number'),
        ("quic_host_key /nowhere/key;", r'open\(\) "/nowhere/key" failed \(2: No such file or directory\)'),
        ("quic_host_key /;", r"pread\(\) \"/\" failed \(21: Is a directory\)"),
    ],
)
def test_wrong_values(directive: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_http(directive)


def test_an_empty_key(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    with pytest.raises(ConfigError, match="zero key size"):
        load_http(f"quic_host_key {tmp_path}/key;")


@pytest.mark.parametrize(
    "word", ["ssl", "http2", "proxy_protocol", "backlog=5", "deferred", "fastopen=3", "so_keepalive=on", "multipath"]
)
def test_what_does_not_go_with_quic(word: str) -> None:
    pytest.importorskip("aioquic")
    name = word.partition("=")[0]
    with pytest.raises(ConfigError, match=f'"{name}" parameter is incompatible with "quic"'):
        load_http(f"server {{ listen 127.0.0.1:8080 quic {word}; }}")


def test_a_certificate_and_tls_13_are_needed(tmp_path: Path) -> None:
    pytest.importorskip("aioquic")
    words = 'no "ssl_certificate" is defined for the "listen ... quic" directive'
    with pytest.raises(ConfigError, match=words):
        load_http("server { listen 127.0.0.1:8080 quic; }")
    chain, key = write(tmp_path, "localhost")
    text = f"ssl_certificate {chain}; ssl_certificate_key {key}; server {{ listen 127.0.0.1:8080 quic; "
    load_http(text + "}")
    with pytest.raises(ConfigError, match=r'"ssl_protocols" must enable TLSv1\.3'):
        load_http(text + "ssl_protocols TLSv1.2; }")


def test_without_aioquic_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aioquic", None)
    with pytest.raises(ConfigError, match=r"pip install 'gateway\[http3\]'"):
        load_http("server { listen 127.0.0.1:8080 quic; }")


def test_the_dashboard_knows_its_own_pages_over_http3(tmp_path: Path) -> None:
    """Their Origin is https and the name of :authority: nothing else says so there."""
    pytest.importorskip("aioquic")
    chain, key = write(tmp_path, "localhost")
    http = f"ssl_certificate {chain}; ssl_certificate_key {key}; "
    http += "server { listen 8443 quic; server_name a; location /gw/ { dashboard; } }"
    for origin, status in (("https://a:8443", 200), ("http://a:8443", 403), ("https://b:8443", 403)):
        found = told(tmp_path, http, "https://a:8443/gw/data.json", f"Origin: {origin}", http_version="3")
        assert one(found, "answer").data["status"] == status


def test_what_nginx_does_otherwise_over_http3(tmp_path: Path) -> None:
    """Each of these was seen with nginx 1.31.5; over HTTP/1 and HTTP/2 they are otherwise."""
    pytest.importorskip("aioquic")
    chain, key = write(tmp_path, "localhost")
    http = f"""
    ssl_certificate {chain}; ssl_certificate_key {key};
    server {{ listen 8443 quic; server_name a;
        location / {{ return 200 "$http_host|$host|$content_length"; }}
        location /none {{ return 307; }}
        location /gz {{ gzip on; gzip_vary on; gzip_types text/plain; gzip_min_length 1; return 200 "some text"; }}
        location /body {{ client_body_buffer_size 8; proxy_pass http://192.0.2.1; proxy_set_header X-Body $request_body;
            proxy_set_header Host $http_host; }}
    }}
    """

    def asked(path: str, *fields: str, method: str = "GET") -> Findings:
        return told(tmp_path, http, f"https://a:8443{path}", *fields, method=method, http_version="3")

    # :authority is no field: who wants to know the host asks for $host
    assert one(asked("/"), "return").text == '200 "|a|"'
    # a redirection to nowhere says so
    assert "location: " in one(asked("/none"), "answer").details
    # the line of QPACK's table
    assert "vary: accept-encoding" in one(asked("/gz"), "answer").details
    # a body that is shorter than declared is found by who reads it
    short = ("Content-Length: 3", "Transfer-Encoding: chunked")
    assert one(asked("/", *short, method="POST"), "return").text == '200 "|a|3"'
    found = asked("/body", *short, method="POST")
    assert one(found, "answer").data["status"] == 400 and not found.of("upstream")
    # what came with the head stays in memory, however small the buffer is
    pairs = one(asked("/body", "Content-Length: 9", method="POST"), "upstream").data["parameters"]
    assert ("X-Body", "000000000") in pairs and ("Host", "192.0.2.1") in pairs
    pairs = one(asked("/body", "Content-Length: 2000", method="POST"), "upstream").data["parameters"]
    assert not [value for name, value in pairs if name == "X-Body"]
