#!/usr/bin/env python3
"""CPU per request of gateway and nginx, in turn, with the same configuration (bench/README.md says how to read it)."""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import shlex
import sys

from bursts import in_turn, started
from harness import Lab, Refused, Subject, default_gateway
from peers import PEERS
from report import Report, output
from workloads import WORKLOADS, Workload

BURST_S = 0.25


def chosen(only: str) -> list[Workload]:
    wanted = [w for w in only.split(",") if w]
    found = [w for w in WORKLOADS if not wanted or any(w.name == o or w.name.startswith(o) for o in wanted)]
    if not found:
        sys.exit("no such workload; there are: " + " ".join(w.name for w in WORKLOADS))
    return found


Pairs = list[tuple[Workload, Subject]]


def refuse(report: Report, workload: Workload, subject: Subject, why: Refused) -> None:
    report.refuse(workload.name, subject.name, str(why))
    print(f"  {workload.name}: {subject.name}: {why}", file=sys.stderr)


def by_bursts(pairs: Pairs, lab: Lab, report: Report) -> None:
    """A round of rows that can be asked in bursts: all servers at once."""
    refused = functools.partial(refuse, report)
    with contextlib.ExitStack() as stack:
        rows = started(lab, stack, pairs, refused)
        number = max(1, round(lab.seconds / BURST_S))
        for one in in_turn(lab, rows, lab.seconds / number, number, refused):
            for row, figures in one.items():
                report.add(row.workload.name, row.subject.name, figures)


def one_round(workload: Workload, lab: Lab, subject: Subject, report: Report) -> None:
    try:
        with workload.upstream(lab), lab.server(subject, workload) as server:
            report.add(workload.name, subject.name, workload.measure(lab, server))
    except Refused as why:
        refuse(report, workload, subject, why)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="NAME,…", help="these workloads (a prefix is enough)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of load for each measurement")
    parser.add_argument("--gateway", default=default_gateway(), help="its command (%(default)s)")
    parser.add_argument("--nginx", default="nginx", help="its command (%(default)s)")
    parser.add_argument("--peers", default="", metavar="NAME,…", help=f"beside them: {', '.join(PEERS)}")
    parser.add_argument("--list", action="store_true", help="name the workloads and end")
    parser.add_argument("--readme", action="store_true", help="write docs/figures.md, and draw README.md's chart")
    parser.add_argument("--no-write", action="store_true", help="leave bench/results/ alone")
    options = parser.parse_args()
    if options.list:
        print("\n".join(w.name for w in WORKLOADS))
        return 0
    workloads = chosen(options.only)
    commands = {"nginx": options.nginx, "gateway": options.gateway}
    subjects = [Subject(name, tuple(shlex.split(command))) for name, command in commands.items()]
    unknown = [name for name in options.peers.split(",") if name and name not in PEERS]
    if unknown:
        parser.error(f"no such peer: {', '.join(unknown)}")
    built = output(*subjects[1].command, "-V")
    if "not optimized" in built:
        sys.exit("gateway's compiled parts are not optimized, so that the figures would mean nothing:\n" + built)
    subjects += [PEERS[name] for name in options.peers.split(",") if name]
    report = Report(subjects, options.rounds, options.seconds)
    lab = Lab(options.seconds)
    try:
        for group in together(workloads):
            print(*[workload.name for workload in group], end=" ", flush=True, file=sys.stderr)
            for _ in range(options.rounds):
                pairs = [
                    (workload, subject)
                    for workload, subject in itertools.product(group, subjects)
                    if subject.serves(workload) and subject.name not in report.refused.get(workload.name, {})
                ]
                if bursts := [pair for pair in pairs if pair[0].bursts]:
                    by_bursts(bursts, lab, report)
                for workload, subject in pairs:
                    if not workload.bursts:
                        one_round(workload, lab, subject, report)
                print(".", end="", flush=True, file=sys.stderr)
            print(file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped; what was measured so far:", file=sys.stderr)
    finally:
        lab.close()
    print(report.table(workloads))
    if report.values and not options.no_write:
        path = report.write(workloads)
        print(f"\nwritten to {path}")
        if options.readme:
            report.write_readme(workloads, path)
    return 0


def together(workloads: list[Workload]) -> list[list[Workload]]:
    """Those that are measured in turn: one, and what has a figure beside it. A machine's mood outlives no round."""
    groups: dict[str, list[Workload]] = {}
    for workload in workloads:
        beside = [figure.beside for figure in workload.figures.values() if figure.beside in groups]
        groups.setdefault(beside[0] if beside else workload.name, []).append(workload)
    return list(groups.values())


if __name__ == "__main__":
    sys.exit(main())
