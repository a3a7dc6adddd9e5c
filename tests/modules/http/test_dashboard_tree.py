"""The dashboard's page of the configuration; test_dashboard.py asks for it."""

from __future__ import annotations

from gateway.config.parser import parse
from gateway.core.turns import at_once
from gateway.modules.http.dashboard_listings import few
from gateway.modules.http.dashboard_tree import listings

CONF = """http {
    add_header X-A 1;
    server {
        listen 80; server_name "<b>a</b>";
        location / { root /srv; add_header X-B 2; location ~ x { return 404; } }
        location = /one { return 204; }
    }
}
"""


def test_rows_in_their_order_with_what_matched() -> None:
    http = parse(CONF, "n.conf").statements[0].block
    assert http is not None
    (listing,) = listings(http, {"n.conf:6": 4}, 9)
    page, _ = at_once(few(listing, "/gw/"))
    at = [page.index(words) for words in ("&lt;b&gt;a&lt;/b&gt; (default)", "= /one", "\u2003/<", "\u2003\u2003~ x")]
    assert at == sorted(at)
    assert "n.conf:6</td><td class=\"n\">4</td>" in page and "of the last 9 requests" in page
    assert "add_header X-A 1 (n.conf:2)" in page
