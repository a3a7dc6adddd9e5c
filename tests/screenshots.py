"""Pictures of the dashboard for the documentation: `python -m tests.screenshots` takes them anew, into docs/images."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.browser import opened
from tests.process.running import Running, fetch, free_port, until

FOLDER = Path(__file__).parents[1] / "docs" / "images"
# name: (page, colours, width)
PICTURES = {
    "dashboard": ("", "light", 1340),
    "dashboard-dark": ("", "dark", 1340),
    "requests": ("requests", "light", 1340),
    "request": ("requests?q=status:5xx", "light", 1340),
    "replay": ("requests?q=method:POST", "light", 1340),
}

_CONF = """
daemon off; pid nginx.pid; error_log error.log info; events {{ }}
http {{
    access_log off; request_history requests.ring;
    limit_req_zone $binary_remote_addr zone=logins:64k rate=5r/s;
    upstream app {{
        zone app 64k;
        server 127.0.0.1:{app}; server 127.0.0.1:{none} max_fails=1 fail_timeout=60s; server 127.0.0.1:{app} backup;
    }}
    server {{
        listen 127.0.0.1:{port}; server_name shop.example; status_zone shop;
        location /gw/ {{ dashboard write=on replay=on; }}
        location /static/ {{ root .; }}
        location /login {{ limit_req zone=logins burst=2 nodelay; proxy_pass http://app; }}
        location /reports/ {{ proxy_pass http://127.0.0.1:{none}; }}
        location / {{ proxy_pass http://app; }}
    }}
}}
"""


class _App(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        body = b"hello"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def _site() -> Iterator[str]:
    """A gateway that has served some requests; the address of its dashboard."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _App) as app, tempfile.TemporaryDirectory() as folder:
        thread = threading.Thread(target=app.serve_forever)
        thread.start()
        port = free_port()
        place = Path(folder)
        place.chmod(0o755)  # the workers' user reads in it
        (place / "static").mkdir()
        (place / "static" / "app.css").write_text("body {}")
        (place / "nginx.conf").write_text(_CONF.format(port=port, app=app.server_port, none=free_port()))
        try:
            with Running(place, (sys.executable, "-m", "gateway")) as running:
                running.start()
                until(lambda: "hello" in fetch(("127.0.0.1", port), "/"), "the first answer")
                asked = ("/", "/static/app.css", "/static/none.css", "/basket?item=7", "/reports/2026", "/login")
                for path in asked * 3:
                    fetch(("127.0.0.1", port), path)
                with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as client:
                    fields = {"Authorization": "Bearer 1", "Cookie": "sid=1"}
                    client.request("POST", "/basket?item=7&token=1", headers=fields)
                    client.getresponse().read()
                yield f"http://127.0.0.1:{port}/gw/"
        finally:
            app.shutdown()
            thread.join()


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    with _site() as base:
        for name, (page, scheme, width) in PICTURES.items():
            with opened(width, scheme) as browser:
                browser.get(base + page)
                if name == "request":
                    browser.find_element("css selector", "#requests a").click()
                if name == "replay":
                    browser.find_element("css selector", "#requests a").click()
                    browser.find_element("css selector", '[data-key="replay"]').click()
                    until(lambda browser=browser: browser.find_elements("css selector", '[data-key="sure"]'), "it")
                height = min(900, browser.execute_script("return document.documentElement.scrollHeight"))
                browser.set_window_size(width, height)
                browser.save_screenshot(str(FOLDER / f"{name}.png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
