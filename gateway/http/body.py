"""Request bodies: decoded from the connection, kept in memory or a temporary file. Compiled, see body.pxd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway._fast.chunked import ChunkedDecoder
from gateway._fast.errors import HeadError
from gateway.core.files import FileError
from gateway.core.lane import current_fibre, park
from gateway.core.pieces import FileSlice, Piece
from gateway.core.temp_files import TempFile
from gateway.http.module import Count

if TYPE_CHECKING:
    from gateway._fast.request_head import RequestHead
    from gateway.http.output import Output
    from gateway.http.request import Request


class BodyError(Exception):
    """A body that cannot be read: the status to answer, and nginx's log text. `level`: "error" where the client is
    wrong, "info" where it only went away."""

    def __init__(self, status: int, message: bytes, level: str = "info") -> None:
        super().__init__(message.decode("latin-1"))
        self.status = status
        self.message = message
        self.level = level


class ClientEnded(BodyError):
    """The client has ended its side within the body: as in nginx nobody answers it, whether it still reads or not."""

    def __init__(self) -> None:
        super().__init__(400, b"client prematurely closed connection")


class BodyDecoder:
    """Takes the transfer framing off: by Content-Length or chunked (RFC 9112, 6)."""

    def __init__(self, head: RequestHead) -> None:
        self.chunked: ChunkedDecoder | None = ChunkedDecoder() if head.chunked else None
        self.left: int = head.content_length
        self.done = False
        self.received = 0

    def wanted(self) -> Count:
        """How much to receive; 0: as much as there is. One byte more than is left, since a read that gets less than
        it asked for tells that nothing more is there."""
        return 0 if self.chunked is not None else self.left + 1

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Received bytes → (decoded bytes, what does not belong to this body)."""
        if self.chunked is not None:
            before = len(data)
            try:
                slices, done, rest = self.chunked.feed(data)
            except HeadError as error:
                raise BodyError(error.status, error.message.encode(), "error") from None
            self.done = done
            decoded = slices[0] if len(slices) == 1 else b"".join(slices)
            self.received += before - len(rest)
            return decoded, rest
        size = len(data)
        left = self.left
        if size < left:
            self.left = left - size
            self.received += size
            return data, b""
        self.done = True
        self.left = 0
        self.received += left
        return (data, b"") if size == left else (data[:left], data[left:])


class RequestBody:
    """A request's body as far as it was read. `pieces()` gives it for an upstream, `data()` for a variable."""

    def __init__(self, request: Request) -> None:
        self.request: Request = request  # None once it has ended
        self.memory: list[bytes] = []
        self.file: TempFile | None = None
        self.size = 0
        self.complete = False
        self.given = False  # a part went to an upstream as it came: nobody else can have the whole
        self.failed: BodyError | None = None  # what came so far cannot be read, and never will be
        # Of a body whose length was not declared: the other was looked at when its location was found.
        self.limit = request.location.core.client_max_body_size if request.head.content_length < 0 else 0
        self.preread: int = 0
        self.spills: bool = self._may_spill(request, request.output)

    def _may_spill(self, request: Request, output: Output) -> bool:
        """Whether it may go to a file. nginx keeps in memory what came with the head, and if little is left, that."""
        preread = output.body_preread(request)
        if preread < 0:
            return True
        self.preread = preread
        length = request.head.content_length
        if length < 0:
            return True
        core = request.location.core
        left = length - preread
        buffer = core.client_body_buffer_size
        return not (left <= 0 or (preread and length <= request.head.room_left()) or left < buffer + (buffer >> 2))

    def leave(self) -> None:
        """Its request has ended. No cycle is left, which would keep all that was read until the collector comes by."""
        self.request = None  # type: ignore[assignment]
        self.failed = None

    def add(self, data: bytes) -> None:
        """Keep a decoded part; it goes to a file once more than client_body_buffer_size came behind the head."""
        core = self.request.location.core
        self.hold(data)
        if self.file is not None or (
            self.spills and self.request.output.body_received() - self.preread > core.client_body_buffer_size
        ):
            self._to_file()

    def hold(self, data: bytes) -> None:
        """Keep a decoded part in memory."""
        self.size += len(data)
        if self.limit and self.size > self.limit:
            self.request.log("error", b"client intended to send too large chunked body: %d bytes" % self.size)
            raise BodyError(413, b"")
        self.memory.append(data)

    def give(self) -> list[bytes]:
        """What memory holds, which is then no longer ours."""
        parts, self.memory = self.memory, []
        self.given = True
        return parts

    def _to_file(self) -> None:
        """Write what memory holds. Errors: BodyError (a full disk, a folder that is not there), told already."""
        try:
            self._write()
        except FileError as error:
            self.request.log("crit", error.message, OSError(error.errno, ""))
            raise BodyError(500, b"") from None

    def _write(self) -> None:
        request = self.request
        if self.file is None:
            core = request.location.core
            keep = core.client_body_in_file_only
            if request.request_body_in_file_only:  # of a handler, that moves the file or leaves it to be deleted
                self.file = TempFile(core.client_body_temp_path, persistent=True, clean=True, access=0o660)
            else:
                self.file = TempFile(core.client_body_temp_path, persistent=bool(keep), clean=keep == 1)
                request.log("warn", b"a client request body is buffered to a temporary file %s" % self.file.path)
            request.cleanups.append(self.file.close)
        self.file.write_parts(self.memory)
        self.memory.clear()

    def finish(self) -> None:
        self.complete = True
        core = self.request.location.core
        if (
            (core.client_body_in_file_only or self.request.request_body_in_file_only)
            and self.file is None
            and (self.size or self.request.head.chunked or self.request.head.content_length == 0)
        ):
            self._to_file()

    def pieces(self) -> list[Piece]:
        """The whole body as pieces, a file's part first."""
        pieces: list[Piece] = []
        if self.file is not None:
            pieces.append(FileSlice(self.file.fd, 0, self.file.size, self.file))
        pieces.extend(self.memory)
        return pieces

    def data(self) -> bytes:
        """$request_body: the bytes in memory."""
        return b"".join(self.memory)


def read_body_nowait(request: Request) -> bool:
    """Read what is here; True when the body is complete. Errors: BodyError."""
    body = request.body
    if body is None:
        body = request.body = RequestBody(request)
        if request.main is not request or request.discarding:
            body.complete = True
            return True
        request.send_continue()
        request.output.body_begins(True)
    if body.failed is not None:
        raise body.failed
    if body.request is None:
        raise BodyError(400, b"")
    output = request.output
    try:
        while not body.complete:
            data = output.receive_body(request)
            if data is None:
                return False
            if data:
                body.add(data)
            if not data or output.body_done():
                body.finish()
    except BodyError as error:
        body.failed = error
        raise
    return True


def read_body_part(request: Request, most: Count) -> RequestBody:
    """Read what is here, into memory and about `most` bytes of it: `*_request_buffering off`. Errors: BodyError."""
    body = request.body
    if body is None:
        body = request.body = RequestBody(request)
        request.send_continue()
        request.output.body_begins(False)
    count = 0
    output = request.output
    try:
        while not body.complete and count < most:
            data = output.receive_body(request)
            if data is None:
                break
            if data:
                body.hold(data)
                count += len(data)
            if not data or output.body_done():
                body.complete = True
    except BodyError as error:
        body.failed = error
        raise
    except OSError as error:
        body.failed = BodyError(400, f"recv() failed ({error.errno}: {error.strerror})".encode())
        raise body.failed from None
    return body


async def read_body(request: Request) -> int | None:
    """Read the whole body in a fibre; None, or the status to end with (400, 408, 413, 499)."""
    try:
        if read_body_nowait(request):
            return None
        fibre = current_fibre()
        assert fibre is not None
        lane = request.connection.lane
        request.on_client_event = fibre.wake
        timeout = request.location.core.client_body_timeout
        try:
            while True:
                if not await park(lane.now + timeout):
                    request.log(
                        "info", b"client timed out (110: Connection timed out) while reading client request body"
                    )
                    return 408
                if read_body_nowait(request):
                    return None
        finally:
            request.on_client_event = None
    except BodyError as error:
        if error.message:
            request.log(error.level, error.message)
        request.lingering_close = request.lingering_close and error.status != 400
        request.keepalive = False
        request.aborted = request.aborted or isinstance(error, ClientEnded)
        return error.status
    except OSError as error:
        request.log("info", b"recv() failed while reading client request body", error)
        request.aborted = True
        return 400
