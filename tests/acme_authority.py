"""pebble, the authority that Let's Encrypt tests clients with, and its DNS server, on ports of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import authority, certificate
from tests.process.running import free_port, until

needs_pebble = pytest.mark.skipif(
    shutil.which("pebble") is None or shutil.which("pebble-challtestsrv") is None,
    reason="pebble is missing (Debian: apt-get install pebble)",
)


# It has this name, too, which its own DNS server alone knows.
NAME = "pebble.example"


class Pebble:
    """Names all lead to 127.0.0.1, and are asked on `http_port`."""

    def __init__(self, folder: Path, *, validity_s: int = 86400 * 90, nonce_reject: int = 20) -> None:
        self.folder = folder
        self.http_port = free_port()
        self.tls_port = free_port()
        self.port = free_port()
        self._dns, self._manage = free_port(), free_port()
        self._validity_s = validity_s
        self._nonce_reject = nonce_reject
        self._running: list[subprocess.Popen[bytes]] = []
        self.trusted = folder / "pebble-ca.pem"
        self.trusted.write_bytes(authority().cert_pem.bytes())

    @property
    def directory(self) -> str:
        return f"https://localhost:{self.port}/dir"

    @property
    def named_directory(self) -> str:
        return f"https://{NAME}:{self.port}/dir"

    @property
    def resolver(self) -> str:
        """Its DNS server, which says 127.0.0.1 of all names."""
        return f"127.0.0.1:{self._dns}"

    def start(self) -> None:
        issued = certificate("localhost", NAME)
        chain, key = self.folder / "pebble.pem", self.folder / "pebble.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        conf = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": "127.0.0.1:0",
            "certificate": str(chain),
            "privateKey": str(key),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "certificateValidityPeriod": self._validity_s,
            "externalAccountBindingRequired": False,
        }
        (self.folder / "pebble.json").write_text(json.dumps({"pebble": conf}))
        servers = [f"-{name}=" for name in ("http01", "https01", "tlsalpn01", "doh")]
        dns = ["-dns01", f"127.0.0.1:{self._dns}", "-management", f"127.0.0.1:{self._manage}", "-defaultIPv6", ""]
        self._spawn(["pebble-challtestsrv", *servers[:3], *dns])
        # It sleeps before it looks, and refuses some nonces, so that clients get used to both.
        environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": str(self._nonce_reject)}
        environment["PEBBLE_AUTHZREUSE"] = "0"
        command = ["pebble", "-config", str(self.folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{self._dns}"]
        self._spawn(command, environment)
        until(self._answers, "pebble")

    def _answers(self) -> bool:
        import socket

        for port in (self.port, self._manage):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                return False
        return True

    def _spawn(self, command: list[str], more: dict[str, str] | None = None) -> None:
        log = (self.folder / f"{command[0]}.log").open("ab")
        environment = {**os.environ, **(more or {})}
        self._running.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        log.close()

    def stop(self) -> None:
        for process in self._running:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self._running = []

    def manage(self, what: str, **values: str) -> None:
        """Change a record of the DNS server, as `set-txt`."""
        url = f"http://127.0.0.1:{self._manage}/{what}"
        request = urllib.request.Request(url, json.dumps(values).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def hook(self) -> Path:
        """A program for dns-01 that puts a record into that server."""
        path = self.folder / "hook"
        path.write_text(
            f"#!{sys.executable}\n"
            "import json, sys, urllib.request\n"
            "action, name, value = sys.argv[1:4]\n"
            'what = {"add": "set-txt", "remove": "clear-txt"}[action]\n'
            'data = json.dumps({"host": f"{name}.", "value": value}).encode()\n'
            f'urllib.request.urlopen(f"http://127.0.0.1:{self._manage}/{{what}}", data, timeout=10).close()\n'
            f'with open("{self.folder}/hooked", "a") as hooked:\n'
            '    hooked.write(f"{action} {name}\\n")\n'
        )
        path.chmod(0o755)
        return path


@contextlib.contextmanager
def pebble(folder: Path, **more: int) -> Iterator[Pebble]:
    made = Pebble(folder, **more)
    made.start()
    try:
        yield made
    finally:
        made.stop()
