"""http_v3: its directives, and what a `listen … quic` cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.certificates import write
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
