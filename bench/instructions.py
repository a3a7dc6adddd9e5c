#!/usr/bin/env python3
"""What a request costs where the machine is busy: instructions in user space by function, system calls, page faults.

A workload of bench/load.py is asked a fixed number of times: of the worker under callgrind, of one under strace, and of
one by itself. Counts of instructions are nearly the same each time, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import collections
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import Lab, Refused, Server, Subject, default_gateway
from workloads import WORKLOADS, Workload

CONNECTIONS = 8
Counts = dict[str, float]


class Counting(Lab):
    """A lab in which a workload only says what it asks, so that it can be asked a fixed number of times."""

    asked: tuple[Path, list[object]]
    load: Callable[..., dict[str, Any]] | None = None

    def client(self, server: Server, request: Path, *options: object, check: bool = True) -> dict[str, Any]:
        kept = [option for option in options if option == "-C"]
        self.asked = request, kept
        return {"requests": 1, "bytes": 1, "cpu_s": 0.0, "p99_us": 0.0, "wrong_status": 0, "broken": 0}

    def by_others(self, load: Callable[..., dict[str, Any]], seconds: float) -> dict[str, Any]:
        self.load = load
        return {"requests": 1}

    def ask(self, server: Server, requests: int) -> None:
        if self.load is not None:
            self.load(0, requests)
            return
        request, options = self.asked
        super().client(server, request, "-c", CONNECTIONS, "-n", requests, *options)


@contextmanager
def running(lab: Counting, workload: Workload, subject: Subject) -> Iterator[tuple[Server, int]]:
    """The workload's server, warm, and the pid of its worker."""
    with workload.upstream(lab), lab.server(subject, workload) as server:
        workload.measure(lab, server)
        lab.ask(server, 300)
        yield server, server.workers()[0]


def under_valgrind(subject: Subject) -> Subject:
    # No option with a text: valgrind reads it again when it writes, and a title of the process may stand there by then.
    valgrind = ("valgrind", "-q", "--tool=callgrind", "--trace-children=yes", "--instr-atstart=no")
    return Subject(subject.name, valgrind + subject.command)


def under_callgrind(lab: Counting, workload: Workload, subject: Subject, requests: int) -> Path:
    """The profile of the worker while it answered."""
    with running(lab, workload, under_valgrind(subject)) as (server, pid):
        # not callgrind_control, which does not know a process again that has changed its title
        for command, then in (("instrumentation on", 200), ("zero", requests), (f"dump {workload.name}", 0)):
            subprocess.run(["vgdb", f"--pid={pid}", *command.split()], check=True, capture_output=True)
            if then:
                lab.ask(server, then)
        profile = lab.folder / f"callgrind-{subject.name}"
        shutil.copy(server.folder / f"callgrind.out.{pid}.1", profile)
    return profile


def system_calls(lab: Counting, workload: Workload, subject: Subject, requests: int) -> tuple[Counts, float]:
    """Per request: the worker's system calls, and its page faults (of a run without strace)."""
    with running(lab, workload, subject) as (server, pid):
        stat = Path(f"/proc/{pid}/stat")
        before = int(stat.read_text().rpartition(")")[2].split()[7])
        lab.ask(server, requests)
        faults = int(stat.read_text().rpartition(")")[2].split()[7]) - before
        table = lab.folder / "strace"
        tracer = subprocess.Popen(
            ["strace", "-f", "-c", "-o", table, "-p", str(pid)], stderr=subprocess.PIPE, text=True
        )
        assert tracer.stderr is not None
        tracer.stderr.readline()  # "attached"
        lab.ask(server, requests)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
    counts: Counts = {}
    for line in table.read_text().splitlines():
        columns = line.split()
        if len(columns) >= 5 and columns[3].isdigit() and columns[-1] != "total":
            counts[columns[-1]] = int(columns[3]) / requests
    return counts, faults / requests


def by_function(profile: Path, requests: int, inclusive: bool) -> tuple[float, list[tuple[float, str, str]]]:
    """Instructions a request: all of them, and (count, function, object) of each function."""
    argv = ["callgrind_annotate", "--threshold=100", "--auto=no", "--show-percs=no",
            f"--inclusive={'yes' if inclusive else 'no'}", str(profile)]  # fmt: skip
    text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    total = 0.0
    counts: dict[str, float] = collections.defaultdict(float)
    objects: dict[str, str] = {}
    for line in text.splitlines():
        found = re.match(r"\s*([\d,]+)\s+(?:(PROGRAM TOTALS)|(?:\S*?:)?(.+?)(?: \[(.+)\])?)$", line)
        if found:
            count = int(found[1].replace(",", "")) / requests
            if found[2]:
                total = count
            else:
                # 'N marks a recursion; for a part of a function there is no object
                function = found[3].partition("'")[0]
                counts[function] = max(counts[function], count) if inclusive else counts[function] + count
                if found[4]:
                    objects[function] = Path(found[4]).name.partition(".cpython")[0]
    rows = [(count, function, objects.get(function, "")) for function, count in counts.items()]
    return total, sorted(rows, reverse=True)


def show_functions(name: str, profile: Path, options: argparse.Namespace) -> float:
    total, rows = by_function(profile, options.requests, options.inclusive)
    print(f"\n{name}: instructions a request, {'with what it calls' if options.inclusive else 'own'}\n")
    if not options.inclusive:
        objects: collections.Counter[str] = collections.Counter()
        for count, _, where in rows:
            objects[where] += int(count)
        for where, count in objects.most_common(12):
            print(f"{count:10,}  {where}")
        print()
    for count, function, where in rows[: options.rows]:
        print(f"{count:10,.0f}  {where:20}  {function[:90]}")
    return total


def in_turns(profile: Path, requests: int) -> float:
    """Of gateway's: those in the lane's turns, 0 where there is no lane.

    The others are rounds of Trio between two turns. A turn ends after five milliseconds: under valgrind, on a busy
    machine above all, after a request or two; by itself a worker does some hundreds in it.
    """
    _, rows = by_function(profile, requests, inclusive=True)
    return next((count for count, function, _ in rows if function.endswith("_4Lane_7turn")), 0.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=[w.name for w in WORKLOADS])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=50, help="functions to name (0: only the sums)")
    parser.add_argument("--inclusive", action="store_true", help="a function with what it calls")
    parser.add_argument("--gateway", default=default_gateway(), help="its command (%(default)s)")
    parser.add_argument("--nginx", default="nginx", help="its command (%(default)s)")
    parser.add_argument("--only", choices=["gateway", "nginx"], help="one of the two")
    parser.add_argument("--what", choices=["instructions", "calls"], help="one of the two")
    parser.add_argument("--keep", metavar="FILE", help="keep callgrind's profile there, with the server's name behind")
    options = parser.parse_args()
    for tool in ("valgrind", "strace"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not here (apt: {tool})")
    workload = next(w for w in WORKLOADS if w.name == options.workload)
    commands = {"nginx": options.nginx, "gateway": options.gateway}
    lab = Counting(1.0)
    sums: dict[str, list[str]] = {}
    calls: dict[str, Counts] = {}
    try:
        for name, command in commands.items():
            if options.only not in (None, name):
                continue
            subject = Subject(name, tuple(shlex.split(command)))
            sums[name] = []
            if options.what != "calls":
                profile = under_callgrind(lab, workload, subject, options.requests)
                sums[name].append(f"{show_functions(name, profile, options):,.0f} instructions")
                if turns := in_turns(profile, options.requests):
                    sums[name].append(f"{turns:,.0f} of them in the lane's turns")
                if options.keep:
                    shutil.copy(profile, f"{options.keep}.{name}")
            if options.what != "instructions":
                calls[name], faults = system_calls(lab, workload, subject, options.requests)
                sums[name].append(f"{sum(calls[name].values()):.2f} system calls, {faults:.3f} page faults")
    except Refused as why:
        sys.exit(str(why))
    finally:
        lab.close()
    if calls:
        names = sorted({call for counts in calls.values() for call in counts})
        print("\nsystem calls a request\n\n" + " " * 20 + "".join(f"{name:>10}" for name in calls))
        for call in names:
            print(f"{call:20}" + "".join(f"{counts.get(call, 0):10.2f}" for counts in calls.values()))
    print()
    for name, parts in sums.items():
        print(f"{workload.name} {name}: " + ", ".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
