"""Which socket a question comes to."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway.dev.explain.command import Unexplained
from gateway.dev.explain.sockets import packed, sockaddr
from tests.certificates import write
from tests.dev.explain.told import one, texts, told


def _both(folder: Path) -> str:
    """As nginx's own documentation has it: QUIC first, at the port of TLS."""
    pytest.importorskip("aioquic")
    chain, key = write(folder, "localhost")
    return f"""
    ssl_certificate {chain}; ssl_certificate_key {key};
    server {{ listen 8443 quic reuseport; listen 8443 ssl; server_name a; return 200 $server_protocol; }}
    server {{ listen 127.0.0.2:8443 quic; listen 127.0.0.2:8443 ssl; http2 on; server_name b; return 200 $http3; }}
    server {{ listen 9443 quic; return 204; }}
    """


@pytest.mark.parametrize(
    ("url", "version", "listen", "said"),
    [
        ("https://a:8443/", "", "0.0.0.0:8443 ssl", '200 "HTTP/1.1"'),
        ("https://a:8443/", "3", "0.0.0.0:8443 quic", '200 "HTTP/3.0"'),
        ("https://127.0.0.2:8443/", "", "0.0.0.0:8443 ssl", '200 ""'),
        ("https://127.0.0.2:8443/", "3", "0.0.0.0:8443 quic", '200 "h3"'),
    ],
)
def test_one_port_of_both(url: str, version: str, listen: str, said: str, tmp_path: Path) -> None:
    found = told(tmp_path, _both(tmp_path), url, http_version=version)
    assert one(found, "listen").text == listen
    assert one(found, "return").text == said


def test_what_is_not_spoken_there(tmp_path: Path) -> None:
    http = _both(tmp_path)
    with pytest.raises(Unexplained, match=r"HTTP/3 alone is spoken on port 9443: --http3 asks so"):
        told(tmp_path, http, "https://a:9443/")
    with pytest.raises(Unexplained, match=r"listens on 0.0.0.0:8443 quic, .*0.0.0.0:9443 quic"):
        told(tmp_path, http, "https://a:99/", http_version="3")
    without = http.replace("8443 quic reuseport;", "8444 ssl;").replace("listen 127.0.0.2:8443 quic;", "")
    found = told(tmp_path, without, "https://127.0.0.2:8443/", http_version="3")
    assert texts(found, "protocol")[-1] == ("no HTTP/3 is spoken on this port (listen … quic;): it goes over HTTP/2")
    assert one(found, "answer").text == "HTTP/2 200"


def test_addresses() -> None:
    assert packed("127.0.0.1") == b"\x7f\0\0\1" and packed("::1") == bytes(15) + b"\1"
    assert sockaddr("192.0.2.7") == socket.AF_INET.to_bytes(2, "little") + b"\x9c\x40\xc0\0\2\7" + bytes(8)
    assert sockaddr("::1") == socket.AF_INET6.to_bytes(2, "little") + b"\x9c\x40" + bytes(19) + b"\1" + bytes(4)


def test_a_host_of_digits_is_no_address(tmp_path: Path) -> None:
    http = "server { listen 8080; return 200 $server_addr; }"
    for host in ("123", "1.2.3.4.5", "1.2.3"):
        assert one(told(tmp_path, http, f"http://{host}:8080/"), "return").text == '200 "127.0.0.1"'
    assert one(told(tmp_path, http, "http://1.2.3.4:8080/"), "return").text == '200 "1.2.3.4"'
