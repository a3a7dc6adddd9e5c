"""fastcgi: `fastcgi_pass` and its family: requests to a FastCGI application, PHP's above all.

Beyond nginx: params over 65,535 bytes go out in several records instead of ending with 500; only a single one that
fits into no record is refused, with 431. What a STDERR record says is one line of the log however it came, or several
if it is long, and is looked at as a whole by `fastcgi_catch_stderr`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from gateway.config.conf import UNSET, setting
from gateway.config.directive import EVERYWHERE, FLAG, LIF, LOCATION, Command, Directive, flag, string, take
from gateway.config.loader import Loader, Scope
from gateway.config.text import to_bytes
from gateway.core.pieces import FileSlice, Piece
from gateway.core.regex import Captures, Regex, RegexError
from gateway.core.variables import Variable
from gateway.http.module import HttpModule
from gateway.protocol import fastcgi
from gateway.protocol.fastcgi import MAX_PARAMS, FastcgiReader
from gateway.protocol.params import Params
from gateway.upstream.exchange import params
from gateway.upstream.exchange.codec import Codec, RequestRefused
from gateway.upstream.exchange.conf import UpstreamConf
from gateway.upstream.exchange.exchange import Exchange
from gateway.upstream.exchange.params import ParamsConf, add_param, params_of, plan_with
from gateway.upstream.exchange.pass_target import set_pass_target
from gateway.upstream.exchange.shared_directives import family

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader

_LINE: Final = 1500  # of stderr in one line of the log, which is cut at 2,048 bytes with all that stands around it


@dataclass(slots=True)
class LocationConf(ParamsConf):
    prefix: ClassVar[str] = "fastcgi"
    default_hidden: ClassVar[tuple[bytes, ...]] = (*UpstreamConf.default_hidden, b"status")

    index: str = setting("")
    split: Regex | None = setting(None)
    keep_conn: bool = setting(False)
    catch_stderr: tuple[bytes, ...] = setting(())


def set_split(conf: LocationConf, command: Command) -> None:
    pattern = command.args[0]
    try:
        regex = Regex(pattern)
    except RegexError as error:
        command.fail(str(error))
    if regex.groups != 2:
        command.fail(f'pattern "{pattern}" must have 2 captures')
    conf.split = regex


def add_catch(conf: LocationConf, command: Command) -> None:
    earlier = () if conf.catch_stderr is UNSET else conf.catch_stderr
    conf.catch_stderr = (*earlier, to_bytes(command.args[0]))


def settle(scope: Scope, loader: Loader) -> None:
    params.settle(scope, loader, module)


class FastcgiCodec(Codec):
    """FastCGI with the settings of one location."""

    __slots__ = ("catch", "keep", "params")

    def __init__(self, conf: LocationConf, *, caching: bool = False) -> None:
        super().__init__(b"fastcgi://")
        self.params = Params(params_of(conf, caching=caching), pass_headers=conf.pass_request_headers)
        self.keep: bool = conf.keep_conn
        self.catch: tuple[bytes, ...] = conf.catch_stderr

    def encode(self, exchange: Exchange) -> bytes:
        request = exchange.request
        try:
            begin = fastcgi.begin(self.params.pairs(request, request.head), keep=self.keep)
        except OverflowError as error:
            message = b"fastcgi param is too big: %d, a record takes %d bytes" % (error.args[0], MAX_PARAMS)
            raise RequestRefused(431, message) from None
        if exchange.streaming:
            exchange.frame = fastcgi.stdin
            return begin
        body: list[Piece] = []
        if exchange.pass_body and request.body is not None:
            for piece in request.body.pieces():
                body += _records(piece)
        if not body:
            begin += fastcgi.STDIN_END
        else:
            body.append(fastcgi.STDIN_END)
        exchange.body = body
        return begin

    def reader(self, exchange: Exchange) -> Reader:
        catch = self.catch

        def on_stderr(text: bytes) -> bool:
            for at in range(0, len(text), _LINE):
                exchange.log("error", b'FastCGI sent in stderr: "%b"' % text[at : at + _LINE])
            return not any(pattern in text for pattern in catch)

        return FastcgiReader(keep=self.keep, on_stderr=on_stderr, limit=exchange.settings.buffer_size)

    def streams_body(self, request: Request) -> bool:
        return bool(request.head.chunked or request.head.content_length >= 0)


def _records(piece: Piece) -> list[Piece]:
    """A part of a body in STDIN records; what lies in a file stays there."""
    if not isinstance(piece, FileSlice):
        return [fastcgi.stdin(piece)]
    pieces: list[Piece] = []
    end = piece.offset + piece.length
    for at in range(piece.offset, end, fastcgi.STDIN_SIZE):
        size = min(fastcgi.STDIN_SIZE, end - at)
        padding = -size % 8
        pieces += [
            fastcgi.header(fastcgi.STDIN, size, padding),
            FileSlice(piece.fd, at, size, piece.owner),
            bytes(padding),
        ]
    return pieces


def _split(request: Request) -> tuple[bytes, bytes]:
    """Script name and path info, as fastcgi_split_path_info finds them in the URI."""
    conf: LocationConf = request.location.confs[module]
    captures: Captures | None = conf.split.search(request.uri) if conf.split is not None else None
    if captures is None:
        return request.uri, b""
    return captures.group(1) or b"", captures.group(2) or b""


def _script_name(request: Request) -> bytes:
    name, _ = _split(request)
    if name.endswith(b"/"):
        conf: LocationConf = request.location.confs[module]
        name += to_bytes(conf.index)
    return name


def _path_info(request: Request) -> bytes:
    return _split(request)[1]


module = HttpModule(
    name="fastcgi",
    location=LocationConf,
    directives=(
        Directive("fastcgi_pass", LOCATION | LIF, take(1), set_pass_target),
        Directive("fastcgi_index", EVERYWHERE, take(1), string("index")),
        Directive("fastcgi_split_path_info", EVERYWHERE, take(1), set_split),
        Directive("fastcgi_keep_conn", EVERYWHERE, FLAG, flag("keep_conn")),
        Directive("fastcgi_param", EVERYWHERE, take(2, 3), add_param),
        Directive("fastcgi_catch_stderr", EVERYWHERE, take(1), add_catch),
        *family("fastcgi"),
    ),
    variables=(
        Variable("fastcgi_script_name", _script_name),
        Variable("fastcgi_path_info", _path_info),
    ),
    passes=True,
    plan=plan_with(FastcgiCodec),
    settle=settle,
)
