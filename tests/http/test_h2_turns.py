"""Whose turn it is: the tree of dependencies, alone and as a client sees it."""

from __future__ import annotations

from pathlib import Path
from struct import pack
from typing import Any

import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.h2_stream import Http2Stream
from gateway.http.h2_turns import Node, Turns
from tests import http2_frames as wire
from tests.engine import serving
from tests.http2_client import Answer, http2, request

SERVER = "server { listen 127.0.0.1:8080; server_name localhost; http2 on; root %s; }"


def priority(stream: int, depends_on: int, weight: int, *, exclusive: bool = False) -> bytes:
    return wire.frame_head(5, wire.PRIORITY, 0, stream) + pack(">IB", depends_on | exclusive << 31, weight - 1)


async def order(folder: Path, frames: bytes, flags: dict[int, Any] | None = None) -> list[int]:
    """In which order three streams, which wait for the connection's window, send the rest of their bodies."""
    (folder / "first").write_bytes(bytes(65535 + 100))
    (folder / "other").write_bytes(bytes(100))
    async with serving(SERVER % folder) as engine, http2(engine, INITIAL_WINDOW_SIZE=1 << 20) as client:
        client.auto_window = False
        for number, path in ((1, "/first"), (3, "/other"), (5, "/other")):
            client.answers[number] = Answer()
            client.connection.send_headers(number, request(path), end_stream=True, **(flags or {}).get(number, {}))
            await client.flush()
            if number == 1:
                await client.until(lambda: len(client.answers[1].body) == 65535)
        await client.until(lambda: all(client.answers[number].fields for number in (3, 5)))
        await client.raw(frames)
        client.connection.increment_flow_control_window(10_000)
        await client.flush()
        before = len(client.events)
        await client.until(lambda: all(client.answers[number].ended for number in (1, 3, 5)))
        return [event.stream_id for event in client.events[before:] if isinstance(event, h2.events.StreamEnded)]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (b"", [1, 3, 5]),
        (priority(1, 0, 1) + priority(3, 0, 20) + priority(5, 0, 10), [3, 5, 1]),
        (priority(1, 3, 256) + priority(3, 5, 256), [5, 3, 1]),
        (priority(5, 0, 1, exclusive=True), [5, 1, 3]),
        (priority(7, 0, 256) + priority(1, 7, 1) + priority(5, 7, 2), [3, 5, 1]),
        (priority(1, 9, 200) + priority(3, 0, 100), [1, 3, 5]),  # nobody knows 9
    ],
    ids=["none", "weights", "dependencies", "exclusive", "under one that does not begin", "under nobody"],
)
async def test_priority_frames(tmp_path: Path, frames: bytes, expected: list[int]) -> None:
    assert await order(tmp_path, frames) == expected


async def test_priorities_with_headers(tmp_path: Path) -> None:
    flags = {1: {"priority_weight": 1}, 3: {"priority_weight": 256}, 5: {"priority_weight": 100}}
    assert await order(tmp_path, b"", flags) == [3, 5, 1]


def tree(turns: Turns) -> dict[int, tuple[int, int]]:
    """(parent, rank) of each node."""
    return {number: (node.parent.number if node.parent else 0, node.rank) for number, node in turns.nodes.items()}


def test_a_node_that_is_to_depend_on_what_depends_on_it() -> None:
    turns = Turns({})
    turns.priority(1, 0, False, 16)
    turns.priority(3, 1, False, 16)
    turns.priority(5, 3, False, 16)
    turns.priority(1, 5, False, 16)  # 5 takes the place of 1
    assert tree(turns) == {5: (0, 1), 1: (5, 2), 3: (1, 3)}


def test_those_that_are_over_are_forgotten_and_what_they_had_is_shared() -> None:
    turns = Turns({})
    turns.priority(1, 0, False, 100)
    turns.priority(3, 1, False, 30)
    turns.priority(5, 1, False, 10)
    for number in range(7, 7 + 2 * 28, 2):
        turns.priority(number, 0, False, 16)
    assert 1 in turns.nodes
    for number in (3, 5):  # used again: 1 is the oldest now
        turns.priority(number, 1, False, turns.nodes[number].weight)
    for number in range(101, 101 + 2 * 5, 2):
        turns.priority(number, 0, False, 16)
    assert len(turns.nodes) == 32


@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.integers(0, 60), st.booleans(), st.integers(1, 256), st.booleans()),
        max_size=150,
    )
)
def test_whatever_is_said_the_tree_is_one(steps: list[tuple[int, int, bool, int, bool]]) -> None:
    turns = Turns({})
    streams: list[Any] = []
    for number, depends_on, exclusive, weight, begins in steps:
        if number == depends_on:
            continue
        if begins and len(streams) < 20 and not any(stream.id == number for stream in streams):
            stream: Any = unconnected(number)
            turns.begins(stream, depends_on, exclusive, weight)
            streams.append(stream)
        elif begins and streams:
            turns.ends(streams.pop(0))
        else:
            turns.priority(number, depends_on, exclusive, weight)
        check(turns)


def unconnected(number: int) -> Any:
    """Http2Stream without what makes one, which needs a connection."""
    stream = Http2Stream.__new__(Http2Stream)
    stream.id = number
    return stream


def check(turns: Turns) -> None:
    seen: dict[int, Node] = {}
    below = list(turns.roots)
    while below:
        node = below.pop()
        assert node.number not in seen
        seen[node.number] = node
        parent = node.parent
        assert node.rank == (1 if parent is None else parent.rank + 1)
        assert 0 < node.share <= 1 and 1 <= node.weight <= 256
        assert all(child.parent is node for child in node.children)
        below += node.children
    assert seen == turns.nodes
    assert set(turns.closed) == {number for number, node in seen.items() if not node.open}
    assert len(turns.closed) <= 32 + 21
