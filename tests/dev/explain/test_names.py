"""Names of upstreams that a request's variables make: nobody is asked for them."""

from __future__ import annotations

from pathlib import Path

from tests.dev.explain.told import one, texts, told


def test_a_name_stands_for_nobody(tmp_path: Path) -> None:
    http = "resolver 192.0.2.53; server { listen 8080; location / { set $h b.example; proxy_pass http://$h:81; } }"
    found = told(tmp_path, http, "/x")
    assert texts(found, "resolver") == ["b.example would be looked up; here it stands for 192.0.2.1"]
    assert one(found, "upstream").data["line"] == "GET /x HTTP/1.1"


def test_without_a_resolver_it_fails_as_it_would(tmp_path: Path) -> None:
    http = "server { listen 8080; location / { set $h b.example; proxy_pass http://$h:81; } }"
    found = told(tmp_path, http, "/x")
    assert one(found, "answer").data["status"] == 502
    assert "no resolver defined to resolve b.example" in texts(found, "error_log")[0]
