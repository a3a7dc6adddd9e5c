"""Rows of several servers that run at once and are asked in short bursts in turn: what else the machine does meets all
alike."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tls
from harness import Lab, Refused, Server, Subject, fixed_port
from workloads import Workload

Figures = dict[str, float]
Refusal = Callable[[Workload, Subject, Refused], None]

_TLS_PORT = tls.PORT  # as the rows' configurations have it


@dataclass(frozen=True)
class _Own(Subject):
    """With a TLS port of its own, where the rows have one for all."""

    subject: Subject
    tls_port: int

    def argv(self, lab: Lab, workload: Any, folder: Path, port: int) -> list[str]:
        argv = self.subject.argv(lab, workload, folder, port)
        path = folder / "nginx.conf"
        if path.exists():
            path.write_text(path.read_text().replace(f":{_TLS_PORT} ", f":{self.tls_port} "))
        return argv


@dataclass(frozen=True, eq=False)
class Row:
    workload: Workload
    subject: Subject
    server: Server
    tls_port: int

    def burst(self, lab: Lab) -> Figures:
        """Of `lab.seconds`."""
        tls.PORT = self.tls_port
        try:
            return self.workload.measure(lab, self.server)
        finally:
            tls.PORT = _TLS_PORT


def started(
    lab: Lab, stack: contextlib.ExitStack, pairs: Sequence[tuple[Workload, Subject]], refused: Refusal
) -> list[Row]:
    """Those of them that start."""
    rows = []
    there: set[str] = set()
    for workload, subject in pairs:
        if workload.name not in there:  # one for all who serve it
            there.add(workload.name)
            stack.enter_context(workload.upstream(lab))
        own = _Own(subject.name, subject.command, subject, fixed_port())
        try:
            server = stack.enter_context(lab.server(own, workload))
        except Refused as why:
            refused(workload, subject, why)
        else:
            rows.append(Row(workload, subject, server, own.tls_port))
    return rows


def in_turn(
    lab: Lab, rows: Sequence[Row], seconds: float, rounds: int, refused: Refusal
) -> Iterator[dict[Row, Figures]]:
    """What each round of bursts of that length gave; each has an order of its own. Who refuses one is out of it."""
    rows = list(rows)
    before = lab.seconds, lab.warm_s
    lab.seconds, lab.warm_s = seconds, seconds / 5
    try:
        for number in range(rounds + 1):
            found = {}
            for row in random.sample(rows, len(rows)):
                try:
                    found[row] = row.burst(lab)
                except Refused as why:
                    refused(row.workload, row.subject, why)
                    rows.remove(row)
            if number:  # the first warms
                yield found
    finally:
        lab.seconds, lab.warm_s = before
