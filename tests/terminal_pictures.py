"""Pictures of a terminal for the documentation: `python -m tests.terminal_pictures` makes them anew, into docs/images.

They are what the commands say of a small configuration with two mistakes, drawn as SVG, light and dark.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "images"

SITE = """events {}
http {
    include mime.types;
    server {
        listen 8080 default_server;
        server_name shop.example;
        root /srv/shop/static;
        location /static { alias static/; }
        location / {
            include uwsgi_params;
            uwsgi_pass unix:app.sock;
            proxy_read_timeout 120s;
        }
    }
}
"""

# name: (what is typed, what it is as a sentence for those who do not see it)
PICTURES = {
    "explain": (
        "gateway explain -c nginx.conf POST http://shop.example:8080/login",
        "gateway explain: server, location, what the app gets, and the rule of check that is met",
    ),
    "check": (
        "gateway check -c nginx.conf",
        "gateway check: two mistakes with file and line, and their repair as a diff",
    ),
}

_WIDTH, _LINE = 1080, 18
_STYLE = (
    "rect{fill:#f6f8fa;stroke:#d0d7de}text{fill:#24292f;white-space:pre}.a{fill:#1a7f37}.r{fill:#cf222e}.w{fill:#9a6700}"
    "@media(prefers-color-scheme:dark){rect{fill:#161b22;stroke:#30363d}text{fill:#e6edf3}"
    ".a{fill:#3fb950}.r{fill:#f85149}.w{fill:#d29922}}"
)


def said(command: str) -> list[str]:
    """The lines of a command, in a folder that is called /srv/shop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "static").mkdir()
        (folder / "nginx.conf").write_text(SITE)
        for file in ("uwsgi_params", "mime.types"):
            (folder / file).write_text((ROOT / "gateway" / "conf" / file).read_text())
        words = [sys.executable, "-m", "gateway", *command.split()[1:]]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        text = done.stdout.replace(str(folder), "/srv/shop").replace(str(folder)[1:], "srv/shop")
    return text.rstrip().splitlines()


def _class(line: str) -> str:
    if line.startswith("+") and not line.startswith("+++"):
        return "a"
    if (line.startswith("-") and not line.startswith("---")) or ": error: " in line:
        return "r"
    return "w" if ": warn: " in line or line.startswith("looks wrong") else ""


def drawn(command: str, words: str) -> str:
    """A command with its lines as SVG."""
    lines = [f"$ {command}", "", *said(command)]
    lines = [line if len(line) <= 128 else f"{line[:127]}…" for line in lines]
    height = _LINE * len(lines) + 28
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13.5" role="img">',
        f"<title>{escape(words)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>',
    ]
    for number, line in enumerate(lines):
        kind = f' class="{_class(line)}"' if _class(line) else ""
        bold = "" if number else ' font-weight="700"'
        space = ' xml:space="preserve"'
        parts.append(f'<text x="16" y="{number * _LINE + 26}"{kind}{bold}{space}>{escape(line)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Draw all."""
    for name, (command, words) in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(drawn(command, words), "utf-8")


if __name__ == "__main__":
    main()
