"""referer: which pages may link here."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving

CONF = """
server {
    listen 127.0.0.1:80;
    server_name own.test *.own.test ~^rx\\d+\\.test$;
    location /names { valid_referers www.site.test .both.test *.sub.test tail.*; return 200 "[$invalid_referer]"; }
    location /none { valid_referers none a.test; return 200 "[$invalid_referer]"; }
    location /blocked { valid_referers blocked a.test; return 200 "[$invalid_referer]"; }
    location /path { valid_referers a.test/here; return 200 "[$invalid_referer]"; }
    location /regex { valid_referers ~\\.ok\\. ~^c\\.test/x; return 200 "[$invalid_referer]"; }
    location /server { valid_referers server_names; return 200 "[$invalid_referer]"; }
    location /outer {
        valid_referers ~outer;
        location /outer/own { valid_referers b.test; return 200 "[$invalid_referer]"; }
        return 200 "[$invalid_referer]";
    }
    location /any { return 200 "[$invalid_referer]"; }
}
"""

VALID = [
    ("/names", "http://www.site.test"),
    ("/names", "https://WWW.Site.test:8080/page"),
    ("/names", "http://both.test/"),
    ("/names", "http://x.both.test/"),
    ("/names", "http://a.sub.test/"),
    ("/names", "http://tail.anything/"),
    ("/none", None),
    ("/blocked", "anything"),
    ("/blocked", "ftp://a.test/"),
    ("/path", "http://a.test/here/it/is"),
    ("/path", "http://a.test:81/here"),
    ("/regex", "http://b.ok.test/"),
    ("/regex", "https://C.test/x"),
    ("/server", "http://own.test/"),
    ("/server", "http://www.own.test/"),
    ("/server", "http://rx12.test/"),
    ("/outer/own", "http://b.test/"),
    ("/outer/own", "http://x.outer.test/"),  # patterns are the outer block's
    ("/any", "http://else.test/"),
    ("/any", None),
]

INVALID = [
    ("/names", "http://site.test/"),
    ("/names", "http://sub.test/"),
    ("/names", None),
    ("/names", "http://x"),
    ("/names", "http://" + "a" * 300 + "/"),
    ("/none", "http://b.test/"),
    ("/none", ""),
    ("/blocked", "http://b.test/"),
    ("/path", "http://a.test/there"),
    ("/path", "http://a.test"),
    ("/regex", "http://ok.test/"),
    ("/server", "http://rxa.test/"),
    ("/outer/own", "http://c.test/"),
]


async def test_who_may_link_here() -> None:
    async with serving(CONF) as engine:
        for expected, cases in ((b"[]", VALID), (b"[1]", INVALID)):
            for target, referer in cases:
                headers = {} if referer is None else {"Referer": referer}
                assert ((await engine.get(target, headers, host="own.test")).body) == expected, (target, referer)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('valid_referers "";', 'invalid referer ""'),
        ("valid_referers ~;", 'empty regex in "~"'),
        ("valid_referers a*b;", 'invalid hostname or wildcard "a*b"'),
        ("valid_referers a.test a.test;", 'conflicting parameter "a.test"'),
        ("valid_referers none;", 'the "none" or "blocked" referers are specified in the "valid_referers" directive'),
        ("server_name a.test; valid_referers server_names a.test;", 'conflicting parameter "a.test"'),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"server {{ listen 127.0.0.1:80; {text} }}")
    assert str(caught.value).startswith(message)
