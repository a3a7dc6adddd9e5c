"""certbot with its plugin for nginx, unchanged, and gateway-nginx in nginx's place; pebble is the authority."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acme_authority import needs_pebble, pebble
from tests.process.running import ROOT, until


def _certbot() -> str | None:
    """certbot where it has the plugin, else None."""
    found = shutil.which("certbot", path="/usr/bin:/usr/local/bin")
    if found is None:
        return None
    listed = subprocess.run([found, "plugins"], capture_output=True, text=True, check=False)
    return found if "* nginx" in listed.stdout else None


@needs_pebble
@pytest.mark.timeout(300)
def test_a_certificate_by_certbots_plugin(tmp_path: Path) -> None:
    certbot = _certbot()
    if certbot is None:
        pytest.skip("certbot's plugin is missing (Debian: apt-get install python3-certbot-nginx)")
    control = tmp_path / "gateway-nginx"
    code = "import sys; from gateway.cli import nginx; sys.exit(nginx())"
    control.write_text(f"#!/bin/sh\nexport PYTHONPATH={ROOT}\nexec {sys.executable} -c '{code}' \"$@\"\n")
    control.chmod(0o755)
    (tmp_path / "authority").mkdir()
    (tmp_path / "etc").mkdir()
    conf = tmp_path / "etc" / "nginx.conf"
    # certbot's own library does not take a refused nonce well while it polls
    with pebble(tmp_path / "authority", nonce_reject=0) as authority:
        conf.write_text(
            f"pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
            f"{'user root;' if os.geteuid() == 0 else ''}\nevents {{}}\nhttp {{\n    access_log off;\n"
            f"    server {{\n        listen 127.0.0.1:{authority.http_port};\n        server_name shop.example;\n"
            '        location / { return 200 "it serves"; }\n    }\n}\n'
        )
        where = [f"--{name}-dir={tmp_path}/{name}" for name in ("config", "work", "logs")]
        base = [certbot, *where, "--nginx-server-root", str(tmp_path / "etc"), "--nginx-ctl", str(control)]
        environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(authority.trusted), "XDG_STATE_HOME": str(tmp_path)}
        environment.pop("PYTHONPATH", None)
        subprocess.run([control, "-c", str(conf), "-p", str(tmp_path)], check=True, env=environment, timeout=60)
        try:
            ports = ["--http-01-port", str(authority.http_port), "--https-port", str(authority.tls_port)]
            asked = [
                *base,
                "--nginx",
                "-n",
                "-d",
                "shop.example",
                "--agree-tos",
                "-m",
                "a@example.org",
                "--no-redirect",
            ]
            done = subprocess.run(
                [*asked, "--server", authority.directory, *ports], capture_output=True, text=True, env=environment
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert "Successfully deployed certificate" in done.stdout
            assert "ssl_certificate " in conf.read_text()
            url = f"https://shop.example:{authority.tls_port}/"
            command = ["curl", "-sk", "--resolve", f"shop.example:{authority.tls_port}:127.0.0.1", url]
            until(lambda: subprocess.run(command, capture_output=True, text=True).stdout == "it serves", "an answer")
        finally:
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
