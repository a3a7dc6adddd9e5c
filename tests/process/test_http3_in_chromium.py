"""Debian's Chromium loads a page and its files over HTTP/3."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("aioquic")
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.certificates import write
from tests.process.running import GATEWAY, Running, free_port

CHROMIUM = shutil.which("chromium")
FILES = 30
# Nothing but the page is asked for: no updates, no services of its maker's.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --enable-quic"
)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.timeout(180)
def test_a_page_and_its_files(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    port = free_port()
    chain, key = write(tmp_path, "localhost")
    scripts = "".join(f'<script src="/{number}.js"></script>' for number in range(FILES))
    said = "document.getElementById('said').textContent = 'loaded ' + count"
    root = tmp_path / "www"
    root.mkdir()
    (root / "index.html").write_text(f"<p id=said></p><script>count = 0</script>{scripts}<script>{said}</script>")
    for number in range(FILES):
        (root / f"{number}.js").write_text("count += 1")
    names = "\n".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "nginx.conf").write_text(f"""
        {"user root;" * (os.geteuid() == 0)}
        worker_processes 2; error_log error.log info; pid nginx.pid; daemon off;
        events {{ }}
        http {{
            {names} log_format protocol "$server_protocol $status $uri"; access_log access.log protocol;
            types {{ text/html html; text/javascript js; }}
            ssl_certificate {chain}; ssl_certificate_key {key};
            server {{
                listen 127.0.0.1:{port} quic reuseport; listen 127.0.0.1:{port} ssl;
                server_name localhost; root {root};
            }}
        }}
    """)
    public = x509.load_pem_x509_certificate(chain.read_bytes()).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    log = tmp_path / "net.json"
    with Running(tmp_path, GATEWAY) as gateway:
        gateway.start()
        done = subprocess.run(
            [
                CHROMIUM, *FLAGS.split(), f"--user-data-dir={tmp_path}/profile", f"--log-net-log={log}",
                f"--origin-to-force-quic-on=localhost:{port}", "--host-resolver-rules=MAP localhost 127.0.0.1",
                f"--ignore-certificate-errors-spki-list={trusted}", "--virtual-time-budget=10000", "--dump-dom",
                f"https://localhost:{port}/",
            ],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert f"loaded {FILES}" in done.stdout, done.stdout[:300] + done.stderr[-2000:]
    asked = [line for line in (tmp_path / "access.log").read_text().splitlines() if "favicon" not in line]
    assert len(asked) == FILES + 1
    assert all(line.startswith("HTTP/3.0 200 ") for line in asked), asked
    kinds = {number: name for name, number in json.loads(log.read_text())["constants"]["logEventTypes"].items()}
    seen = {kinds[event["type"]] for event in json.loads(log.read_text())["events"]}
    assert "HTTP3_HEADERS_DECODED" in seen
