#!/usr/bin/env python3
"""Rows or commands side by side, in short bursts in a random order: what differs by a few percent on a noisy machine.

    bench/turns.py return return-watched                     rows of one server
    bench/turns.py return --command nginx=nginx --command gateway=gateway --command before=../before/.venv/bin/gateway

All of them run at once. A round asks each for a burst of load, in an order of its own, so that whatever else the
machine does meets all alike; the figures are medians of the rounds' ratios to the first one, with their quartiles.
The first command is there twice: how far its second one is from 1 is what cannot be told.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import shlex
import statistics
import sys

from bursts import in_turn, started
from harness import Lab, Refused, Subject, default_gateway
from workloads import WORKLOADS, Workload


def subject(name: str, command: str) -> Subject:
    program, *words = shlex.split(command)
    if "/" in program:
        program = os.path.abspath(program)  # it is started in a folder of its own
    return Subject(name, (program, *words))


def refused(workload: Workload, subject: Subject, why: Refused) -> None:
    raise why


def table(found: dict[str, list[float]]) -> str:
    first, *_ = found.values()
    lines = []
    for name, values in found.items():
        ratios = [one / other for one, other in zip(values, first, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        lines.append(
            f"{name:28} {statistics.median(values):9.2f} µs  {middle:6.3f} ({low:.3f} to {high:.3f}),"
            f" fastest round {min(values):9.2f} µs {min(values) / min(first):6.3f}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="ROW", help="of bench/load.py, those of one request or handshake")
    parser.add_argument(
        "--command", action="append", default=[], metavar="NAME=COMMAND", help="the first is the measure"
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=0.05, help="of a burst (h2load: whole ones)")
    options = parser.parse_args()
    by_name = {workload.name: workload for workload in WORKLOADS}
    if unknown := [name for name in options.rows if name not in by_name]:
        parser.error(f"no such row: {', '.join(unknown)}")
    commands = dict(each.split("=", 1) for each in options.command) or {"gateway": default_gateway()}
    first = next(iter(commands))
    commands = {first: commands[first], f"{first} again": commands[first], **commands}
    lab = Lab(options.seconds)
    try:
        with contextlib.ExitStack() as stack:
            workloads = [by_name[name] for name in options.rows]
            subjects = [subject(name, command) for name, command in commands.items()]
            rows = started(lab, stack, list(itertools.product(workloads, subjects)), refused)
            found: dict[str, list[float]] = {}
            with contextlib.suppress(KeyboardInterrupt):
                for one in in_turn(lab, rows, options.seconds, options.rounds, refused):
                    for row in rows:
                        label = f"{row.workload.name} {row.subject.name}" if len(workloads) > 1 else row.subject.name
                        found.setdefault(label, []).append(one[row][""])
            print(table(found))
    except Refused as why:
        sys.exit(str(why))
    finally:
        lab.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
