"""The engine is asked: sockets, TLS, the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.dev.explain.command import Unexplained
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
