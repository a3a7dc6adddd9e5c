"""Causes over HTTP/3: the same failures, by a client that sends no Host and frames in place of a request line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aioquic")

from tests.certificates import write
from tests.http3_client import Http3Client
from tests.process.running import GATEWAY, Running, free_port


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder = tmp_path_factory.mktemp("http3")
    port, plain = free_port(), free_port()
    chain, key = write(folder, "localhost")
    (folder / "style.css").write_text("")
    names = "".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"""
        {"user root;" * (os.geteuid() == 0)}
        error_log error.log info; pid nginx.pid; daemon off;
        events {{ }}
        http {{
            {names} access_log off; diagnosis_page local; ssl_certificate {chain}; ssl_certificate_key {key};
            server {{
                listen 127.0.0.1:{port} quic; server_name localhost; root {folder};
                client_max_body_size 10; large_client_header_buffers 4 1k;
                location = /refused {{ return 403; }}
                location = /inside {{ internal; }}
                location /try/ {{ try_files $uri =404; }}
                location /down {{ proxy_pass http://127.0.0.1:1; }}
                location /loop {{ proxy_pass http://127.0.0.1:{plain}; proxy_set_header Host $host:{port}; }}
            }}
            server {{
                listen 127.0.0.1:{plain}; absolute_redirect off;
                location /loop/a {{ return 302 /loop/b; }}
                location /loop/b {{ return 302 /loop/a; }}
                location / {{ return 302 $request_uri; }}
            }}
        }}
    """)
    with Running(folder, GATEWAY) as gateway:
        gateway.start()
        yield port, folder


@pytest.mark.parametrize(
    ("target", "method", "body", "status", "cause"),
    [
        ("/styles.css", "GET", b"", 404, "has no styles.css, but style.css"),
        ("/style.css", "POST", b"x", 405, "POST came to what serves files (root "),
        ("/down", "POST", bytes(11), 413, "client_max_body_size 10 ("),
        ("/refused", "GET", b"", 403, "return 403 ("),
        ("/inside", "GET", b"", 404, "this location is internal ("),
        ("/try/x", "GET", b"", 404, "none of its files is there"),
        ("/down", "GET", b"", 502, "nobody listens on 127.0.0.1:1"),
        ("/style.css", "TRACE", b"", 405, "TRACE"),
    ],
)
def test_the_page_has_the_cause(
    started: tuple[int, Path], target: str, method: str, body: bytes, status: int, cause: str
) -> None:
    client = Http3Client(started[0])
    try:
        answered, page = client.ask(target, method, body or None)
    finally:
        client.close()
    assert answered == status
    assert cause in page.decode()


def test_redirects_that_lead_in_a_circle(started: tuple[int, Path]) -> None:
    port, folder = started
    client = Http3Client(port)
    try:
        assert client.ask("/loop")[0] == 302
        for _ in range(2):
            for target in ("/loop/a", "/loop/b"):
                assert client.ask(target)[0] == 302
    finally:
        client.close()
    lines = [line for line in (folder / "error.log").read_text().splitlines() if "a loop for browsers" in line]
    assert len(lines) == 2, lines
    assert "answered 302 to the very URL that was asked" in lines[0]
    assert f"https://localhost:{port}/loop/" in lines[1] or "https://localhost/loop/" in lines[1]
