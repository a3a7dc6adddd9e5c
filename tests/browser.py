"""Debian's Chromium for tests, by its driver; what axe-core says of a page."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

webdriver: Any = pytest.importorskip("selenium.webdriver")
WebDriverException: type[Exception] = pytest.importorskip("selenium.common.exceptions").WebDriverException
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
)  # fmt: skip
_WITHIN_S = 60


@contextlib.contextmanager
def opened(width: int = 1280, scheme: str = "light", *, script: bool = True) -> Iterator[Any]:
    """A browser of its own, which is gone afterwards."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for word in (*_OPTIONS, f"--window-size={width},900"):
        options.add_argument(word)
    if not script:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        browser.set_page_load_timeout(_WITHIN_S)
        browser.set_script_timeout(_WITHIN_S)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        yield browser
    finally:
        browser.quit()


def violations(browser: Any) -> list[str]:
    """The rules of axe-core that the page breaks."""
    package = importlib.util.find_spec("axe_core_python")
    assert package is not None and package.origin is not None
    script = (Path(package.origin).parent / "axe.min.js").read_text("utf-8")
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": script})
    ask = "axe.run().then((found) => arguments[0](found.violations.map((each) => each.id)))"
    found: list[str] = browser.execute_async_script(ask)
    return found
