"""gateway run --reload and gateway serve --reload with a browser: Debian's Chromium and its driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser import BROWSER, DRIVER, opened
from tests.process.running import until
from tests.typed import Desk

# a browser that starts beside other load takes its time
pytestmark = [
    pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="chromium and its driver are wanted"),
    pytest.mark.timeout(300),
]

APP = """def app(environ, start):
    start("200 OK", [("Content-Type", "text/html"), ("Content-Security-Policy", "default-src 'self'")])
    return [b"<!doctype html><html><body><h1>one</h1></body></html>"]
"""
PAGE = """<!doctype html><html><head><link rel="stylesheet" href="a.css"></head>
<body><h1>one</h1><input id="typed"></body></html>
"""


def _shows(browser: Any, word: str) -> bool:
    return bool(browser.execute_script("return document.querySelector('h1')?.textContent === arguments[0]", word))


def _listens(browser: Any) -> bool:
    return bool(browser.execute_script("return !!window.gatewayReload && gatewayReload.readyState === 1"))


def test_a_page_of_an_application(tmp_path: Path) -> None:
    pytest.importorskip("pyuwsgi")
    desk = Desk(tmp_path)
    desk.write("app.py", APP)
    with desk.serving("gateway run --reload") as server, opened() as browser:
        browser.get(f"http://127.0.0.1:{server.port}/")
        until(lambda: _shows(browser, "one") and _listens(browser), "the page", 60)
        desk.write("app.py", APP.replace("one", "number two"))
        until(lambda: _shows(browser, "number two") and _listens(browser), "the changed page", 60)
        desk.write("app.py", "import nothing_of_that_name")
        until(lambda: "nothing_of_that_name" in browser.page_source and _listens(browser), "the traceback", 60)
        desk.write("app.py", APP.replace("one", "number three"))
        until(lambda: _shows(browser, "number three"), "the mended page", 60)


def test_files_and_a_stylesheet_in_place(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write("index.html", PAGE)
    desk.write("a.css", "h1 { color: rgb(1, 2, 3); }")
    color = "return getComputedStyle(document.querySelector('h1')).color"
    with desk.serving("gateway serve --reload") as server, opened() as browser:
        browser.get(f"http://127.0.0.1:{server.port}/")
        until(lambda: _listens(browser) and browser.execute_script(color) == "rgb(1, 2, 3)", "the page", 60)
        browser.execute_script("document.querySelector('#typed').value = 'kept'")
        desk.write("a.css", "h1 { color: rgb(40, 50, 60); }")
        until(lambda: browser.execute_script(color) == "rgb(40, 50, 60)", "the new colour", 60)
        assert browser.execute_script("return document.querySelector('#typed').value") == "kept"
        desk.write("index.html", PAGE.replace("one", "number two"))
        until(lambda: _shows(browser, "number two"), "the changed page", 60)
        server.until("index.html changed, browsers load it again")
