"""gateway.testing: a configuration as it is, other ports, and Python in the place of application servers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from gateway.testing import GatewayFailed, serve
from tests.certificates import write

CONF = """
worker_processes 1;
events {}
http {
    include uwsgi_params;
    upstream app { server 10.255.255.1:3031; }
    server {
        listen 80;
        server_name shop.example;
        location /static/ { root .; }
        location ~ "^/r/(\\d{2,3})$" { return 200 "r $1 \\"quoted\\"\\n"; }
        location /http/ { proxy_pass http://127.0.0.1:9/base/; proxy_set_header X-Forwarded-Proto $scheme; }
        location / { uwsgi_pass app; }
    }
    server { listen 443 ssl; ssl_certificate server.pem; ssl_certificate_key server.key; return 200 $scheme; }
}
"""


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    text = " ".join([environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_HOST", "-")])
    start_response("200 OK", [("X-Query", environ["QUERY_STRING"])])
    return [text.encode(), b" ", environ["wsgi.input"].read()]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = scope["path"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nginx.conf").write_text(CONF)
    (tmp_path / "uwsgi_params").write_text((Path(__file__).parents[1] / "gateway/conf/uwsgi_params").read_text())
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.css").write_text("p {}")
    write(tmp_path, "shop.example")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_configuration_with_wsgi(folder: Path) -> None:
    before = sorted(os.listdir(folder))
    with serve("nginx.conf", upstreams={"app": wsgi, "127.0.0.1:9": wsgi}) as server:
        assert server.get("/x?a=b", host="shop.example").text == "GET /x shop.example "
        assert server.get("/x?a=b").headers["x-query"] == "a=b"
        assert server.request("POST", "/x", body=b"sent").text == "POST /x localhost sent"
        assert server.get("/static/a.css").text == "p {}"
        assert server.get("/static/none").status == 404
        assert server.get("/r/12").text == 'r 12 "quoted"\n'
        assert server.get("/http/y").text.startswith("GET /base/y ")
        assert server.get("/", listen="443").text == "https"
        assert set(server.ports) == {"80", "443"}
        assert "static/none" in server.log
        place = server.folder
    assert not place.exists()
    assert sorted(os.listdir(folder)) == before


def test_asgi(folder: Path) -> None:
    pytest.importorskip("uvicorn")
    text = "events {} http { server { listen 80; location / { proxy_pass http://app; } } }"
    with serve(text, upstreams={"app": asgi}) as server:
        assert server.get("/of/asgi").text == "/of/asgi"
    with pytest.raises(ValueError, match="behind proxy_pass"), serve(CONF, upstreams={"app": asgi}):
        pass


def test_an_application_that_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(environ: Any, start_response: Any) -> list[bytes]:
        raise ValueError("on purpose")

    with serve(CONF, upstreams={"app": broken}) as server:
        answer = server.get("/")
    assert answer.status == 500
    assert "ValueError: on purpose" in answer.text


def test_what_does_not_start_says_why(folder: Path) -> None:
    with pytest.raises(ConfigError, match="unexpected end of file"), serve("events {"):
        pass
    with pytest.raises(GatewayFailed, match='unknown directive "nonsense"'), serve("events {} nonsense;"):
        pass
    said = "nothing in the configuration passes to other"
    with pytest.raises(GatewayFailed, match=said), serve(CONF, upstreams={"other": wsgi}):
        pass
