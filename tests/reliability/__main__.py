"""All cases at length, on gateway and on nginx where there is one: `make reliability`. Writes RESULTS.md.

python -m tests.reliability [--only REGEX] [--much 0…1] [--write]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from gateway.dev.markers import replaced
from tests.reliability import CASES
from tests.reliability.exhaustion import can_mount
from tests.reliability.figures import Case, Figure, shown
from tests.reliability.server import NGINX, nginx_has_http2, nginx_has_http3

RESULTS = Path(__file__).with_name("RESULTS.md")
# Cases that ask nothing of a server.
_OWN = {"configurations"}


def figures_of(case: Case, name: str, much: float) -> tuple[list[Figure], str]:
    """What was measured, and why there is no more of it."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="gateway-reliability-") as folder:
        os.chmod(folder, 0o755)
        try:
            for figure in case.run(name, Path(folder), much):
                found.append(figure)
        except (AssertionError, OSError) as error:
            return found, f"{type(error).__name__}: {str(error)[:300]}"
        except Exception:
            return found, traceback.format_exc()[-600:]
    return found, ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability")
    parser.add_argument("--only", default="", help="cases whose area and name this regular expression finds")
    parser.add_argument("--much", type=float, default=1.0, help="from 0, a second or two for each, to 1")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    options = parser.parse_args()
    chosen = [case for case in CASES if re.search(options.only, f"{case.area}: {case.name}")]
    http2 = NGINX is not None and nginx_has_http2()
    http3 = NGINX is not None and nginx_has_http3()
    names = ["gateway", *(["nginx"] if NGINX else [])]
    rows: list[str] = []
    broken: list[str] = []
    began = time.monotonic()
    for case in chosen:
        if case.root and not can_mount():
            print(f"{case.area}: {case.name}: needs root and mount")
            continue
        results = {}
        alone = case.name in _OWN or ("HTTP2" in case.name and not http2) or (case.area == "QUIC" and not http3)
        for name in names[:1] if alone else names:
            figures, failure = figures_of(case, name, options.much)
            results[name] = {figure.what: figure for figure in figures}
            if failure:
                print(f"{case.area}: {case.name}: {name}: {failure}")
                if name == "gateway":
                    broken.append(f"{case.area}: {case.name}: {failure}")
        for what, figure in results["gateway"].items():
            theirs = results.get("nginx", {}).get(what)
            beside = f"; nginx {shown(theirs.value)}" if theirs else ""
            print(f"{case.area}: {case.name}: {figure}{beside}", flush=True)
            rows.append(_row(case, figure, theirs))
            if not figure.holds:
                broken.append(f"{case.area}: {case.name}: {figure}")
    took = time.monotonic() - began
    print(f"{len(chosen)} cases in {took:.0f} s, {len(broken)} bounds broken")
    for line in broken:
        print(f"  broken: {line}")
    if options.write:
        RESULTS.write_text(replaced(RESULTS.read_text("utf-8"), "results", _table(rows, broken, took)), "utf-8")
    return 1 if broken else 0


def _row(case: Case, figure: Figure, theirs: Figure | None) -> str:
    other = ratio = ""
    if theirs is not None:
        other = shown(theirs.value)
        ratio = f"{figure.value / theirs.value:.2f}" if theirs.value else ""
    mark = "" if figure.holds else " **broken**"
    unit = f" {figure.unit}" if figure.unit else ""
    cells = (case.area, case.name, figure.what, shown(figure.value) + unit, other, ratio, figure.bound + mark)
    return f"| {' | '.join(cells)} |"


def _table(rows: list[str], broken: list[str], took: float) -> str:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    version = "none here"
    if NGINX:
        asked = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=False)
        version = asked.stderr.strip().partition("/")[2]
    head = "| area | case | figure | gateway | nginx | ratio | bound |\n| --- | --- | --- | ---: | ---: | ---: | --- |"
    load = os.getloadavg()[0]
    text = (
        f"{time.strftime('%Y%m%d')}, commit {commit.stdout.strip()}; Python {platform.python_version()},"
        f" nginx {version}; {os.cpu_count()} cores, load average {load:.1f} at the end; {took:.0f} s,"
        f" {len(broken)} bounds broken."
    )
    failures = "".join(f"\n* {line}" for line in broken)
    return "\n".join([head, *rows]) + f"\n\n{text}{failures}"


if __name__ == "__main__":
    sys.exit(main())
