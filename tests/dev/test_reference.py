from __future__ import annotations

import pytest

from gateway.cli import main
from gateway.dev import reference


def test_every_directive_has_its_text() -> None:
    for name in reference.names():
        text = reference.text(name)
        assert text.startswith(f"{name}  ("), name
        assert "  takes    " in text
        assert "  context  " in text
        assert "  here     " in text


def test_what_no_module_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "MODULES", ())
    assert "not built yet: refused, with file and line" in reference.text("http3")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("proxy_pass", ["nginx's http_proxy", "1 argument", "location, if in location", "here     built"]),
        ("sendfile", ["without effect"]),
        ("acme_issuer", ["the nginx-acme module", "and a block", "context  http"]),
        ("diagnosis_probe", ["gateway's own"]),
        ("http3", ["here     built", "http, server"]),
        ("gzip", ["on or off", "example  gzip on;"]),
        ("limit_except", ["example  location /api/ { limit_except GET { deny all; } }"]),
    ],
)
def test_what_it_says(name: str, parts: list[str]) -> None:
    assert all(part in reference.text(name) for part in parts), reference.text(name)


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "uwsgi_pass"]) == 0
    assert "nginx's http_uwsgi" in capsys.readouterr().out
    assert main(["help", "uwsgi_paas"]) == 2
    assert reference.nearest("uwsgi_paas") == "uwsgi_pass"
