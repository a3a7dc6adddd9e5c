"""The cases of all rules, and how one is loaded."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.config.parser import Source
from gateway.dev.check.command import read

_ROOT = Path(__file__).resolve().parents[3]
_DATA = tomllib.loads((_ROOT / "tests" / "data" / "check" / "rules.toml").read_text())
# bad: the rule finds something; good: it does not
CASES: dict[str, tuple[list[str], list[str]]] = {id: (case["bad"], case["good"]) for id, case in _DATA.items()}
_CONF = _ROOT / "gateway" / "conf"


@contextlib.contextmanager
def names_of_cases() -> Iterator[None]:
    """Names below site.org are there, whatever network this runs in."""
    real = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host in ("app.site.org", b"app.site.org") else host, *args, **more)

    socket.getaddrinfo = look_up
    try:
        yield
    finally:
        socket.getaddrinfo = real


def make_site(folder: Path) -> None:
    """Files and certificates that the cases name."""
    (folder / "index.html").write_text("x")
    (folder / "hidden" / ".git").mkdir(parents=True)
    for name in ("sites/shop", "copies/shop.conf.bak"):  # what an include may overlook
        (folder / name).parent.mkdir()
        (folder / name).write_text("")
    _certificate(folder, "cert.pem", "key.pem", 365)
    _certificate(folder, "old.pem", "old-key.pem", 3)
    _certificate(folder, "ocsp.pem", "ocsp-key.pem", 365, "authorityInfoAccess=OCSP;URI:http://127.0.0.1:1/")
    (folder / "open-key.pem").write_bytes((folder / "key.pem").read_bytes())
    (folder / "open-key.pem").chmod(0o644)
    (folder / "key.pem").chmod(0o600)
    (folder / "old-key.pem").chmod(0o600)
    (folder / "ocsp-key.pem").chmod(0o600)


_SELF_SIGNED = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"


def _certificate(folder: Path, cert: str, key: str, days: int, extension: str = "") -> None:
    command = _SELF_SIGNED.split()
    command += ["-days", str(days), "-keyout", str(folder / key), "-out", str(folder / cert)]
    command += ["-addext", extension] if extension else []
    subprocess.run(command, check=True, capture_output=True)


def load(folder: Path, site: Path, text: str) -> Source:
    """Load a case as the configuration of a folder that has the usual parameter files."""
    for name in ("uwsgi_params", "fastcgi_params"):
        (folder / name).write_bytes((_CONF / name).read_bytes())
    text = text.replace("SITE", str(site))
    whole = text.removeprefix("main:") if text.startswith("main:") else f"events {{}}\nhttp {{\n{text}\n}}\n"
    file = folder / "nginx.conf"
    file.write_text(whole)
    return read(str(file), str(folder))
