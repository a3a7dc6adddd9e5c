from __future__ import annotations

import collections
import errno
import functools
import itertools
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from gateway._fast.lane import connect_raw, local_sockaddr, sockaddr_text
from gateway._fast.stream import accepted
from gateway.core.lane import Fibre, Lane, Stream, in_trio, park, sleep
from tests.lanes import Crashes, pair, running, tcp_pair, until


async def test_the_end_cancels_fibres_and_closes_streams() -> None:
    ended: list[str] = []

    async def body(name: str, wait: object) -> None:
        try:
            if name == "task":
                await in_trio()
            await park()
        finally:
            ended.append(name)

    async def stubborn() -> None:
        while True:
            try:
                await park()
            except BaseException:
                ended.append("stubborn")
                if ended.count("stubborn") > 3:
                    raise

    lane = Lane()
    async with trio.open_nursery() as nursery:
        await nursery.start(lane.run)
        stream, peer = pair(lane)
        fibres: list[Fibre] = [lane.spawn(body(name, None)) for name in ("fibre", "task")]
        fibres.append(lane.spawn(stubborn()))
        await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert set(ended) == {"fibre", "task", "stubborn"}
    assert all(fibre.done for fibre in fibres) and lane.fibre_count == 0
    assert stream.closed and lane.streams == 0
    assert peer.recv(1) == b""
    peer.close()
    with pytest.raises(OSError), socket.socket() as late:
        Stream(lane, late.fileno())


async def test_an_idle_lane_does_not_wake_up() -> None:
    class Counting(Lane):
        turns = 0

        def turn(self) -> float:
            Counting.turns += 1
            return super().turn()

    async with running(Counting()) as lane:
        _, peer = pair(lane)
        await trio.sleep(0.05)
        before = Counting.turns
        await trio.sleep(0.3)
        # those in which it finds out that this task sleeps
        assert Counting.turns - before <= 3
        peer.close()


class Rounds:
    """Counts Trio's, as an instrument."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


async def test_what_only_the_lane_has_to_do_takes_no_rounds_of_trio() -> None:
    """It waits in Trio's stead; threads, tasks and their deadlines still get what they want at once."""
    async with running() as lane:
        stream, peer = pair(lane)

        def echo() -> None:
            if data := stream.recv():
                stream.send(data)

        stream.handler = echo
        rounds = Rounds()
        trio.lowlevel.add_instrument(rounds)  # type: ignore[arg-type]

        def client() -> int:
            time.sleep(0.05)
            before = rounds.count
            for _ in range(20):
                time.sleep(0.005)  # longer than it lingers
                peer.send(b"x")
                assert peer.recv(1) == b"x"
            return rounds.count - before

        assert await trio.to_thread.run_sync(client) <= 5
        begin = time.monotonic()
        for _ in range(5):
            await trio.sleep(0.01)
            await trio.to_thread.run_sync(time.sleep, 0.01)
        with trio.move_on_after(0.02):
            await trio.sleep_forever()
        assert time.monotonic() - begin < 2
        trio.lowlevel.remove_instrument(rounds)  # type: ignore[arg-type]
        peer.close()


class Deadlines:
    """As Trio keeps them."""

    def __init__(self) -> None:
        self._heap: list[tuple[float]] = [(1000.0,)]


@pytest.mark.parametrize("earlier", [False, True])
def test_trio_is_asked_once_how_long_it_waits_and_again_when_its_first_deadline_changes(earlier: bool) -> None:
    lane, deadlines, epoll = Lane(), Deadlines(), select.epoll()
    bell = os.eventfd(0)
    epoll.register(bell, select.EPOLLIN)
    answers = [1000.0, 0.0]
    asked: list[float] = []

    def pause() -> float:
        asked.append(answers[len(asked)])
        return asked[-1]

    def last() -> None:
        if earlier:
            deadlines._heap.insert(0, (1.0,))
        else:
            os.eventfd_write(bell, 1)

    lane._watch_trio(collections.deque(), None, epoll.fileno(), pause, deadlines)
    for seconds in (0.01, 0.02):
        lane.call_later(seconds, lambda: None)
    lane.call_later(0.03, last)
    assert lane.turn() == 0.0
    assert asked == (answers if earlier else answers[:1])
    # of the next turn nothing is known: tasks of Trio ran meanwhile
    answers[len(asked) :] = [0.0]
    lane.turn()
    assert len(asked) == (3 if earlier else 2)
    lane.end()
    lane.release()
    epoll.close()
    os.close(bell)


async def test_a_thread_wakes_a_lane_that_waits() -> None:
    woken = trio.Event()

    async def body() -> None:
        await park()
        await in_trio()
        woken.set()

    async with running() as lane:
        fibre = lane.spawn(body())
        await trio.sleep(0.02)
        timer = threading.Timer(0.05, fibre.wake)
        timer.start()
        with trio.fail_after(30):
            await woken.wait()
        timer.join()


async def test_a_sleeping_lane_hears_of_timers_deadlines_and_wakes_from_tasks() -> None:
    done: list[str] = []

    async def body() -> None:
        await park()
        done.append("wake")

    async with running() as lane:
        stream, peer = pair(lane)
        fibre = lane.spawn(body())
        await trio.sleep(0.02)
        begin = time.monotonic()
        fibre.wake()
        lane.call_later(0.02, lambda: done.append("timer"))
        stream.on_deadline = lambda: done.append("deadline")
        stream.deadline = lane.now + 0.04
        await until(lambda: len(done) == 3)
        assert done == ["wake", "timer", "deadline"]
        assert time.monotonic() - begin < 0.4
        peer.close()


async def test_the_time_is_fresh_in_tasks() -> None:
    async with running() as lane:
        await trio.sleep(0.05)
        assert abs(lane.now - time.monotonic()) < 0.02
        assert abs(lane.wall - time.time()) < 0.02
        assert lane.http_date.decode() in {
            time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - back)) for back in (0, 1)
        }


async def test_deadlines_fire_once_and_in_time(autojump_clock: trio.testing.MockClock) -> None:
    late: list[tuple[int, float]] = []
    async with running(Lane(clock=trio.current_time)) as lane:
        begin = lane.now
        pairs = [pair(lane) for _ in range(4)]
        for n, (stream, _) in enumerate(pairs):
            stream.on_deadline = lambda n=n: late.append((n, lane.now - begin))
        pairs[0][0].deadline = begin + 10
        pairs[1][0].deadline = begin + 3
        pairs[2][0].deadline = begin + 5
        pairs[3][0].deadline = begin + 4
        pairs[3][0].deadline = 0
        await trio.sleep(4)
        pairs[2][0].deadline = begin + 20
        await trio.sleep(30)
        assert [n for n, _ in late] == [1, 0, 2]
        for (_, at), wanted in zip(late, (3, 10, 20), strict=True):
            assert wanted <= at <= wanted + 0.26
        for stream, peer in pairs:
            assert stream.deadline == 0
            peer.close()


async def test_a_deadline_without_a_callback_closes(autojump_clock: trio.testing.MockClock) -> None:
    async with running(Lane(clock=trio.current_time)) as lane:
        stream, peer = pair(lane)
        stream.deadline = lane.now + 1
        await trio.sleep(2)
        assert stream.closed
        peer.close()


async def test_a_busy_lane_lets_tasks_run() -> None:
    async with running() as lane:
        rounds = 0

        async def busy() -> None:
            nonlocal rounds
            while True:
                await sleep(0)
                rounds += 1

        lane.spawn(busy())
        begin = time.monotonic()
        for _ in range(5):
            await trio.sleep(0.001)
        assert time.monotonic() - begin < 1
        assert rounds > 5


class Server:
    """A listener that keeps what it accepted."""

    def __init__(self, lane: Lane, fail: int = 0) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.streams: list[Stream] = []
        self.peers: list[bytes] = []
        self.fail = fail
        self.lane = lane
        self.listener = lane.listen(self.socket.fileno(), self.accepted)

    def accepted(self, fd: int, peer: bytes) -> None:
        if self.fail:
            self.fail -= 1
            raise ValueError("not this one")
        self.peers.append(peer)
        self.streams.append(Stream(self.lane, fd))

    def connect(self) -> socket.socket:
        return socket.create_connection(self.socket.getsockname(), timeout=5)


async def test_accepting() -> None:
    async with running() as lane:
        server = Server(lane)
        clients = [server.connect() for _ in range(40)]
        await until(lambda: len(server.streams) == 40)
        assert lane.accepted == lane.handled == 40
        assert sorted(map(sockaddr_text, server.peers)) == sorted(
            (b"127.0.0.1", client.getsockname()[1]) for client in clients
        )
        assert sockaddr_text(local_sockaddr(server.streams[0].fd))[1] == server.socket.getsockname()[1]
        assert server.streams[0].readable and server.streams[0].recv() is None
        for client in clients:
            client.close()
        server.socket.close()


async def test_all_that_wait_are_accepted_however_many() -> None:
    async with running() as lane:
        with socket.create_server(("127.0.0.1", 0), backlog=64) as waiting:
            waiting.setblocking(False)
            taken: list[int] = []
            clients = [socket.create_connection(waiting.getsockname(), timeout=5) for _ in range(40)]
            listener = lane.listen(waiting.fileno(), lambda fd, peer: taken.append(socket.close(fd) or fd))
            await until(lambda: len(taken) == 40)
            for number in (41, 42):
                clients.append(socket.create_connection(waiting.getsockname(), timeout=5))
                await until(lambda number=number: len(taken) == number)
            for client in clients:
                assert client.recv(1) == b""
                client.close()
            listener.close()


async def test_a_crash_while_accepting_closes_that_connection_only() -> None:
    crashes = Crashes()
    async with running(Lane(on_crash=crashes)) as lane:
        server = Server(lane, fail=1)
        with server.connect() as first, server.connect():
            await until(lambda: len(crashes) == 1)
            assert first.recv(1) == b""
            await until(lambda: server.streams)
            assert len(crashes) == 1 and crashes[0][1] is server.listener
            assert (lane.accepted, lane.handled) == (2, 1)
        server.socket.close()


async def test_pause_resume_close() -> None:
    async with running() as lane:
        server = Server(lane)
        server.listener.pause()
        server.listener.pause()
        with server.connect() as client:
            await trio.sleep(0.03)
            assert not server.streams
            server.listener.resume()
            await until(lambda: server.streams)
            server.listener.close()
            server.listener.close()
            with server.connect():
                await trio.sleep(0.03)
                assert len(server.streams) == 1
            client.close()
        server.socket.close()


async def test_no_descriptor_left_pauses_for_half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    errors: list[int] = []
    async with running() as lane:
        server = Server(lane)
        server.listener.on_error = errors.append
        with socket.socket() as client:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            highest = max(client.fileno(), server.socket.fileno()) + 1
            fillers = []
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
            try:
                while True:
                    try:
                        fillers.append(socket.socket())
                    except OSError:
                        break
                client.connect(server.socket.getsockname())
                await until(lambda: errors)
                assert errors == [errno.EMFILE] and server.listener.paused
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for filler in fillers:
                    filler.close()
            await until(lambda: server.streams)
            assert not server.listener.paused
        server.socket.close()


async def test_lingering_does_not_hold_back_a_task() -> None:
    """A fibre that went into Trio is resumed at once, although the lane likes to stay in its own epoll."""
    async with running(Lane(linger_s=0.2)) as lane:
        stream, peer = pair(lane)
        rounds: list[int] = []

        async def body() -> None:
            await in_trio()
            while await stream.wait_readable():
                data = stream.recv()
                if data == b"":
                    return
                if data:
                    rounds.append(1)
                    stream.send(data)

        fibre = lane.spawn(body())

        def client() -> float:
            begin = time.monotonic()
            for _ in range(50):
                peer.send(b"x")
                assert peer.recv(1) == b"x"
            return time.monotonic() - begin

        took = await trio.to_thread.run_sync(client)
        assert took < 2
        peer.close()
        await until(lambda: fibre.done)


async def test_lanes_that_share_a_listener_take_each_connection_once() -> None:
    """As two workers do, with EPOLLEXCLUSIVE; a paused one leaves all to the other."""
    async with running() as one, running() as other:
        server = Server(one)
        taken: list[int] = []
        mine = other.listen(server.socket.fileno(), lambda fd, peer: taken.append(Stream(other, fd).fd))
        clients = [server.connect() for _ in range(30)]
        await until(lambda: len(server.streams) + len(taken) == 30)
        assert one.accepted + other.accepted == 30
        mine.pause()
        before = len(taken)
        clients += [server.connect() for _ in range(5)]
        await until(lambda: one.accepted + other.accepted == 35)
        assert len(taken) == before
        for client in clients:
            client.close()
        server.socket.close()


async def test_a_detour_leads_connections_elsewhere() -> None:
    wanted = socket.AF_INET.to_bytes(2, "little") + (9).to_bytes(2, "big") + bytes([192, 0, 2, 1]) + bytes(8)
    with socket.create_server(("127.0.0.1", 0)) as there:
        port: int = there.getsockname()[1]
        async with running() as lane:
            lane.detour = wanted[:2] + port.to_bytes(2, "big") + socket.inet_aton("127.0.0.1") + bytes(8)
            stream = connect_raw(lane, wanted)
            await until(lambda: not stream.connecting)
            assert not stream.error
            stream.close()
        connection, _ = there.accept()
        connection.close()


# -- what was accepted is read before the kernel is asked for its events


def watched(lane: Lane) -> set[int]:
    """The descriptors in the lane's epoll, by proc(5)."""
    lines = Path(f"/proc/self/fdinfo/{lane.epoll_fd}").read_text().splitlines()
    return {int(line.split()[1]) for line in lines if line.startswith("tfd:")}


def newcomer(lane: Lane, handler: Callable[[Stream], object]) -> tuple[Stream, socket.socket]:
    """A stream as of a connection that was accepted just now, and the other end."""
    ours, theirs = tcp_pair()
    ours.setblocking(False)
    theirs.settimeout(5)
    stream = accepted(lane, ours.detach())
    stream.handler = functools.partial(handler, stream)
    return stream, theirs


async def test_who_is_served_by_the_first_read_is_never_in_the_epoll() -> None:
    async with running() as lane:
        seen: list[tuple[bytes | None, bool]] = []

        def serve(stream: Stream) -> None:
            seen.append((stream.recv(), stream.fd in watched(lane)))
            stream.send(b"answer")
            stream.close()

        stream, peer = newcomer(lane, serve)
        number = stream.fd
        peer.send(b"request")
        assert not stream.readable
        await until(lambda: seen)
        assert seen == [(b"request", False)] and number not in watched(lane)
        assert peer.recv(100) == b"answer" and peer.recv(100) == b""
        peer.close()


async def test_what_comes_behind_the_first_read_is_heard_of() -> None:
    async with running() as lane:
        seen: list[bytes | None] = []
        streams = [newcomer(lane, lambda stream: seen.append(stream.recv())) for _ in range(3)]
        (late, late_peer), (slow, slow_peer), (going, going_peer) = streams
        going_peer.send(b"first")
        slow.handler = lambda: slow.sent or slow.send(b"x" * 10_000_000)
        await until(lambda: len(seen) == 2 and slow.pending)
        assert sorted(seen, key=bool) == [None, b"first"]
        assert {late.fd, slow.fd, going.fd} <= watched(lane)
        late_peer.send(b"late")
        await until(lambda: seen[2:] == [b"late"])
        going_peer.close()
        await until(lambda: seen[3:] == [b""])
        assert going.peer_closed
        got = 0
        while slow.pending:
            got += len(await trio.to_thread.run_sync(slow_peer.recv, 1_000_000))
        for peer in (late_peer, slow_peer):
            peer.close()


async def test_a_newcomer_is_read_behind_all_events_of_what_was_before_it() -> None:
    """They are more than two batches of the kernel's."""
    async with running() as lane:
        order: list[str] = []
        pairs = [socket.socketpair() for _ in range(300)]
        for each in itertools.chain(*pairs):
            each.setblocking(False)
        server = Server(lane)

        def accept(fd: int, peer: bytes) -> None:
            stream = accepted(lane, fd)
            stream.handler = lambda: (order.append("new"), stream.close())

        server.listener.close()
        listener = lane.listen(server.socket.fileno(), accept)
        streams = [Stream(lane, each.detach()) for each in itertools.chain(*pairs)]
        for stream in streams:
            stream.recv()
            stream.handler = functools.partial(order.append, "old")
        await trio.sleep(0.01)
        with server.connect() as client:  # the lane does not run meanwhile: one comes, and behind it what was before
            client.send(b"request")
            for stream in streams:
                stream.send(b"x")
            await until(lambda: "new" in order)
        assert order == ["old"] * 600 + ["new"]
        listener.close()
        server.socket.close()


async def test_who_is_closed_in_the_turn_of_its_accept_is_not_read() -> None:
    async with running() as lane:
        calls: list[Stream] = []
        stream, peer = newcomer(lane, calls.append)
        stream.close()
        await trio.sleep(0.01)
        assert not calls and peer.recv(100) == b""
        peer.close()


async def test_where_the_epoll_takes_no_more_the_stream_ends() -> None:
    lane = Lane()
    lane.on_crash = crashes = Crashes()
    async with running(lane):
        stream, peer = newcomer(lane, lambda stream: os.close(stream.fd))
        await until(lambda: crashes)
        assert stream.closed and isinstance(crashes.pop()[0], OSError)
        peer.close()
