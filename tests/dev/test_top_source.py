from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.dev.top_source import NoSource, addresses, ask, of
from tests.ports import free_port

Answers = dict[str, tuple[int, Any]]


@contextmanager
def answering(answers: Answers, family: int = socket.AF_INET, address: Any = None) -> Iterator[str]:
    """A server that has these paths; what it is reached at."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, data = answers.get(self.path, (404, "nothing"))
            body = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return "-"

    class Server(HTTPServer):
        address_family = family

        def server_bind(self) -> None:
            self.socket.bind(self.server_address)

    server = Server(address or ("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"unix:{address}:" if address else f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


DATA = {"connections": {"accepted": 3}, "requests": {"total": 5}}


def test_a_dashboard() -> None:
    with answering({"/gw/data.json": (200, DATA)}) as url:
        assert of(f"{url}/gw/")() == DATA
        assert of(f"{url}/gw")() == DATA


@pytest.mark.parametrize("path", ["/api", "/api/9"])
def test_an_api_has_what_it_has(path: str) -> None:
    answers: Answers = {"/api/9/connections": (200, {"accepted": 3}), "/api/9/http/requests": (200, {"total": 5})}
    with answering(answers) as url:
        assert of(f"{url}{path}")() == DATA


def test_a_unix_socket(tmp_path: Path) -> None:
    with answering({"/gw/data.json": (200, DATA)}, socket.AF_UNIX, str(tmp_path / "s")) as url:
        assert of(f"{url}/gw/")() == DATA


def test_who_does_not_tell() -> None:
    with answering({"/gw/data.json": (403, "no")}) as url:
        with pytest.raises(NoSource, match="answers 403: its allow, deny"):
            of(f"{url}/gw/")()
        with pytest.raises(NoSource, match=r"neither a dashboard nor an api \(it answers 404\)"):
            of(f"{url}/x/")()
    with pytest.raises(NoSource, match="Connection refused"):
        ask(f"http://127.0.0.1:{free_port()}/")
    for wrong in ("127.0.0.1:80", "ftp://x/", "http://", "http://x:y/"):
        with pytest.raises(NoSource, match="should look like"):
            ask(wrong)


def _addresses(folder: Path, text: str) -> list[str]:
    (folder / "nginx.conf").write_text(f"events {{}}\nhttp {{ {text} }}\n")
    return addresses(str(folder / "nginx.conf"))


def test_of_a_configuration(tmp_path: Path) -> None:
    both = "location /api { api; } location = /gw/ { dashboard; }"
    assert _addresses(tmp_path, f"server {{ listen 8081; {both} }}") == [
        "http://127.0.0.1:8081/gw/", "http://127.0.0.1:8081/api",
    ]  # fmt: skip
    listens = "listen 8443 ssl; listen 8443 quic; listen unix:/run/s; listen [::]:81; listen 10.0.0.1; listen *:82;"
    assert _addresses(tmp_path, f"server {{ {listens} location /gw/ {{ dashboard; }} }}") == [
        "https://127.0.0.1:8443/gw/", "unix:/run/s:/gw/", "http://[::1]:81/gw/", "http://10.0.0.1:80/gw/",
        "http://127.0.0.1:82/gw/",
    ]  # fmt: skip
    assert _addresses(tmp_path, "server { location /a { location /a/b { api; } } }") == ["http://127.0.0.1:80/a/b"]


def test_a_configuration_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoSource, match="has neither a location with dashboard nor one with api"):
        _addresses(tmp_path, "server { listen 8081; }")
    monkeypatch.chdir(tmp_path)  # its nginx.conf has none, and nobody named it
    assert addresses(None) == ["http://127.0.0.1:8080/__gateway/"]
