"""The dashboard in a browser: light and dark, wide and narrow, by keys, without JavaScript, and what axe-core says.

It needs Debian's Chromium and its driver; the same pages are what `python -m tests.screenshots` takes for the docs.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import BROWSER, DRIVER, WebDriverException, opened, violations
from tests.process.running import Running, fetch, free_port, until

# a browser that starts beside other load takes its time
pytestmark = [
    pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="chromium and its driver are wanted"),
    pytest.mark.timeout(300),
]

CONF = """
daemon off; pid nginx.pid; error_log error.log info; events { }
http {
    access_log off; request_history requests.ring;
    upstream app { zone app 64k; server 127.0.0.1:1; server 127.0.0.1:2; }
    upstream "<img src=x onerror=alert(1)>" { zone evil 64k; server 127.0.0.1:1; }
    server {
        listen 127.0.0.1:%d; status_zone site;
        location /gw/ { dashboard write=on replay=on; }
        location / { return 200 ok; }
        location /fails { proxy_pass http://app; }
    }
}
"""


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    (tmp_path / "nginx.conf").write_text(CONF % port)
    with Running(tmp_path, (sys.executable, "-m", "gateway")) as running:
        running.start()
        until(lambda: "ok" in fetch(("127.0.0.1", port), "/x"), "the first answer")
        fetch(("127.0.0.1", port), "/fails")
        yield f"http://127.0.0.1:{port}/gw/"


def _states(browser: Any) -> list[str]:
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('#upstream-app td:nth-child(2)')].map((each) => each.textContent)"
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 500])
def test_looks(base: str, scheme: str, width: int) -> None:
    with opened(width, scheme) as browser:
        browser.get(base + "requests")
        request = browser.find_element("css selector", "#requests a").get_attribute("href")
        for address in (base, base + "requests", request):
            browser.get(address)
            root = "document.documentElement"
            assert browser.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")
            back = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            assert (back == "rgb(255, 255, 255)") == (scheme == "light")
            assert browser.execute_script("return document.images.length") == 0
            assert violations(browser) == []
            assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_axe_finds_what_is_wrong() -> None:
    with opened() as browser:
        browser.get("data:text/html,<html lang=en><title>a</title><main><h1>a</h1><img src=x><button></button></main>")
        assert {"image-alt", "button-name"} <= set(violations(browser))


def test_keys_and_changes(base: str) -> None:
    with opened() as browser:
        browser.get(base)
        body = browser.find_element("tag name", "body")
        body.send_keys("r")
        until(lambda: browser.current_url == base + "requests", "the requests")
        browser.find_element("tag name", "body").send_keys("/")
        browser.switch_to.active_element.send_keys("status:5xx\n")
        until(lambda: "q=status" in browser.current_url, "the filter")
        rows = "return document.querySelectorAll('#requests tbody tr').length"
        assert browser.execute_script(rows) == 1
        browser.find_element("tag name", "body").send_keys("g")
        until(lambda: browser.current_url == base, "the overview")
        for to, sign in (("drain", "◆"), ("up", "▲")):
            browser.find_element("css selector", f'[data-key="app/1/{to}"]').send_keys("\n")
            until(lambda sign=sign: sorted(each[0] for each in _states(browser)) == sorted(("▲", sign)), to)
        browser.get(base + "requests?q=colour:red")
        browser.find_element("css selector", "summary").send_keys("\n")
        assert "time>500ms" in browser.find_element("css selector", "details").text
        assert violations(browser) == []
        browser.get(base)
        total = "return Number(document.querySelector('[data-total]').dataset.total)"
        before = browser.execute_script(total)
        until(lambda: browser.execute_script(total) > before, "figures that are looked at anew")


def test_without_javascript(base: str) -> None:
    with opened(script=False) as browser:
        browser.get(base)
        assert len(browser.find_elements("tag name", "table")) >= 3
        browser.get(base + "requests?q=path:/fails")
        (link,) = browser.find_elements("css selector", "#requests a")
        link.click()
        assert "GET /fails: 502" in browser.find_element("tag name", "h2").text


MANY = """
daemon off; pid nginx.pid; error_log error.log info; events { }
http {
    access_log off; request_history requests.ring;
    upstream app { zone app 1m; %s }
    server { listen 127.0.0.1:%d; location /gw/ { dashboard write=on; } location / { return 200 ok; } %s }
}
"""


@pytest.fixture
def many(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    peers = " ".join(f"server 127.0.0.1:{number};" for number in range(1, 151))
    zones = "".join(f"location /l{number} {{ status_zone zone-{number}; return 200 ok; }}" for number in range(250))
    (tmp_path / "nginx.conf").write_text(MANY % (peers, port, zones))
    with Running(tmp_path, (sys.executable, "-m", "gateway")) as running:
        running.start()
        for _ in range(100):
            until(lambda: "ok" in fetch(("127.0.0.1", port), "/x"), "the first answer")
        yield f"http://127.0.0.1:{port}/gw/"


@pytest.mark.parametrize("width", [1280, 500])
def test_tables_that_are_long(many: str, width: int) -> None:
    """Their pages by keys, with the filter's words kept while the table is looked at anew."""
    with opened(width) as browser:
        for path in ("", "locations", "locations?q=zone-1&page=2", "upstreams", "upstreams?of=app&page=2", "limits",
                     "requests", "requests?page=2", "requests/none", "configuration", "events?q=none"):  # fmt: skip
            browser.get(many + path)
            root = "document.documentElement"
            assert browser.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth"), path
            assert violations(browser) == [], path
        browser.get(many)
        browser.find_element("css selector", "#locations p a").send_keys("\n")
        until(lambda: "page 1 of 3" in _words(browser), "the table's page")
        browser.find_element("css selector", "[data-key=page-next]").send_keys("\n")
        until(lambda: "page 2 of 3" in _words(browser), "the second page")
        browser.find_element("tag name", "body").send_keys("/")
        browser.switch_to.active_element.send_keys("zone-24")
        # two turns later the words and the focus are where they were
        browser.execute_async_script("setTimeout(arguments[0], 2500)")
        browser.switch_to.active_element.send_keys("9\n")
        until(lambda: "1 of 250 have these words" in _words(browser), "what the filter leaves")
        browser.get(many + "upstreams?of=app&page=2")
        button = browser.find_element("css selector", "[data-key$='/drain']")
        key = button.get_attribute("data-key")
        button.send_keys("\n")
        until(lambda: browser.find_elements("css selector", f"[data-key='{key.replace('drain', 'up')}']"), "the change")
        assert browser.current_url == many + "upstreams?of=app&page=2"
        severe = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
        assert [line["message"] for line in severe if "requests/none" not in line["message"]] == []


def test_tables_that_are_long_without_javascript(many: str) -> None:
    with opened(script=False) as browser:
        browser.get(many)
        browser.find_element("css selector", "#upstream-app p a").click()
        browser.find_element("css selector", "[data-key=page-last]").click()
        assert "121 to 150 of 150" in _words(browser)
        browser.find_element("css selector", "input[type=search]").send_keys("127.0.0.1:77\n")
        until(lambda: "1 of 150 have these words" in _words(browser), "what the filter leaves")


def _asked(base: str, method: str) -> None:
    """A request with secrets, which the list will have."""
    port = int(base.split(":")[2].split("/")[0])
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, "/x?token=abc", headers={"Cookie": "sid=1"})
        assert connection.getresponse().read() == b"ok"


def _words(browser: Any) -> str:
    """Of the page, "" while it comes."""
    try:
        return str(browser.find_element("tag name", "main").text)
    except WebDriverException:
        return ""


def _open_newest(browser: Any, base: str) -> str:
    browser.get(base + "requests")
    browser.find_element("css selector", "#requests tbody a").click()
    address: str = browser.current_url
    return address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_replay_by_keys(base: str, scheme: str) -> None:
    """What is missing is said before; what may change something asks; the new one is marked as a replay."""
    _asked(base, "POST")
    with opened(900, scheme) as browser:
        first = _open_newest(browser, base)
        words = browser.find_element("tag name", "main").text
        assert "Secrets were never kept, and are left out: ?token, Cookie." in words
        browser.find_element("css selector", '[data-key="replay"]').send_keys("\n")
        until(lambda: browser.find_elements("css selector", '[data-key="sure"]'), "the question")
        assert "may change something" in browser.find_element("tag name", "main").text
        assert violations(browser) == []
        browser.find_element("css selector", '[data-key="sure"]').send_keys("\n")
        until(lambda: "replay of" in _words(browser), "the new request")
        assert browser.current_url != first and "/gw/requests/" in browser.current_url
        assert "POST /x: 200" in browser.find_element("tag name", "h2").text
        assert violations(browser) == []
        browser.back()
        browser.get(first)
        assert len(browser.find_elements("css selector", "#replays li")) == 1
        assert violations(browser) == []
        browser.get(base + "requests?q=replay")
        assert len(browser.find_elements("css selector", "#requests tbody tr")) == 1
        assert violations(browser) == []
        assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_a_replay_without_javascript(base: str) -> None:
    _asked(base, "GET")
    with opened(script=False) as browser:
        _open_newest(browser, base)
        browser.find_element("css selector", '[data-key="replay"]').click()
        until(lambda: "replay of" in _words(browser), "the new request")
        browser.get(base + "requests")
        assert browser.find_element("css selector", "#requests tbody").text.count("↻ replay") == 1
