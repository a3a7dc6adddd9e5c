"""What happened first is seen first: a client that went away, before the connection that was made after it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.process.running import GATEWAY, Running, free_port

CONF = """
{user} daemon off; pid nginx.pid; error_log error.log info;
events {{ }}
http {{
    limit_conn_zone $binary_remote_addr zone=zone:1m;
    server {{
        listen 127.0.0.1:{port};
        location /held {{ limit_conn zone 1; proxy_pass http://127.0.0.1:{silent}; }}
        location /limited {{ limit_conn zone 1; }}
        location / {{ return 200 a; }}
    }}
}}
"""


def ask(port: int, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(b"GET %s HTTP/1.0\r\n\r\n" % path.encode())
    return client


def status(port: int, path: str) -> str:
    with ask(port, path) as client, client.makefile("rb") as answer:
        return answer.read().split()[1].decode()


def test_a_client_that_went_away_counts_no_more(tmp_path: Path) -> None:
    port = free_port()
    user = "user root;" * (os.geteuid() == 0)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent, Running(tmp_path, GATEWAY) as running:
        text = CONF.format(user=user, port=port, silent=silent.getsockname()[1])
        (tmp_path / "nginx.conf").write_text(text)
        running.start()
        silent.settimeout(30)
        for _ in range(10):
            with ask(port, "/held"), silent.accept()[0]:
                # one after the other, they make the worker accept more than one in a turn
                assert [status(port, path) for path in ("/", "/limited", "/")] == ["200", "503", "200"]
            assert status(port, "/limited") == "404"
