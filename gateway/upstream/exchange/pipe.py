"""The body of an upstream's answer on its way to the client.

Buffered: the upstream is read as fast as it sends, into memory up to `*_buffers` and then into a temporary file, while
the client takes it at its own pace. Unbuffered: each part goes on as it comes, and the upstream waits for the client.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, TypeAlias

from gateway._fast.errors import HeadError
from gateway.core.files import FileError
from gateway.core.lane import FileSlice, park
from gateway.core.temp_files import TempFile
from gateway.http.output import CONNECTION_FAILED
from gateway.upstream.exchange.attempt import Stage, error_words
from gateway.upstream.exchange.peer_try import ClientGone

if TYPE_CHECKING:
    from gateway.http.module import Result
    from gateway.upstream.cache.update import CacheUpdate
    from gateway.upstream.exchange.peer_answer import PeerAnswer
    from gateway.upstream.exchange.store import StoreFile

    Kept: TypeAlias = StoreFile | CacheUpdate

_SENDING = b" while sending to client"


class _Client:
    """The client's side: how much it has yet to take, and since when it takes nothing."""

    __slots__ = ("deadline", "exchange", "last", "request", "timeout")

    def __init__(self, exchange: PeerAnswer) -> None:
        self.exchange = exchange
        self.request = exchange.request
        self.timeout = exchange.request.location.core.send_timeout
        self.last = 0
        self.deadline = 0.0

    def pending(self) -> int:
        """What is queued for the client; notes whether that became less."""
        pending = self.request.pending()
        if not pending or self._waits_for_turn():
            self.deadline = 0.0
        elif not self.deadline or pending < self.last:
            self.deadline = self.exchange.lane.now + self.timeout
        self.last = pending
        return pending

    def gave(self) -> None:
        self.last = self.request.pending()
        self.deadline = self.exchange.lane.now + self.timeout if self.last and not self._waits_for_turn() else 0.0

    def _waits_for_turn(self) -> bool:
        """Whether it is for other parts of the response, not for the client, to go on."""
        subrequests = self.request.subrequests
        return subrequests is not None and subrequests.waits_for_turn(self.request)

    def late(self) -> bool:
        return bool(self.deadline) and self.exchange.lane.now >= self.deadline and self.last > 0


class _Source:
    """The upstream's side: reads what is there, and knows why there will be no more."""

    __slots__ = ("broken", "deadline", "ended", "exchange", "reader", "stream")

    def __init__(self, exchange: PeerAnswer) -> None:
        self.exchange = exchange
        assert exchange.connection is not None and exchange.reader is not None
        self.stream = exchange.connection.stream
        self.reader = exchange.reader
        self.ended = False  # the answer is whole
        self.broken = False  # it never will be
        self.deadline = 0.0

    def read(self, limit: int) -> bytes | None:
        """The next part of the body, b"" where there is none in what came; None: nothing is there."""
        exchange = self.exchange
        attempt = exchange.attempt
        try:
            data = self.stream.recv(limit)
        except OSError as error:
            attempt.error = error
            exchange.log("error", b"recv() failed (%b)" % error_words(error))
            self.broken = True
            return b""
        if data is None:
            return None
        self.deadline = 0.0
        reader = self.reader
        if not data:
            if reader.receive_end():
                self.ended = True
            else:
                exchange.log("error", b"upstream prematurely closed connection")
                self.broken = True
            return b""
        size = len(data)
        attempt.received += size
        attempt.body_received += size
        try:
            part = reader.receive_body(data)
        except HeadError as error:
            exchange.log("error", error.message.encode("utf-8", "surrogateescape"))
            self.broken = True
            return error.part
        if reader.excess:
            exchange.warn_excess()
            reader.excess = False
        if reader.done:
            self.ended = True
        return part

    def wait_until(self) -> float:
        """The moment when read_timeout is over; it runs only while we wait for the upstream."""
        if self.stream.readable:
            return 0.0
        if not self.deadline:
            self.deadline = self.exchange.lane.now + self.exchange.conf.read_timeout
        return self.deadline

    def late(self) -> bool:
        if not self.deadline or self.exchange.lane.now < self.deadline:
            return False
        error = OSError(errno.ETIMEDOUT, "")
        self.exchange.attempt.error = error
        self.exchange.log("error", b"upstream timed out (%b)" % error_words(error))
        self.broken = True
        return True


def _client_timed_out(exchange: PeerAnswer) -> Result:
    """send_timeout is over: the client takes nothing any more."""
    request = exchange.request
    request.log("info", b"client timed out (110: Connection timed out)" + _SENDING)
    request.keepalive = False
    request.log_status = request.log_status or request.response.status
    request.main.timed_out = True
    return request.abort()


def _check_output(exchange: PeerAnswer) -> None:
    """A client that cannot be written to ends the exchange, `*_ignore_client_abort` or not. Errors: ClientGone."""
    if exchange.request.output.client_state() >= CONNECTION_FAILED:
        raise ClientGone


async def cut_off(exchange: PeerAnswer) -> Result:
    """The upstream is lost: the client gets what came of the answer, at its pace, and then sees that it is cut."""
    exchange.request.send([], False, True)
    exchange.release()
    if exchange.request.parent is not None:
        return exchange.cut()
    client = _Client(exchange)
    while client.pending():
        exchange.check_client()
        if not await park(client.deadline) and client.late():
            return _client_timed_out(exchange)
    return exchange.cut()


async def run_unbuffered(exchange: PeerAnswer, rest: bytes) -> Result:
    """`*_buffering off`: at most `*_buffer_size` bytes are under way."""
    request = exchange.request
    client = _Client(exchange)
    source = _Source(exchange)
    room = exchange.conf.buffer_size
    request.send([rest] if rest else [], flush=True)
    client.gave()
    while True:
        exchange.pass_on_body()
        _check_output(exchange)
        pending = client.pending()
        took = False
        while pending < room and source.stream.readable:
            part = source.read(room - pending)
            if part is None:
                break
            took = True
            if source.ended:
                return exchange.finish([part] if part else [])
            if source.broken:
                request.send([part] if part else [])
                return await cut_off(exchange)
            if part:
                request.send([part], flush=True)
                client.gave()
                pending = client.last
        if took and not exchange.body_sent:
            continue  # what came may have widened a window: nobody else calls for the rest of the request
        exchange.check_client()
        source_until = source.wait_until() if pending < room else 0.0
        if await park(_first(_first(source_until, client.deadline), exchange.client_deadline)):
            continue
        if source.late():
            return await cut_off(exchange)
        client.pending()
        if client.late():
            return _client_timed_out(exchange)


class _Held:
    """What the client has not been given yet: first what lies in the file, then what is in memory."""

    __slots__ = ("exchange", "file", "file_given", "kept", "memory", "size")

    def __init__(self, exchange: PeerAnswer, kept: Kept | None) -> None:
        self.exchange = exchange
        self.kept = kept
        self.memory: list[bytes] = []
        self.size = 0
        self.file: TempFile | None = None if kept is None else kept.file
        self.file_given = 0 if kept is None else kept.start

    def add(self, part: bytes) -> None:
        """Errors: FileError, where the answer is stored."""
        if self.kept is not None:
            self.kept.file.write(part)
            if self.kept.mute:
                self.file_given = self.kept.file.size
        elif part:
            self.memory.append(part)
            self.size += len(part)

    @property
    def in_file(self) -> int:
        return self.file.size - self.file_given if self.file is not None else 0

    def take_file(self) -> list[Any]:
        """All of the file that was not given yet, as a slice; it takes no memory."""
        file = self.file
        if file is None or file.size == self.file_given:
            return []
        piece = FileSlice(file.fd, self.file_given, file.size - self.file_given, file)
        self.file_given = file.size
        return [piece]

    def take(self, limit: int) -> list[Any]:
        """The file's part and whole parts of memory up to `limit` bytes."""
        pieces = self.take_file()
        count = 0
        for part in self.memory:
            limit -= len(part)
            if limit < 0 and (count or pieces):
                break
            self.size -= len(part)
            count += 1
            if limit <= 0:
                break
        pieces += self.memory[:count]
        del self.memory[:count]
        return pieces

    def take_all(self) -> list[Any]:
        pieces = self.take_file() + self.memory
        self.memory = []
        self.size = 0
        return pieces

    def finish(self) -> Result:
        """The answer is whole."""
        if self.kept is not None:
            self.kept.finish()
        return self.exchange.finish(self.take_all())

    def spill(self) -> bool:
        """Move memory to the file, `*_temp_file_write_size` at a time; False if the file may not grow. FileError."""
        conf = self.exchange.conf
        file = self.file
        room = conf.max_temp_file_size - (file.size if file is not None else 0)
        if room <= 0:
            return False
        parts: list[bytes] = []
        count = 0
        for part in self.memory:
            if count and (count + len(part) > conf.temp_file_write or count + len(part) > room):
                break
            parts.append(part)
            count += len(part)
        if not parts or count > room:
            return False
        if file is None:
            file = self.file = TempFile(conf.temp_path)
            self.exchange.log(
                "warn", b"an upstream response is buffered to a temporary file " + file.path, Stage.READING_BODY
            )
        file.write(b"".join(parts))
        del self.memory[: len(parts)]
        self.size -= count
        return True


async def run_buffered(exchange: PeerAnswer, rest: bytes, keeps: bool) -> Result:
    """`*_buffering on`. The temporary file is gone with its last slice, unless it is to be kept."""
    try:
        return await _run_buffered(exchange, rest, exchange.begin_file() if keeps else None)
    except FileError as error:
        exchange.log("crit", str(error).encode("utf-8", "surrogateescape"), Stage.READING_BODY)
        return exchange.cut()


async def _run_buffered(exchange: PeerAnswer, rest: bytes, kept: Kept | None) -> Result:
    request = exchange.request
    conf = exchange.conf
    client = _Client(exchange)
    source = _Source(exchange)
    held = _Held(exchange, kept)
    count, each = conf.buffers
    capacity = count * each + conf.buffer_size
    busy_size = conf.busy
    pace = _Pace(exchange, len(rest))
    stream = source.stream
    # What filters do with it may take a thousand times as long as reading it: they get a buffer at a time, and after
    # each the lane says whether it is the others' turn.
    filtered = request.reads
    most = each if filtered else max(capacity, len(rest))
    for at in range(0, len(rest) or 1, most):
        held.add(rest[at : at + most])
    if source.reader.done:
        return held.finish()
    prompt = source.reader.prompt
    output = request.output
    while True:
        exchange.pass_on_body()
        if kept is None:
            _check_output(exchange)
        # Give: not less than a buffer at a time while the upstream goes on, as nginx passes on full buffers. But a
        # chunk is passed on as soon as no more is there: who streams sends chunks.
        pending = client.pending()
        while pending < busy_size and (
            held.size >= each or held.in_file or (prompt and held.size and not stream.readable)
        ):
            request.send(held.take(busy_size - pending))
            output.send(request, [], False, True)
            client.gave()
            pending = client.last
            if filtered and stream.spend(0):
                break
        # Take.
        took = False
        while stream.readable and not pace.waits():
            room = capacity - held.size - min(pending, busy_size)
            if room <= 0:
                if not held.spill():
                    break
                continue
            part = source.read(pace.limit(min(room, most)))
            if part is None:
                break
            took = True
            held.add(part)
            pace.read(len(part))
            if source.ended:
                return held.finish()
            if source.broken:
                request.send(held.take_all())
                return await cut_off(exchange)
            if held.size >= each and pending < busy_size:
                break
        if took:
            continue
        exchange.check_client()
        waiting = pace.until or (source.wait_until() if capacity > held.size + min(pending, busy_size) else 0.0)
        if await park(_first(_first(waiting, client.deadline), exchange.client_deadline)):
            continue
        if not pace.over() and source.late():
            # What does not fill a buffer is not the client's yet: nginx lets go of it with a silent upstream.
            return await cut_off(exchange)
        client.pending()
        if client.late():
            if kept is None:
                return _client_timed_out(exchange)
            client.gave()  # the file is made all the same


class _Pace:
    """`*_limit_rate`: how fast the upstream is read."""

    __slots__ = ("count", "lane", "rate", "start", "until")

    def __init__(self, exchange: PeerAnswer, count: int) -> None:
        conf = exchange.conf
        self.lane = exchange.lane
        self.rate: int = conf.limit_rate(exchange.request) if conf.limit_rate is not None else 0
        self.start = int(self.lane.now)
        self.count = 0
        self.until = 0.0
        if self.rate:
            self.read(count)

    def waits(self) -> bool:
        if not self.until:
            return False
        if self.lane.now >= self.until:
            self.until = 0.0
            return False
        return True

    def over(self) -> bool:
        """Whether a wait of ours ended now; it is no timeout."""
        if self.until and self.lane.now >= self.until:
            self.until = 0.0
            return True
        return False

    def limit(self, room: int) -> int:
        if not self.rate:
            return room
        allowed = self.rate * (int(self.lane.now) - self.start + 1) - self.count
        return min(room, max(1, allowed))

    def read(self, count: int) -> None:
        """So much came: the time that it should have taken passes before the next read."""
        if self.rate:
            self.count += count
            self.until = self.lane.now + count / self.rate


def _first(one: float, other: float) -> float:
    """The earlier of two deadlines, where 0 is none."""
    return min(one, other) if one and other else one or other
