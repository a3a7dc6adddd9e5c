"""Results of a run: the table, and the file in bench/results/."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import chart
from harness import HERE, ROOT, Subject
from peers import Peer
from workloads import Figure, Workload

Rounds = dict[str, list[float]]  # figure -> one value a round


def output(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).strip()


def machine() -> dict[str, Any]:
    cpu = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())  # fmt: skip
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(), "memory_gib": round(memory / 2**30, 1)}


def versions(subjects: Iterable[Subject]) -> dict[str, str]:
    asked = {s.name: s.version if isinstance(s, Peer) else (*s.command, "-v") for s in subjects}
    found = {name: output(*command).partition("\n")[0] for name, command in asked.items()}
    found["python"] = sys.version.split()[0]
    found["compiler"] = output(os.environ.get("CC", "cc"), "--version").partition("\n")[0]
    return found


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Report:
    """Rounds by workload and subject: nginx, gateway that is compared with it, and peers."""

    def __init__(self, subjects: list[Subject], rounds: int, seconds: float) -> None:
        self.subjects, self.rounds, self.seconds = subjects, rounds, seconds
        self.values: dict[str, dict[str, Rounds]] = {}
        self.refused: dict[str, dict[str, str]] = {}
        self.load: list[float] = []

    def add(self, workload: str, subject: str, figures: dict[str, float]) -> None:
        rounds = self.values.setdefault(workload, {}).setdefault(subject, {})
        for figure, value in figures.items():
            rounds.setdefault(figure, []).append(value)
        self.load.append(os.getloadavg()[0])

    def refuse(self, workload: str, subject: str, why: str) -> None:
        self.refused.setdefault(workload, {})[subject] = why

    def all_of(self, workload: str, subject: str, figure: str) -> list[float]:
        return self.values.get(workload, {}).get(subject, {}).get(figure, [])

    def value(self, workload: Workload, subject: str, name: str, figure: Figure) -> float | None:
        if not figure.beside:
            found = self.all_of(workload.name, subject, name)
            return statistics.median(found) if found else None
        own, other = self.all_of(workload.name, subject, ""), self.all_of(figure.beside, subject, "")
        return chart.times(own, other) if own and other else None

    def ratio(self, workload: Workload, name: str, figure: Figure) -> str:
        first, second = (subject.name for subject in self.subjects[:2])
        if figure.beside:
            own, other = (self.value(workload, subject, name, figure) for subject in (second, first))
            return f"{own / other:.2f}" if own is not None and other else ""
        values, firsts = (self.all_of(workload.name, subject, name) for subject in (second, first))
        return f"{chart.times(values, firsts):.2f}" if values and firsts and all(firsts) else ""

    def rows(self, workloads: Iterable[Workload]) -> list[tuple[str, ...]]:
        rows = []
        for w in workloads:
            for name, figure in w.figures.items():
                values = [self.value(w, s.name, name, figure) for s in self.subjects]
                ratio = self.ratio(w, name, figure)
                sign = "≥" if figure.more_is_better else "≤"
                unit = figure.unit if figure.absolute else "times"
                goal = "" if figure.goal is None else f"{sign} {figure.goal:g} {unit}"
                shown = [
                    number(v) if v is not None else "refused" if s.name in self.refused.get(w.name, {}) else ""
                    for s, v in zip(self.subjects, values, strict=True)
                ]
                rows.append((w.name + name, figure.unit, *shown[:2], ratio, goal.strip(), *shown[2:]))
        return rows

    def table(self, workloads: Iterable[Workload]) -> str:
        names = [s.name for s in self.subjects]
        head = ("workload", "unit", *names[:2], "ratio", "goal", *names[2:])
        rows = [head, tuple("---" if i < 2 else "---:" for i in range(len(head))), *self.rows(workloads)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        return "\n".join(
            "| " + " | ".join(c.ljust(w) if i < 2 else c.rjust(w)
                              for i, (c, w) in enumerate(zip(row, widths, strict=True))) + " |"
            for row in rows
        )  # fmt: skip

    def write_readme(self, workloads: Iterable[Workload], results: Path) -> None:
        """The table, and where it is from, between the markers of docs/figures.md; the chart is drawn of the same."""
        about = json.loads(results.read_text())
        machine, versions = about["machine"], about["versions"]
        loads = about["load_average"]
        text = (
            f"{self.table(workloads)}\n\n"
            f"{about['when'][:8]}, commit {about['commit']}; {machine['cpu']}, {machine['cores']} cores, "
            f"Linux {machine['kernel']}; {versions['nginx']}; Python {versions['python']}; median of {self.rounds} "
            f"rounds of {self.seconds:g} s; load average of the machine {loads['least']:.1f} to {loads['most']:.1f}. "
            f"A goal in times is for gateway / nginx. All values: "
            f"`bench/results/{results.name}`."
        )
        # The rest of the bench also runs where gateway is not installed, as with nginx against itself.
        sys.path.append(str(ROOT))
        from gateway.dev import markers

        markers.write(ROOT / "docs" / "figures.md", "measurements", text)
        chart.write()

    def write(self, workloads: Iterable[Workload]) -> Path:
        commit = output("git", "rev-parse", "--short", "HEAD") or "no-commit"
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        path = HERE / "results" / f"{stamp}-{commit}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({
            "when": stamp, "commit": commit,
            "uncommitted": bool(output("git", "status", "--porcelain", "--untracked-files=no")),
            "machine": machine(), "versions": versions(self.subjects), "rounds": self.rounds, "seconds": self.seconds,
            "load_average": {"least": min(self.load, default=0), "most": max(self.load, default=0)},
            "units": {w.name + f: figure.unit for w in workloads for f, figure in w.figures.items()},
            "values": self.values, "refused": self.refused,
        }, indent=1) + "\n")  # fmt: skip
        return path
