"""ssi: server side includes; ngx_http_ssi_filter_module. The commands are in ssi_commands.py.

A document that waits for one of its includes keeps its input, and goes on when the answer is there and all before it is
out. What may have begun a command at the very end of a document is passed on, where nginx loses it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, LIF, Directive, at_least, flag, size, take
from gateway.core.pieces import FileSlice, Inserted, Piece, loaded, total
from gateway.core.variables import Variable
from gateway.http.media_types import HTML, is_of, set_types
from gateway.http.module import NOTHING, BodyFilter, Contribution, HttpModule
from gateway.modules.http.ssi_commands import COMMANDS, Document, Shared, SsiError, date
from gateway.protocol.ssi import MAX_PARAMS, Command, Complaint, Event, Parser, Text

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.postponed import Place
    from gateway.http.request import Request


@dataclass(slots=True)
class LocationConf(Conf):
    enable: bool = setting(False)
    silent_errors: bool = setting(False)
    min_file_chunk: int = setting(1024)
    value_length: int = setting(255)
    last_modified: bool = setting(False)
    types: frozenset[bytes] = setting(HTML)


class Includes(BodyFilter):
    """The body filter of one document."""

    def __init__(self, request: Request, settings: LocationConf, shared: Shared) -> None:
        self.request = request
        self.settings = settings
        self.document = Document(request, shared)
        self.parser = Parser(settings.value_length)
        self.input: deque[Piece] = deque()
        self.last = False
        self.waits = False
        self._steps: Iterator[None] = iter(())
        self._held = 0

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece] | None:
        self.input += pieces
        self.last = self.last or last
        if self.waits:
            self._hold(total(pieces))
            return None
        out = self._run()
        if not self.waits:
            return out
        self.request.pass_on(self, out, False, flush)
        return None

    def go_on(self) -> None:
        """What it waited for is there."""
        self.waits = False
        self._hold(-self._held)
        out = self._run()
        self.request.pass_on(self, out, self.last and not self.waits, False)

    def _run(self) -> list[Piece]:
        """Work on the input until it ends or a command has to wait."""
        document = self.document
        while True:
            for _ in self._steps:
                if document.wait is not None and self._begin_to_wait():
                    return self._ready()
            if not self.input:
                break
            piece = self.input.popleft()
            if piece.__class__ is bytes and self.parser.plain(piece):
                self._text_out(piece)
            else:
                self._steps = self._read(piece)
        if self.last:
            self._text_out(self.parser.finish())
        return self._ready()

    def _ready(self) -> list[Piece]:
        out = self.document.out
        self.document.out = []
        return [piece for piece in out if piece.__class__ is not bytes or piece]

    def _begin_to_wait(self) -> bool:
        subrequest = self.document.wait
        self.document.wait = None
        place = self._place()
        if place is None or subrequest is None or subrequest.done:
            return False
        place.wait(subrequest, self.go_on)
        self.waits = True
        self._hold(total(list(self.input)))
        return True

    def _place(self) -> Place | None:
        subrequests = self.request.subrequests
        return subrequests.place_of(self.request) if subrequests is not None else None

    def _hold(self, count: int) -> None:
        """Count what is kept here as not yet taken by the client: it is for the sender to slow down."""
        place = self._place()
        if place is not None:
            self._held += count
            place.size += count

    # -- the document ----------------------------------------------------------------------------------------------

    def _read(self, piece: Piece) -> Iterator[None]:
        """Take one part of the input; it may be left after each step, and gone on with."""
        if isinstance(piece, Inserted):
            self.document.out.append(piece.piece)
            return
        at = 0
        for data in loaded([piece]):
            assert isinstance(data, bytes)
            for event in self.parser.feed(data):
                self._take(event, piece, at)
                yield
            at += len(data)

    def _take(self, event: Event, piece: Piece, at: int) -> None:
        if isinstance(event, Text):
            self._text(event, piece, at)
        elif isinstance(event, Command):
            try:
                self._command(event)
            except SsiError:
                self._failed()
        elif isinstance(event, Complaint):
            self.request.log("error", event.message)
        else:
            self._failed()

    def _failed(self) -> None:
        if not self.settings.silent_errors:
            self.document.out.append(self.document.errmsg)

    def _text(self, text: Text, piece: Piece, at: int) -> None:
        if (
            self.document.output
            and isinstance(piece, FileSlice)
            and text.start >= text.held
            and text.end - text.start > self.settings.min_file_chunk
        ):
            offset = piece.offset + at + text.start - text.held
            self.document.out.append(FileSlice(piece.fd, offset, text.end - text.start, piece.owner))
        else:
            self._text_out(text.bytes)

    def _text_out(self, data: bytes) -> None:
        document = self.document
        if document.output:
            document.out.append(data)
        elif document.block:
            document.shared.blocks[-1].parts.append(data)

    def _command(self, command: Command) -> None:
        document = self.document
        definition = COMMANDS.get(command.name)
        if definition is None:
            if document.output:
                raise document.fail(b'invalid SSI command: "%b"' % command.name)
            return
        if not document.output and not definition.block:
            if document.block:
                document.shared.blocks[-1].parts.append(command.text)
                return
            if not definition.conditional:
                return
        if definition.conditional and not 0 < document.conditional <= definition.conditional:
            raise document.fail(b'invalid context of SSI command: "%b"' % command.name)
        if len(command.params) > MAX_PARAMS:
            raise document.fail(b'too many SSI command parameters: "%b"' % command.name)
        params: dict[bytes, bytes] = {}
        for key, value in command.params:
            if key in params:
                raise document.fail(b'duplicate "%b" parameter in "%b" SSI command' % (key, command.name))
            if key not in definition.params:
                raise document.fail(b'invalid parameter name: "%b" in "%b" SSI command' % (key, command.name))
            params[key] = value
        for key, mandatory in definition.params.items():
            if mandatory and key not in params:
                raise document.fail(b'mandatory "%b" parameter is absent in "%b" SSI command' % (key, command.name))
        definition.run(document, params)


_SHARED = "ssi: what the documents of a response share"


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not settings.enable:
        return NOTHING
    wanted = is_of(settings.types)

    def filter_head(request: Request) -> BodyFilter | None:
        response = request.response
        if response.content_length == 0 or not wanted(response):
            return None
        shared = request.main.state.setdefault(_SHARED, Shared())
        includes = Includes(request, settings, shared)
        request.state[module] = includes.document
        if request.parent is None:
            response.clear_content_length()
            response.clear_accept_ranges()
            if settings.last_modified:
                response.weaken_etag()
            else:
                response.clear_last_modified()
                response.etag = None
        return includes

    return Contribution(head_filter=filter_head)


def _date_gmt(request: Request) -> bytes | None:
    return date(request.state.get(module), gmt=True)


def _date_local(request: Request) -> bytes | None:
    return date(request.state.get(module), gmt=False)


module = HttpModule(
    name="ssi",
    location=LocationConf,
    variables=(Variable("date_local", _date_local), Variable("date_gmt", _date_gmt)),
    directives=(
        Directive("ssi", EVERYWHERE | LIF, FLAG, flag("enable")),
        Directive("ssi_silent_errors", EVERYWHERE, FLAG, flag("silent_errors")),
        Directive("ssi_min_file_chunk", EVERYWHERE, take(1), size("min_file_chunk")),
        Directive("ssi_value_length", EVERYWHERE, take(1), size("value_length")),
        Directive("ssi_types", EVERYWHERE, at_least(1), set_types),
        Directive("ssi_last_modified", EVERYWHERE, FLAG, flag("last_modified")),
    ),
    plan=plan,
)
