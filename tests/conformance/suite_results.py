"""RESULTS.md from a run of nginx's own test suite: python -m tests.conformance.suite_results RUN.json BASELINE.json

RUN.json has a file's `area`, the tests that `passed` and `failed` ("NUMBER name"), and why it was `skipped`;
BASELINE.json has, of nginx 1.31.5, the numbers of the tests that `passed`. What nginx did not pass does not count.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass
class Tally:
    """Files and tests of one area: those that count, and those that gateway passes."""

    files: int = 0
    whole: int = 0
    tests: int = 0
    passed: int = 0
    partly: list[str] = field(default_factory=list)
    not_at_all: list[str] = field(default_factory=list)

    def add(self, name: str, passed: int, wanted: int) -> None:
        self.files += 1
        self.tests += wanted
        self.passed += passed
        if passed == wanted:
            self.whole += 1
        elif passed:
            self.partly.append(f"{name} {passed}/{wanted}")
        else:
            self.not_at_all.append(f"{name} {wanted}")

    @property
    def share(self) -> str:
        return f"{100 * self.passed / self.tests:.1f} %"


def tallies(run: dict[str, Any], baseline: dict[str, Any]) -> dict[str, Tally]:
    """By area, in alphabetical order; files of the baseline that were not run are left out."""
    found: dict[str, Tally] = {}
    for name, row in sorted(run.items()):
        wanted = set(baseline.get(name, {}).get("passed", ()))
        if not wanted:
            continue
        done = {int(text.split()[0]) for text in row["passed"]}
        found.setdefault(row["area"], Tally()).add(name.removesuffix(".t"), len(wanted & done), len(wanted))
    return dict(sorted(found.items()))


def report(found: dict[str, Tally], commit: str) -> str:
    whole = Tally()
    for tally in found.values():
        whole.files += tally.files
        whole.whole += tally.whole
        whole.tests += tally.tests
        whole.passed += tally.passed
    lines = [
        "# nginx's own test suite",
        "",
        f"Written by a program (`tests/conformance/suite_results.py`), of runs up to commit {commit}. A test counts "
        "that nginx 1.31.5 itself passes; a file of which gateway refuses the configuration passes none of its tests.",
        "",
        "| area | files whole | tests passed | |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {area} | {tally.whole} of {tally.files} | {tally.passed} of {tally.tests} | {tally.share} |"
        for area, tally in [*found.items(), ("**all**", whole)]
    ]
    for area, tally in found.items():
        if tally.partly or tally.not_at_all:
            lines += ["", f"## {area}"]
        if tally.partly:
            lines += ["", "Passed in part: " + ", ".join(tally.partly) + "."]
        if tally.not_at_all:
            lines += ["", "Not passed (tests): " + ", ".join(tally.not_at_all) + "."]
    return "\n".join(lines) + "\n"


def main(run: str, baseline: str) -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    found = tallies(json.loads(Path(run).read_text()), json.loads(Path(baseline).read_text()))
    RESULTS.write_text(report(found, commit.stdout.strip()), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
