#!/usr/bin/env python3
"""Draw the chart of README.md, light and dark, from the results that docs/figures.md is made of.

python bench/chart.py      (bench/load.py --readme does it, too)
"""

from __future__ import annotations

import json
import re
import statistics
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures.md"
IMAGES = ROOT / "docs" / "images"

# What is drawn: a workload of CPU per request (or per byte), in words.
SHOWN = {
    "return": "an answer without a file",
    "static-1k": "a small file",
    "static-1g": "a large file",
    "gzip-32k": "a file, compressed",
    "uwsgi-unix": "an app in uWSGI",
    "uwsgi-post-64k": "an upload to uWSGI",
    "proxy-keepalive": "an app by HTTP",
    "cache-1k": "out of the cache",
    "tls-1k": "HTTPS, small answers",
    "tls-handshake": "HTTPS, new connections",
    "h2-tls-1k": "HTTP/2",
    "grpc-unary": "gRPC",
    "stream-exchange": "TCP, there and back",
}

PALETTES = {
    "figures.svg": {"text": "#24292f", "faint": "#8c959f", "nginx": "#afb8c1", "gateway": "#1f6feb", "peer": "#bf8700"},
    "figures-dark.svg": {
        "text": "#e6edf3", "faint": "#7d8590", "nginx": "#484f58", "gateway": "#58a6ff", "peer": "#d29922",
    },
}  # fmt: skip

WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 760, 190, 60, 9, 8, 52

# A bar that is longer than this many times nginx is cut, and its number says how long it is.
LONGEST = 2.5


def results() -> Path:
    """The file that the figures of the documentation are from."""
    found = re.search(r"`bench/results/([\w.-]+\.json)`", FIGURES.read_text("utf-8"))
    assert found, "docs/figures.md names no results"
    return ROOT / "bench" / "results" / found[1]


def times(own: list[float], other: list[float]) -> float:
    """The median of what each round has: both were asked in turn, so what a round met else meets both."""
    if len(own) != len(other):
        return statistics.median(own) / statistics.median(other)
    return statistics.median(one / first for one, first in zip(own, other, strict=True))


def rows(measured: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """Each workload with every server's figure as a multiple of nginx's."""
    found = []
    for workload, words in SHOWN.items():
        values = {
            server: figures[""] for server, figures in measured["values"].get(workload, {}).items() if figures.get("")
        }
        if "nginx" in values and "gateway" in values:
            found.append((words, {server: times(own, values["nginx"]) for server, own in values.items()}))
    return found


def drawn(measured: dict[str, Any], colours: dict[str, str]) -> str:
    """The chart as SVG."""
    shown = rows(measured)
    servers = ["nginx", "gateway", *sorted({name for _, of in shown for name in of} - {"nginx", "gateway"})]
    of_one = GAP * 2 + BAR * len(servers)
    version = escape(measured["versions"]["nginx"].rpartition(" ")[2])
    scale = (WIDTH - LEFT - RIGHT) / min(LONGEST, max(max(of.values()) for _, of in shown))
    height = TOP + of_one * len(shown) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{colours["text"]}" role="img">',
        f"<title>{escape('CPU time for the same work, nginx = 1: shorter is better')}</title>",
        f'<text x="0" y="16" font-weight="600">CPU time for the same work, {version} = 1 (shorter is better)</text>',
    ]
    x = 0
    for server in servers:
        parts.append(f'<rect x="{x}" y="28" width="11" height="11" fill="{_colour(server, colours)}"/>')
        parts.append(f'<text x="{x + 16}" y="38">{escape(server)}</text>')
        x += 36 + 8 * len(server)
    line = LEFT + scale
    parts.append(f'<path d="M{line:.1f} {TOP - 6}V{height - 10}" stroke="{colours["faint"]}" stroke-dasharray="3 3"/>')
    y = TOP
    for words, of in shown:
        middle = y + of_one / 2 + 4
        parts.append(f'<text x="{LEFT - 10}" y="{middle:.0f}" text-anchor="end">{escape(words)}</text>')
        top = y + GAP
        for server in servers:
            if server in of:
                width = min(of[server], LONGEST) * scale
                size = f'width="{width:.1f}" height="{BAR}" rx="2"'
                parts.append(f'<rect x="{LEFT}" y="{top}" {size} fill="{_colour(server, colours)}"/>')
                if server != "nginx":
                    end = f"{LEFT + width + 5:.1f}"
                    parts.append(f'<text x="{end}" y="{top + BAR}" font-size="11">{of[server]:.2f}</text>')
            top += BAR
        y += of_one
    return "\n".join([*parts, "</svg>", ""])


def _colour(server: str, colours: dict[str, str]) -> str:
    return colours.get(server, colours["peer"])


def write() -> None:
    """Draw both."""
    measured = json.loads(results().read_text("utf-8"))
    for name, colours in PALETTES.items():
        (IMAGES / name).write_text(drawn(measured, colours), "utf-8")


if __name__ == "__main__":
    write()
