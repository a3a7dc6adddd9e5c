#!/usr/bin/env python3
"""Where a request's CPU goes: a workload of bench/load.py under perf (py-spy where it is missing), native frames."""

from __future__ import annotations

import argparse
import collections
import os
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from harness import Lab, Refused, Server, Subject, default_gateway
from workloads import WORKLOADS


def perf_record(pids: list[int], seconds: float, to: Path) -> bool:
    argv = ["perf", "record", "-q", "-F", "1999", "-e", "cpu-clock", "-g", "-o", str(to),
            "-p", ",".join(map(str, pids)), "--", "sleep", str(seconds)]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        print("perf:", done.stderr.strip().splitlines()[-1:], file=sys.stderr)
    return not done.returncode


def perf_table(data: Path, rows: int) -> None:
    """Own time by object and symbol."""
    argv = ["perf", "report", "-q", "-i", str(data), "--stdio", "--no-children", "-g", "none", "-s", "dso,symbol",
            "-t", "|", "--percent-limit", "0.05"]  # fmt: skip
    listed = subprocess.run(argv, capture_output=True, text=True).stdout
    symbols: list[tuple[float, str, str]] = []
    objects: dict[str, float] = collections.defaultdict(float)
    for line in listed.splitlines():
        parts = [p.strip() for p in line.split("|")]
        if len(parts) < 3 or not parts[0].endswith("%"):
            continue
        share = float(parts[0][:-1])
        name = Path(parts[1]).name
        objects[name] += share
        symbols.append((share, name, parts[2]))
    print("by object")
    for name, share in sorted(objects.items(), key=lambda item: -item[1])[:12]:
        print(f"{share:6.1f} %  {name}")
    print("\nby function")
    for share, name, symbol in symbols[:rows]:
        print(f"{share:6.1f} %  {name:34}  {symbol}")


def py_spy(pid: int, seconds: float, to: Path, rows: int) -> None:
    argv = ["py-spy", "record", "--native", "-r", "500", "-d", str(int(seconds)), "-f", "raw", "-o", str(to), "-p",
            str(pid)]  # fmt: skip
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    own: collections.Counter[str] = collections.Counter()
    for line in to.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        own[stack.rpartition(";")[2]] += int(count)
    total = sum(own.values())
    for frame, samples in own.most_common(rows):
        print(f"{samples * 100 / total:6.1f} %  {frame}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=[w.name for w in WORKLOADS])
    parser.add_argument("--server", default=default_gateway(), help="its command (%(default)s)")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rows", type=int, default=45)
    parser.add_argument("--keep", metavar="FILE", help="keep perf's own data there, for perf report or a flame graph")
    options = parser.parse_args()
    workload = next(w for w in WORKLOADS if w.name == options.workload)
    os.environ["PYTHONPERFSUPPORT"] = "1"  # from 3.12 on perf sees Python's functions by name
    lab = Lab(options.seconds + 2)
    subject = Subject("server", tuple(shlex.split(options.server)))

    def load(server: Server) -> None:
        try:
            for name, value in workload.measure(lab, server).items():
                unit = workload.figures[name].unit
                print(f"{workload.name}{name}: {value:.1f} {unit} (while profiled)", file=sys.stderr)
        except Refused as why:
            print(why, file=sys.stderr)

    try:
        with workload.upstream(lab), lab.server(subject, workload) as server:
            loading = threading.Thread(target=load, args=(server,))
            loading.start()
            threading.Event().wait(1)
            data = lab.folder / "perf.data"
            if shutil.which("perf") and perf_record(server.workers(), options.seconds, data):
                loading.join()
                perf_table(data, options.rows)
                if options.keep:
                    shutil.copy(data, options.keep)
            elif shutil.which("py-spy"):
                py_spy(server.workers()[0], options.seconds, lab.folder / "stacks", options.rows)
                loading.join()
            else:
                loading.join()
                sys.exit("neither perf (apt: linux-perf) nor py-spy (pip) is here")
    except Refused as why:
        sys.exit(str(why))
    finally:
        lab.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
