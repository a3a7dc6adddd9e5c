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
import os
import random
import shlex
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tls
from harness import Lab, Refused, Server, Subject, default_gateway, fixed_port
from workloads import WORKLOADS, Workload

_TLS_PORT = tls.PORT  # as the rows' configurations have it


@dataclass(frozen=True)
class Own(Subject):
    """With a TLS port of its own, where the rows have one for all."""

    tls_port: int = 0

    def argv(self, lab: Lab, workload: Any, folder: Path, port: int) -> list[str]:
        argv = super().argv(lab, workload, folder, port)
        path = folder / "nginx.conf"
        path.write_text(path.read_text().replace(f":{_TLS_PORT} ", f":{self.tls_port} "))
        return argv


@dataclass(frozen=True)
class Row:
    name: str
    workload: Workload
    server: Server
    tls_port: int

    def burst(self, lab: Lab) -> float:
        """CPU µs of one request."""
        tls.PORT = self.tls_port
        return self.workload.measure(lab, self.server)[""]


def started(
    lab: Lab, stack: contextlib.ExitStack, workloads: Sequence[Workload], commands: dict[str, str]
) -> list[Row]:
    rows = []
    for workload in workloads:
        stack.enter_context(workload.upstream(lab))
        for name, command in commands.items():
            program, *words = shlex.split(command)
            if "/" in program:
                program = os.path.abspath(program)  # it is started in a folder of its own
            subject = Own(name, (program, *words), fixed_port())
            server = stack.enter_context(lab.server(subject, workload))
            label = " ".join([*([workload.name] if len(workloads) > 1 else []), name])
            rows.append(Row(label, workload, server, subject.tls_port))
    return rows


def compared(lab: Lab, rows: Sequence[Row], rounds: int) -> dict[str, list[float]]:
    """µs of each row's bursts, in the order of the rounds."""
    found: dict[str, list[float]] = {row.name: [] for row in rows}
    for row in rows:
        row.burst(lab)
    with contextlib.suppress(KeyboardInterrupt):
        for _ in range(rounds):
            one = {row.name: row.burst(lab) for row in random.sample(rows, len(rows))}
            for name, value in one.items():
                found[name].append(value)
    return found


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
    lab.warm_s = 0.01
    try:
        with contextlib.ExitStack() as stack:
            rows = started(lab, stack, [by_name[name] for name in options.rows], commands)
            print(table(compared(lab, rows, options.rounds)))
    except Refused as why:
        sys.exit(str(why))
    finally:
        lab.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
