"""The dashboard in a browser: light and dark, wide and narrow, by keys, without JavaScript, and what axe says.

It needs Chromium, its driver and selenium; axe is axe-core-python's copy, and not asked where that is not installed.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.running import Running, fetch, free_port, until

webdriver: Any = pytest.importorskip("selenium.webdriver")
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="chromium and its driver are wanted")

CONF = """
daemon off; pid nginx.pid; error_log error.log info; events { }
http {
    access_log off; request_history requests.ring;
    upstream app { zone app 64k; server 127.0.0.1:1; server 127.0.0.1:2; }
    upstream "<img src=x onerror=alert(1)>" { zone evil 64k; server 127.0.0.1:1; }
    server {
        listen 127.0.0.1:%d; status_zone site;
        location /gw/ { dashboard write=on; }
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


def _browser(width: int = 1280, *, script: bool = True) -> Any:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},900"):
        options.add_argument(word)
    if not script:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


def _states(browser: Any) -> list[str]:
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('#upstream-app td:nth-child(2)')].map((each) => each.textContent)"
    )
    return found


def _violations(browser: Any) -> list[str]:
    """What axe-core finds on the page."""
    package = importlib.util.find_spec("axe_core_python")
    if package is None or package.origin is None:
        return []
    script = (Path(package.origin).parent / "axe.min.js").read_text("utf-8")
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": script})
    ask = "axe.run().then((found) => arguments[0](found.violations.map((each) => each.id)))"
    found: list[str] = browser.execute_async_script(ask)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 500])
def test_looks(base: str, scheme: str, width: int) -> None:
    browser = _browser(width)
    try:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        for path in ("", "requests"):
            browser.get(base + path)
            root = "document.documentElement"
            assert browser.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")
            back = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            assert (back == "rgb(255, 255, 255)") == (scheme == "light")
            assert browser.execute_script("return document.images.length") == 0
            assert _violations(browser) == []
            assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    finally:
        browser.quit()


def test_keys_and_changes(base: str) -> None:
    browser = _browser()
    try:
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
        total = "return Number(document.querySelector('[data-total]').dataset.total)"
        before = browser.execute_script(total)
        until(lambda: browser.execute_script(total) > before, "figures that are looked at anew")
    finally:
        browser.quit()


def test_without_javascript(base: str) -> None:
    browser = _browser(script=False)
    try:
        browser.get(base)
        assert len(browser.find_elements("tag name", "table")) >= 3
        browser.get(base + "requests?q=path:/fails")
        (link,) = browser.find_elements("css selector", "#requests a")
        link.click()
        assert "GET /fails: 502" in browser.find_element("tag name", "h2").text
    finally:
        browser.quit()
