"""What may happen to a store while clients ask, and what they notice; `python -m tests.cluster.faults --write`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.cluster.machines import EXACT_RATE, RATE, Asked, Load, Node, Store
from tests.cluster.namespaces import Network, why_not
from tests.process.running import until

SECONDS = 3.0  # that a fault is looked at for, and what comes after it
RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    begin: Callable[[], object]
    end: Callable[[], object]
    lonely: list[Node]  # those that lose the store
    alone: float  # how many times the rate is let in meanwhile, at the least


def faults(network: Network, store: Store, nodes: list[Node]) -> list[Fault]:
    cut, mend = network.cut, network.mend

    def nothing() -> None:
        pass

    return [
        Fault("none", nothing, nothing, [], 0.7),
        Fault("killed, and started again", store.kill, store.start, nodes, 2.0),
        Fault("paused (SIGSTOP)", store.pause, store.go_on, nodes, 2.0),
        Fault("cut off from all", partial(cut, "store", "back"), partial(mend, "store", "back"), nodes, 2.0),
        Fault("one node cut off", partial(cut, "n1", "back"), partial(mend, "n1", "back"), nodes[:1], 1.3),
        Fault("emptied (FLUSHALL)", store.flush, nothing, [], 0.5),
        Fault("slow: answers 0.2 s late", store.slow_down, store.speed_up, [], 0.5),
    ]


@dataclass(slots=True)
class Measured:
    fault: Fault
    asked: int = 0
    failed: int = 0
    alone: float = 0.0  # let in a second meanwhile, and after it
    after: float = 0.0
    exact_alone: float = 0.0
    exact_after: float = 0.0
    slowest: float = 0.0
    exact_slowest: float = 0.0
    lines: dict[Node, int] = field(default_factory=dict)  # of the error log

    @property
    def text(self) -> str:
        lines = "/".join(str(count) for count in self.lines.values())
        return (
            f"| {self.fault.name} | {self.asked} | {self.failed} | {self.alone:.0f} | {self.after:.0f} "
            f"| {self.exact_alone:.0f} | {self.exact_after:.0f} "
            f"| {self.slowest * 1000:.0f} | {self.exact_slowest * 1000:.0f} | {lines} |"
        )


def measure(fault: Fault, nodes: list[Node], load: Load) -> Measured:
    """One fault, from before it until all is well again."""
    found = Measured(fault)
    before = {node: _lines(node) for node in nodes}
    failed, first = len(load.failed()), load.now
    fault.begin()
    until(lambda: not any(node.online for node in fault.lonely), f"offline: {fault.name}", 60)
    began = load.now
    time.sleep(SECONDS)
    ended = load.now
    fault.end()
    until(lambda: all(node.online for node in nodes), f"online: {fault.name}", 60)
    time.sleep(6)  # a worker that asks exactly tries again after 5 s at the latest; buckets drain
    again = load.now
    time.sleep(SECONDS)
    last = load.now
    found.asked = sum(first <= each.at < last for each in load.asked)
    found.failed = len(load.failed()) - failed
    found.alone, found.after = load.admitted("/", began, ended), load.admitted("/", again, last)
    found.exact_alone, found.exact_after = load.admitted("/login", began, ended), load.admitted("/login", again, last)
    found.slowest, found.exact_slowest = _slowest(load.of("/", first, last)), _slowest(load.of("/login", first, last))
    found.lines = {node: _lines(node) - before[node] for node in nodes}
    return found


def _slowest(asked: list[Asked]) -> float:
    """One of a hundred is slower."""
    times = sorted(each.took for each in asked)
    return times[int(len(times) * 0.99)]


def _lines(node: Node) -> int:
    text = (node.folder / "error.log").read_text()
    return sum("zone sync store" in line for line in text.splitlines())


HEAD = f"""# What clients notice of a store that fails

Three gateways and a Redis in network namespaces; 300 requests a second to a limit of {RATE} r/s with `sync`, 60 a
second to one of {EXACT_RATE} r/s with `exact`, over all three, while the store is troubled for {SECONDS:.0f} s and
longer. `failed` is whatever is neither 200 nor the limit's 503. Times are those of the slowest of 100 requests.
Made by `python -m tests.cluster.faults --write`, beside other load; tests/process/test_cluster_network.py is the same.

| the store is | asked | failed | let in/s then | after | exact: then | after | ms | exact: ms | log lines by node |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def main() -> None:
    if why_not():
        sys.exit(why_not())
    with tempfile.TemporaryDirectory() as folder, Network() as network:
        Path(folder).chmod(0o755)
        store = Store(network, Path(folder))
        store.start()
        nodes = [Node(network, number, Path(folder) / str(number)) for number in range(1, 4)]
        try:
            with nodes[0], nodes[1], nodes[2]:
                for node in nodes:
                    node.start()
                until(lambda: all(node.online for node in nodes), "all to be online", 60)
                load = Load(nodes, {"/": 300, "/login": 3 * EXACT_RATE})
                time.sleep(3)
                rows = [measure(fault, nodes, load).text for fault in faults(network, store, nodes)]
                load.stop()
        finally:
            store.kill()
    print("\n".join(rows), load.failed()[:10])
    if "--write" in sys.argv:
        RESULTS.write_text(HEAD + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
