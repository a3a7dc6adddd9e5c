"""Which stream of an HTTP/2 connection sends its next frame: each in turn, or by the priorities that the client gave.

Priorities are those of RFC 7540, 5.3, which RFC 9113 has given up and nginx still follows: streams depend on each
other, those nearer to the root go first, and among equals those with the larger share. A client that says nothing of
it costs nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.http.module import Count

if TYPE_CHECKING:
    from gateway.http.h2_stream import Http2Stream

_USUAL_WEIGHT: Final = 16
_WHOLE: Final = 256.0
# Streams that are over, or have not begun, and are remembered since others may depend on them: nginx's number.
_MOST_CLOSED: Final = 32


class Node:
    """A stream's place in the tree of dependencies; compiled with the types of h2_turns.pxd, as Turns is."""

    def __init__(self, number: Count) -> None:
        self.number = number
        self.parent: Node | None = None  # None: the root
        self.children: list[Node] = []
        self.weight = _USUAL_WEIGHT
        self.placed = False  # the client, or its beginning, has given it its place
        self.open = False
        self.rank = 1  # how far it is from the root
        self.share = _USUAL_WEIGHT / _WHOLE  # of what the root has

    def settle(self) -> None:
        """Find rank and share of it and of all that depend on it."""
        below = [self]
        while below:
            node = below.pop()
            parent = node.parent
            if parent is None:
                node.rank = 1
                node.share = node.weight / _WHOLE
            else:
                node.rank = parent.rank + 1
                node.share = parent.share * node.weight / _WHOLE
            below += node.children


class Turns:
    """The streams that have data and the window to send it."""

    def __init__(self, streams: dict[int, Any]) -> None:
        """`streams`: the connection's own, by number."""
        self.streams = streams
        self.waiting: list[Http2Stream] = []
        self.nodes: dict[int, Node] = {}  # by the stream's number; empty until the client speaks of priorities
        self.roots: list[Node] = []
        self.closed: dict[int, Node] = {}  # of those, whose streams are not open, in the order in which that became so

    def want(self, stream: Http2Stream) -> None:
        """The stream has data that it may send."""
        if not stream.in_turn:
            stream.in_turn = True
            self.waiting.append(stream)

    def next(self) -> Http2Stream:
        """The stream that has its turn; there is one."""
        waiting = self.waiting
        first = 0
        if self.nodes:
            for at in range(1, len(waiting)):
                if self._goes_before(waiting[at], waiting[first]):
                    first = at
        stream: Http2Stream = waiting.pop(first)
        stream.in_turn = False
        return stream

    def _goes_before(self, one: Http2Stream, other: Http2Stream) -> bool:
        mine, its = one.node, other.node
        rank, share = (1, _USUAL_WEIGHT / _WHOLE) if mine is None else (mine.rank, mine.share)
        if its is None:
            return rank == 1 and share > _USUAL_WEIGHT / _WHOLE
        return rank < its.rank or (rank == its.rank and share > its.share)

    # -- what the client says of it ------------------------------------------------------------------------------

    def begins(self, stream: Http2Stream, depends_on: Count, exclusive: bool, weight: Count) -> None:
        """A stream; `weight` 0: its HEADERS say nothing of priority."""
        if weight or self.nodes:
            self._see_all()
            self._open(stream, depends_on, exclusive, weight)

    def priority(self, number: Count, depends_on: Count, exclusive: bool, weight: Count) -> None:
        """PRIORITY came, for a stream that is open, or over, or has not begun."""
        self._see_all()
        node = self._node(number)
        self._remember(node)
        self._depend(node, depends_on, exclusive, weight)

    def ends(self, stream: Http2Stream) -> None:
        node = stream.node
        if node is not None:
            stream.node = None
            node.open = False
            self._remember(node)

    def _see_all(self) -> None:
        """The client speaks of priorities: streams that began before have theirs, too."""
        if not self.nodes:
            for stream in self.streams.values():
                self._open(stream, 0, False, 0)

    def _open(self, stream: Http2Stream, depends_on: Count, exclusive: bool, weight: Count) -> None:
        node = self._node(stream.id)
        node.open = True
        self.closed.pop(node.number, None)
        stream.node = node
        if weight or not node.placed:
            self._depend(node, depends_on, exclusive, weight or _USUAL_WEIGHT)

    def _node(self, number: Count) -> Node:
        node = self.nodes.get(number)
        if node is None:
            if len(self.closed) >= _MOST_CLOSED:
                self._forget(self.closed.pop(next(iter(self.closed))))
            node = self.nodes[number] = Node(number)
        return node

    def _remember(self, node: Node) -> None:
        """As the one that was of use last."""
        if not node.open:
            self.closed.pop(node.number, None)
            self.closed[node.number] = node

    def _below(self, parent: Node | None) -> list[Node]:
        return self.roots if parent is None else parent.children

    def _move(self, node: Node, parent: Node | None) -> None:
        if node.placed:
            self._below(node.parent).remove(node)
        node.placed = True
        node.parent = parent
        self._below(parent).append(node)

    def _depend(self, node: Node, depends_on: Count, exclusive: bool, weight: Count) -> None:
        parent = self.nodes.get(depends_on) if depends_on else None
        if parent is None:
            exclusive = exclusive and not depends_on  # of one that nobody knows: as if of the root
        else:
            above = parent.parent
            while above is not None and above is not node:
                above = above.parent
            if above is node:  # it is to depend on one that depends on it, which takes its place first
                self._move(parent, node.parent)
                parent.settle()
            self._remember(parent)
        node.weight = weight
        self._move(node, parent)
        if exclusive:
            siblings = self._below(parent)
            for other in siblings[:-1]:
                other.parent = node
            node.children += siblings[:-1]
            siblings[:] = [node]
        node.settle()

    def _forget(self, node: Node) -> None:
        """Those that depend on it share what it has."""
        del self.nodes[node.number]
        parent = node.parent
        siblings = self._below(parent)
        siblings.remove(node)
        total = 0
        for child in node.children:
            total += child.weight
        for child in node.children:
            child.parent = parent
            child.weight = max(node.weight * child.weight // total, 1)
            siblings.append(child)
            child.settle()
