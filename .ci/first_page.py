"""make first-page: from a wheel to https://localhost in a clean folder, each command with its seconds.

    .ci/first_page.py [WHEEL] [--most 30] [--release trixie]

A FastAPI and a Flask application; WHEEL is the newest of dist/. With --release it is tried in a fresh Debian of that
name (userland.py), which has python3-venv and nothing else.

As a newcomer has it: an empty HOME, a new venv for each, no compiler on the PATH. The page is fetched over HTTPS, and
its certificate is believed because of the local authority that `gateway run --https` has made. More seconds than
--most, for either of them, is exit code 1.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_PATIENCE_S: Final = 120.0

FASTAPI: Final = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def hello() -> dict[str, str]:
    return {"it": "works"}
"""
FLASK: Final = """\
from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "it works"
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """An application, and what pip installs beside gateway for it."""

    name: str
    file: str
    code: str
    packages: tuple[str, ...]


KINDS: Final = (
    Kind("FastAPI", "main.py", FASTAPI, ("fastapi", "uvicorn", "websockets")),
    Kind("Flask", "app.py", FLASK, ("flask", "pyuwsgi")),
)


@dataclass(slots=True)
class Trial:
    """One newcomer's folder."""

    folder: Path
    wheel: Path
    times: list[tuple[str, float]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        # How this machine reaches the index is no part of the trial.
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "LANG", "TERM"))}
        own = Path.home() / ".config" / "pip" / "pip.conf"
        if own.exists():
            kept.setdefault("PIP_CONFIG_FILE", str(own))
        return {**kept, "HOME": str(self.folder / "home"), "PATH": str(self.folder / ".venv" / "bin")}

    def run(self, kind: Kind) -> float:
        """All steps; the seconds of all together."""
        (self.folder / "home").mkdir()
        (self.folder / kind.file).write_text(kind.code)
        self._step("python3 -m venv .venv", [sys.executable, "-m", "venv", ".venv"])
        words = ["pip", "install", "-q", "--disable-pip-version-check", self.wheel.name, *kind.packages]
        given = [str(self.wheel) if word == self.wheel.name else word for word in words]
        self._step(" ".join(words), [str(self.folder / ".venv" / "bin" / "pip"), *given[1:]])
        self._first_page()
        return sum(seconds for _, seconds in self.times)

    def _step(self, shown: str, command: list[str]) -> None:
        began = time.monotonic()
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{shown}: {done.stdout}{done.stderr}")
        self.times.append((shown, time.monotonic() - began))

    def _first_page(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        began = time.monotonic()
        log = self.folder / "said"
        command = [str(self.folder / ".venv" / "bin" / "gateway"), "run", "--https", "--port", str(port)]
        with log.open("w") as out:
            running = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            for page in self._asked(port):
                if page:
                    break
                if running.poll() is not None or time.monotonic() - began > _PATIENCE_S:
                    raise SystemExit(log.read_text())
                time.sleep(0.02)
            self.times.append(("gateway run --https, until the first page", time.monotonic() - began))
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(60)

    def _asked(self, port: int) -> Iterator[str]:
        """The page, as soon as there is one that a browser would believe."""
        authority = self.folder / "home" / ".local" / "share" / "gateway" / "authority.pem"
        while True:
            try:
                context = ssl.create_default_context(cafile=str(authority))
                connection = HTTPSConnection("localhost", port, timeout=10, context=context)
                connection.request("GET", "/")
                answer = connection.getresponse()
                body = answer.read().decode()
                connection.close()
                yield body if answer.status == 200 else ""
            except OSError:
                yield ""


def main(argv: list[str]) -> int:
    """Print the table; 1 where it took too long."""
    parser = argparse.ArgumentParser(description="From a wheel to https://localhost, in seconds.")
    parser.add_argument("wheel", nargs="?", type=Path, help="(the newest of this machine's in dist/)")
    parser.add_argument("--most", type=float, default=30.0, metavar="SECONDS", help="for one application (%(default)s)")
    parser.add_argument("--release", help="of Debian, in which it is tried (as root; this system)")
    options = parser.parse_args(argv)
    if options.release:
        return _elsewhere(options.release, options.wheel, options.most)
    wheel = options.wheel or newest(ROOT / "dist")
    late = False
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as name:
            trial = Trial(Path(name), wheel)
            whole = trial.run(kind)
        print(kind.name)
        for shown, seconds in trial.times:
            print(f"  {seconds:6.1f} s  {shown}")
        print(f"  {whole:6.1f} s  in all\n")
        late = late or whole > options.most
    return int(late)


def _elsewhere(release: str, wheel: Path | None, most: float) -> int:
    """This program in a fresh Debian, with the index that this machine has."""
    import userland

    userland.releases([release])
    wheel = wheel or newest(ROOT / "dist", userland.RELEASES[release])
    with userland.overlaid(release, userland.Steps()) as debian:
        debian.fetch("python3-venv")
        debian.step("apt-get -qq -y install --no-install-recommends python3-venv", shown="apt-get install python3-venv")
        for file in (wheel, Path(__file__)):
            (debian.root / "root" / file.name).write_bytes(file.read_bytes())
        return debian.aside(["python3", "/root/first_page.py", f"/root/{wheel.name}", f"--most={most}"])


def newest(folder: Path, tag: str = "") -> Path:
    """The wheel that was made last for this Python, or that which the tag names, and this machine."""
    tag = tag or f"cp{sys.version_info.major}{sys.version_info.minor}"
    found = sorted(folder.glob(f"gateway-*{tag}*{os.uname().machine}*.whl"), key=lambda wheel: wheel.stat().st_mtime)
    if not found:
        raise SystemExit(f"there is no wheel for this Python ({tag}) in dist/: make wheel")
    return found[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
