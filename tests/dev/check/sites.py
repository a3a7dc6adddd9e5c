"""Whole sites, kept as files: tests/data/check/sites, as those write them who know, and copied, as those who do not."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_DATA = _ROOT / "tests" / "data" / "check"
_CONF = _ROOT / "gateway" / "conf"
SITES = sorted((_DATA / "sites").iterdir())
COPIED = sorted((_DATA / "copied").iterdir())


def settle(kept: Path, folder: Path, site: Path) -> Path:
    """Put a file, or a folder of them, where it can be loaded, with what it includes and serves; its nginx.conf."""
    for usual in ("mime.types", "uwsgi_params", "fastcgi_params", "fastcgi.conf", "scgi_params"):
        (folder / usual).write_bytes((_CONF / usual).read_bytes())
    files = {each.relative_to(kept): each for each in kept.rglob("*") if each.is_file()} if kept.is_dir() else {}
    for name, file in (files or {Path("nginx.conf"): kept}).items():
        text = file.read_text()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace("SITE", str(site)))
        for served in re.findall(r"(?:root|alias)\s+SITE/([\w./-]+);", text):
            (site / served).mkdir(parents=True, exist_ok=True)
            (site / served / "index.html").write_text("x")
    (site / "htpasswd").write_text("staff:{PLAIN}x\n")
    return folder / "nginx.conf"
