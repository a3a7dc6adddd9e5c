"""browser: what a User-Agent is taken for."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from gateway.modules.http.browser import version_of
from tests.engine import load_http, serving

CONF = """
modern_browser msie 5.5;
modern_browser gecko 1.0.0;
modern_browser safari 2;
modern_browser konqueror 3.0;
ancient_browser_value old;
server {
    listen 127.0.0.1:80;
    location / { return 200 "[$modern_browser][$ancient_browser][$msie]"; }
    location /opera { modern_browser opera 9.0; return 200 "[$modern_browser][$ancient_browser]"; }
    location /unlisted {
        modern_browser unlisted;
        ancient_browser Links Lynx netscape4;
        return 200 "[$modern_browser][$ancient_browser]";
    }
    location /value { modern_browser_value new; return 200 "[$modern_browser]"; }
}
"""
MSIE = "Mozilla/4.0 (compatible; MSIE %s; Windows NT 5.1)%s"
GECKO = "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:%s) Gecko/20020610"


@pytest.mark.parametrize(
    ("target", "agent", "answer"),
    [
        ("/", None, "[][old][]"),
        ("/", MSIE % ("6.0", ""), "[1][][1]"),
        ("/", MSIE % ("5.5", ""), "[1][][1]"),
        ("/", MSIE % ("5.01", ""), "[][old][1]"),
        # an Opera that is not listed is never modern, whatever else it says that it is
        ("/", MSIE % ("6.0", " Opera 8.0"), "[][old][]"),
        ("/", GECKO % "1.0.0", "[1][][]"),
        ("/", GECKO % "0.9.8", "[][old][]"),
        ("/", "Mozilla/5.0 (Macintosh; U; PPC Mac OS X; en) AppleWebKit/418 Safari/417.9.3", "[1][][]"),
        ("/", "Mozilla/5.0 (compatible; Konqueror/2.2; Linux)", "[][old][]"),
        ("/", "Lynx/2.8", "[][old][]"),
        ("/opera", "Opera/9.01 (X11; FreeBSD 6 i386; U; en)", "[1][]"),
        ("/opera", "Opera/8.5 (X11)", "[][old]"),
        ("/opera", MSIE % ("6.0", ""), "[][old]"),  # its own list stands for the outer one
        ("/unlisted", None, "[1][]"),
        ("/unlisted", "curl/8.0", "[1][]"),
        ("/unlisted", "Lynx/2.8", "[][old]"),
        ("/unlisted", "Mozilla/4.72 [en] (X11; I; Linux)", "[][old]"),
        ("/unlisted", "Mozilla/5.0 (X11)", "[1][]"),
        ("/value", MSIE % ("7.0", ""), "[new]"),
    ],
)
async def test_judgement(target: str, agent: str | None, answer: str) -> None:
    async with serving(CONF) as engine:
        headers = {} if agent is None else {"User-Agent": agent}
        assert (await engine.get(target, headers)).body.decode() == answer


def test_versions() -> None:
    assert version_of(b"5.5") == 5_050_000
    assert version_of(b"5.01.2.3.4") == 5_010_203
    assert version_of(b"") == 0
    assert version_of(b"9" * 5000) > version_of(b"99.9")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modern_browser lynx 1;", 'unknown browser name "lynx"'),
        ("modern_browser msie 5.x;", 'invalid browser version "5.x"'),
        ("modern_browser msie;", 'invalid number of arguments in "modern_browser" directive'),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(text)
    assert str(caught.value).startswith(message)
