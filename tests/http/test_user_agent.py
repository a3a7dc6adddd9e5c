"""Old browsers: how they are known, and msie_refresh."""

from __future__ import annotations

import pytest

from gateway.http.user_agent import is_chrome, is_msie
from tests.engine import serving

CONF = """
server {
    listen 127.0.0.1:80;
    msie_refresh on;
    location / { return 301 "to \\"it"; }
    location /page { return 302; error_page 302 http://else.test/; }
    location /off { msie_refresh off; return 301 there; }
    location /other { return 303 there; }
}
"""
MSIE = {"User-Agent": "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"}


@pytest.mark.parametrize(
    ("agent", "msie", "chrome"),
    [
        (b"", False, False),
        (b"MSIE 6.", False, False),  # too near to the end
        (b"MSIE 6.0;", True, False),
        (b"x MSIE 6.0; Opera 8", False, False),
        (b"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0", False, True),
        (b"Gecko/2010 Chrome/1", False, False),
        (b"MSIE 9.0; Chrome/1", True, False),
    ],
)
def test_known_by(agent: bytes, msie: bool, chrome: bool) -> None:
    assert is_msie(agent) is msie
    assert is_chrome(agent) is chrome


async def test_refresh() -> None:
    async with serving(CONF) as engine:
        reply = await engine.get("/", MSIE)
        assert (reply.status, reply.header("location")) == (200, None)
        expected = b'<html><head><meta http-equiv="Refresh" content="0; URL=%b"></head><body></body></html>\r\n'
        assert reply.body == expected % b"to%20%22it"
        assert reply.header("content-length") == b"%d" % len(reply.body)
        page = await engine.get("/page", MSIE)
        assert (page.status, page.body) == (200, expected % b"http://else.test/")
        for target, headers, status in (("/", {}, 301), ("/off", MSIE, 301), ("/other", MSIE, 303)):
            reply = await engine.get(target, headers)
            assert (reply.status, reply.header("location") is not None) == (status, True), target
