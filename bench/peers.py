"""Other servers, for the workloads where they can do the same work: an answer of the same size over the same client."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import Lab, Subject
from workloads import UPSTREAM_PORT, Workload

# (lab, folder, port) -> the command to run in the folder, once its files are there
Setup = Callable[[Lab, Path, int], list[str]]


@dataclass(frozen=True)
class Peer(Subject):
    """A server that does not read nginx.conf: `setups` has what it needs for each workload that it can serve."""

    version: tuple[str, ...]
    setups: Mapping[str, Setup]

    def serves(self, workload: Workload) -> bool:
        return workload.name in self.setups

    def argv(self, lab: Lab, workload: Workload, folder: Path, port: int) -> list[str]:
        return self.setups[workload.name](lab, folder, port)


def caddy(site: str) -> Setup:
    def setup(lab: Lab, folder: Path, port: int) -> list[str]:
        text = site.replace("@DIR@", str(lab.folder)).replace("@UPSTREAM@", f"127.0.0.1:{UPSTREAM_PORT}")
        (folder / "Caddyfile").write_text(
            "{\n admin off\n auto_https off\n}\n"
            f"http://:{port} {{\n bind 127.0.0.1\n {text}\n}}\n"
        )
        return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]

    return setup


HELLO = """\
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # ASGI: so an application refuses lifespan
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})
"""


def hypercorn(lab: Lab, folder: Path, port: int) -> list[str]:
    (folder / "hello.py").write_text(HELLO)
    return [_beside("hypercorn"), "-w", "0", "-k", "trio", "-b", f"127.0.0.1:{port}", "--keep-alive", "600",
            "--log-level", "error", "hello:app"]  # fmt: skip


def uwsgi_router(lab: Lab, folder: Path, port: int) -> list[str]:
    """uWSGI's own router in front of the application's socket."""
    return [_beside("pyuwsgi"), "--master", "--http", f"127.0.0.1:{port}", "--http-to", str(lab.folder / "up.sock"),
            "--http-keepalive", "--http-auto-chunked", "--disable-logging", "--die-on-term"]  # fmt: skip


def _beside(name: str) -> str:
    """A command of this Python's environment."""
    return str(Path(sys.executable).parent / name)


STATIC = "root * @DIR@/files\n file_server"
LOGGED = "log {\n output file access.log\n }\n " + STATIC
PROXY = "reverse_proxy @UPSTREAM@"

PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("caddy", ("caddy",), ("caddy", "version"), {
            "return": caddy("respond hello"),
            "return-2000": caddy("respond hello"),
            "new-connection": caddy("respond hello"),
            "static-1k": caddy(STATIC),
            "static-1k-log": caddy(LOGGED),
            "static-1m": caddy(STATIC),
            "static-1g": caddy(STATIC),
            "slow-clients": caddy(STATIC),
            "gzip-32k": caddy("encode gzip\n " + STATIC),
            "gzip-32k-prose": caddy("encode gzip\n " + STATIC),
            "proxy-keepalive": caddy(PROXY),
            "idle-10000": caddy("respond hello"),
        }),
        Peer("hypercorn", ("hypercorn",), (_beside("hypercorn"), "--version"), {
            "return": hypercorn,
            "return-2000": hypercorn,
        }),
        Peer("uwsgi-http", ("pyuwsgi",), (_beside("pyuwsgi"), "--version"), {
            "uwsgi-unix": uwsgi_router,
            "uwsgi-hello": uwsgi_router,
        }),
    )
}  # fmt: skip
