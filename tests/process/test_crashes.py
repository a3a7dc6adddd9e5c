"""A handler that raises: its connection is closed and counted no more; the worker goes on, and ends when told to."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path

from tests import certificates
from tests.process.running import Running, fetch, free_port, until

FAULTY = (sys.executable, str(Path(__file__).with_name("faulty.py")))


def _ends(port: int) -> bool:
    """A client's connection is closed by the other side."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.settimeout(10)
        with contextlib.suppress(ConnectionError):
            client.sendall(b"\x16\x03\x01")
            return client.recv(100) == b""
        return True


def test_of_tls_and_of_a_session(tmp_path: Path) -> None:
    ports = [free_port() for _ in range(3)]
    chain, key = certificates.write(tmp_path)
    (tmp_path / "nginx.conf").write_text(
        f"""{"user root;" * (os.geteuid() == 0)} pid nginx.pid; error_log error.log info; events {{ }}
        stream {{ server {{ listen 127.0.0.1:{ports[2]}; return text; }} }}
        http {{ access_log off;
        server {{ listen 127.0.0.1:{ports[0]}; location / {{ return 200 ok; }} location /s {{ stub_status; }} }}
        server {{ listen 127.0.0.1:{ports[1]} ssl proxy_protocol; ssl_certificate {chain}; ssl_certificate_key {key};
            return 200 ok; }} }}"""
    )
    with Running(tmp_path, FAULTY) as running:
        running.raises = True
        running.start()
        (worker,) = running.workers
        for port in ports[1:] * 5:
            assert _ends(port)
        until(lambda: "Active connections: 1 " in fetch(("127.0.0.1", ports[0]), "/s"), "the count of connections")
        assert len(running.logged(r"\[alert\].*internal error: Traceback.*a bug, as asked")) == 10
        assert running.workers == [worker]
        running.end()
