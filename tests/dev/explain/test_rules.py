"""The rules of gateway check that a path meets, and no others."""

from __future__ import annotations

from pathlib import Path

from tests.dev.explain.told import told

CONF = """
    server_tokens on;
    upstream app { server 127.0.0.1:9; }
    upstream other { server unix:/tmp/x.sock; }
    server {
        listen 8080; server_name a.example; add_header X-Frame-Options DENY;
        location / { proxy_pass http://app; }
        location /lost { add_header A b; return 200 x; }
        location /old { return 301 https://$host$uri; }
    }
    server { listen 8080; server_name b.example; autoindex on; location / { allow 10.0.0.1; } }
"""


def _rules(folder: Path, url: str) -> set[str]:
    return {finding.data["rule"] for finding in told(folder, CONF, url).of("looks wrong")}


def test_those_on_the_way(tmp_path: Path) -> None:
    everywhere = {"GW712", "GW409"}
    assert _rules(tmp_path, "http://a.example:8080/x") == {"GW302"} | everywhere
    assert _rules(tmp_path, "http://a.example:8080/lost") == {"GW201"} | everywhere
    assert _rules(tmp_path, "http://a.example:8080/old") == {"GW204"} | everywhere
    assert _rules(tmp_path, "http://b.example:8080/x") == {"GW109", "GW403", "GW712"}


def test_an_upstream_that_is_passed_to(tmp_path: Path) -> None:
    conf = CONF.replace("http://app", "http://other")
    found = told(tmp_path, conf, "http://a.example:8080/x").of("looks wrong")
    assert "GW312" in {finding.data["rule"] for finding in found}
    assert all(finding.where is not None and finding.where.line > 0 for finding in found)
