"""The dashboard's certificates; test_dashboard.py has servers with some."""

from __future__ import annotations

from gateway.core.turns import at_once
from gateway.modules.http.dashboard_certificates import listed, listing
from gateway.modules.http.dashboard_listings import few
from tests.engine import load_http


def test_states_are_words_too() -> None:
    one = {"certificate": "a.pem", "servers": ["<x>", "<x>", "y"], "issuer": "ca", "ends": "", "days": None}
    states = [{**one, "state": state} for state in ("good", "ends soon", "has ended", "none yet")]
    page, _ = at_once(few(listing(states), "/gw/"))
    for words in ("✓ good", "! ends soon", "✗ has ended", "◇ none yet", "&lt;x&gt;, y<"):
        assert words in page


def test_servers_without_tls_have_none() -> None:
    assert listed(load_http("server { listen 127.0.0.1:80; }")) == []
