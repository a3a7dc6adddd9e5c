"""A dashboard on this machine alone, asked for by the name of another site that leads here."""

from __future__ import annotations

import http.client
import sys
from pathlib import Path

from tests.process.running import Running, free_port

CONF = """
daemon off; pid nginx.pid; error_log error.log; events { }
http { access_log off; server { listen 127.0.0.1:%d; server_name app.test; location /gw/ { dashboard write=on; } } }
"""


def test_a_page_that_had_its_name_lead_here_reads_nothing(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "nginx.conf").write_text(CONF % port)
    tmp_path.chmod(0o755)

    def ask(host: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        fields = {"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}", "Sec-Fetch-Site": "same-origin"}
        connection.request(method, "/gw/data.json", body, fields)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    with Running(tmp_path, (sys.executable, "-m", "gateway")) as running:
        running.start()
        for host in ("localhost", "127.0.0.1", "app.test"):
            assert ask(host)[0] == 200, host
        for method, body in (("GET", None), ("POST", b"upstream=app&id=0&to=down")):
            status, text = ask("evil.example", method, body)
            assert status == 403
            assert text.startswith(b'dashboard: "evil.example" is no server_name of this server')
        running.end()
    assert '"evil.example" is no server_name' in (tmp_path / "error.log").read_text()
