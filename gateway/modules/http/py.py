"""py_*: handlers in Python, after njs's js_*. Plain functions run in place, what waits as a Trio task.

    py_import hello;                      # hello.py beside nginx.conf, an installed module, or a package's entry point
    py_import api from lib/api.py;
    py_set $greeting hello.greeting;      # def greeting(r): return r.args.get("name", "you")
    location /hello { py_content hello.content; }

This is gateway's own. py_content returns a text, bytes, a dict (JSON), a status, (status, body), (status, body,
fields), or yields parts of a body; None is 204. py_access: None or True lets the request go on, False is 403, a status
is that. A function that raises is a 500 with its traceback in the error log; behind the head the connection is cut.
"""

from __future__ import annotations

import inspect
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, HTTP, LIF, LIMIT_EXCEPT, LOCATION, Command, Directive, at_least, take
from gateway.config.text import to_bytes
from gateway.core.lane import current_fibre, in_trio, park, sleep
from gateway.core.pieces import Inserted, Piece, loaded
from gateway.core.variables import acyclic, cached
from gateway.http.body import read_body
from gateway.http.module import (
    NOTHING,
    OK,
    BodyFilter,
    Contribution,
    FilterFinalize,
    Handler,
    HttpModule,
    Phase,
    Result,
)
from gateway.http.redirects import redirect
from gateway.http.setters import answers, cycle_of, variable_name
from gateway.http.status import CLIENT_CLOSED
from gateway.modules.http.py_import import Function, Import, Imports
from gateway.modules.http.py_request import PyRequest, Redirect, check_status

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.http.locations import Location
    from gateway.http.request import Request

_FORBIDDEN: Final = 403
_FAILED: Final = 500
_NO_CONTENT: Final = 204
_TIMED_OUT: Final = 408
_ROOM: Final = 64 << 10  # of what a client has yet to take: a generator waits above it
_TRACE: Final = 3000  # bytes of a traceback


@dataclass(slots=True)
class MainConf(Conf):
    imports: Imports = setting(factory=Imports)


@dataclass(slots=True)
class LocationConf(Conf):
    content: Function | None = setting(None, inherit=False)
    access: Function | None = setting(None)
    header_filter: Function | None = setting(None)
    body_filter: Function | None = setting(None)


# -- directives --------------------------------------------------------------------------------------------------------


def _imports(conf: MainConf) -> Imports:
    if conf.imports is UNSET:
        conf.imports = Imports()
    return conf.imports


def set_path(conf: MainConf, command: Command) -> None:
    _imports(conf).folders += command.args


def set_import(conf: MainConf, command: Command) -> None:
    """py_import module | name from module | name from file.py;"""
    name, source = command.args[0], command.args[-1]
    if len(command.args) == 2 or (len(command.args) == 3 and command.args[1] != "from"):
        command.fail(f'invalid parameter "{command.args[1]}"')
    if len(command.args) == 1 and name.endswith(".py"):
        name = name.rpartition("/")[2].removesuffix(".py")
    wanted = _imports(conf).wanted
    if any(each.name == name for each in wanted):
        command.fail(f'py_import "{name}" is there already')
    wanted.append(Import(name, source, command.where))


def _function(command: Command, name: str, *, waits: bool = False) -> Function:
    if "." not in name:
        command.fail(f'"{name}" should look like module.function')
    made = Function(command.name, name, command.where, waits)
    _imports(command.scope.conf(module, "main")).functions.append(made)
    return made


def _setter(field: str, *, waits: bool) -> Callable[[LocationConf, Command], None]:
    def set_function(conf: LocationConf, command: Command) -> None:
        command.once(getattr(conf, field))
        setattr(conf, field, _function(command, command.args[0], waits=waits))

    return set_function


def set_content(conf: LocationConf, command: Command) -> None:
    if conf.content is not UNSET and conf.content is not None:
        command.duplicate()
    conf.content = _function(command, command.args[0], waits=True)
    answers(conf, command)


def set_variable(conf: MainConf, command: Command) -> None:
    """py_set $variable module.function [nocache];"""
    name = variable_name(command, command.args[0])
    if command.args[2:] not in ([], ["nocache"]):
        command.fail(f'invalid parameter "{command.args[2]}"')
    function = _function(command, command.args[1])

    def get(request: Request) -> bytes | None:
        try:
            value = function.call(handle_of(request))
            return None if value is None else _data(value)
        except Exception as error:
            _log(request, function, error)
            if request.head_sent:
                return None
            raise FilterFinalize(_FAILED) from None

    getter = acyclic(name, get)
    variables = cycle_of(command).variables
    variables.define(name, getter if command.args[2:] else cached(name, getter), command.where)


def prepare(scope: Scope, loader: Loader) -> None:
    imports: Imports = scope.conf(module, "main").imports
    if imports.wanted or imports.functions:
        imports.load(loader.conf_prefix)


def plan(settings: LocationConf, location: Location) -> Contribution:
    content, access = settings.content, settings.access
    if not (content or access or settings.header_filter or settings.body_filter):
        return NOTHING
    handlers: dict[Phase, Handler] = {}
    if access is not None:
        handlers[Phase.ACCESS] = _access(access)
    return Contribution(
        handlers,
        content=_content(content) if content is not None else None,
        head_filter=_head_filter(settings.header_filter, settings.body_filter),
    )


# -- what all of them do ---------------------------------------------------------------------------------------------


def handle_of(request: Request) -> PyRequest:
    """What functions are given: one for each request."""
    found: PyRequest | None = request.state.get(module)
    if found is None:
        found = request.state[module] = PyRequest(request)
    return found


def _log(request: Request, function: Function, error: BaseException) -> None:
    """The traceback in one line, without our own frame."""
    trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
    text = "".join(traceback.format_exception(type(error), error, trace)).strip().replace("\n", "; ")
    request.log("error", f"{function} failed: {text[-_TRACE:]}")


def _data(value: Any) -> bytes:
    if isinstance(value, str):
        return to_bytes(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"it gave {type(value).__name__}, which is neither text nor bytes")


async def _as_task(
    function: Function, request: Request, waiting: Coroutine[Any, Any, Any], settle: Callable[[Any], Result]
) -> Result:
    """Run what waits as a Trio task, which ends when its client goes away; `settle` makes a result of its value."""
    import trio

    try:
        await in_trio()
    except BaseException:
        waiting.close()
        raise
    with trio.CancelScope() as scope:

        def look() -> None:
            if request.aborted or request.output.client_state():
                scope.cancel()

        request.on_client_event = look
        try:
            return settle(await waiting)
        except Exception as error:
            return _gave_up(function, request, error)
        finally:
            request.on_client_event = None
    request.log("info", f"client prematurely closed connection while {function} was running")
    return CLIENT_CLOSED


def _gave_up(function: Function, request: Request, error: Exception) -> Result:
    if isinstance(error, FilterFinalize):
        raise error  # of a head filter, in send_head()
    _log(request, function, error)
    return request.abort() if request.head_sent else _FAILED


# -- py_access ---------------------------------------------------------------------------------------------------------


def _access(function: Function) -> Handler:
    def check(request: Request) -> Result | Awaitable[Result]:
        def settle(value: Any) -> Result:
            if value is None or value is True:
                return OK
            if value is False:
                if not request.location.core.satisfy_any:
                    request.log("error", f"access forbidden by {function}")
                return _FORBIDDEN
            return check_status(value)

        try:
            value = function.call(handle_of(request))
            return _as_task(function, request, value, settle) if inspect.iscoroutine(value) else settle(value)
        except Exception as error:
            return _gave_up(function, request, error)

    return check


# -- py_content --------------------------------------------------------------------------------------------------------


def _content(function: Function) -> Handler:
    def handle(request: Request) -> Result | Awaitable[Result]:
        head = request.head
        if request.parent is None and (head.content_length > 0 or head.chunked):
            return with_body(request)
        return request.discard_body() or begin(request)

    async def with_body(request: Request) -> Result:
        status = await read_body(request)
        if status is not None:
            return status
        result = begin(request)
        return result if result is None or isinstance(result, int) else await result

    def begin(request: Request) -> Result | Awaitable[Result]:
        try:
            value = function.call(handle_of(request))
            if inspect.iscoroutine(value):
                return _as_task(function, request, value, lambda answer: _answer(request, answer))
            if inspect.isasyncgen(value):
                return _as_task(function, request, _stream(request, value), lambda result: result)
            if inspect.isgenerator(value):
                return in_turn(request, value)
            return _answer(request, value)
        except Exception as error:
            return _gave_up(function, request, error)

    async def in_turn(request: Request, parts: Iterator[Any]) -> Result:
        try:
            return await _stream(request, _async(parts))
        except Exception as error:
            return _gave_up(function, request, error)

    return handle


def _answer(request: Request, value: Any) -> Result:
    """A response of what a function returned."""
    if isinstance(value, Redirect):
        return redirect(request, to_bytes(value.target))
    status, body = request.response.status or 200, value
    if isinstance(value, tuple):
        status, body = check_status(value[0]), value[1]
        for name, field in dict(value[2] if len(value) > 2 else {}).items():
            handle_of(request).headers_out[name] = field
    elif value is None and status == 200:
        return _NO_CONTENT
    elif type(value) is int:
        return _by_number(request, check_status(value))
    if body is None:
        return _by_number(request, status)
    kind = b"text/plain; charset=utf-8" if isinstance(body, str) else b"application/octet-stream"
    if isinstance(body, dict):
        kind, body = b"application/json", json.dumps(body, separators=(",", ":"))
    return request.respond(status, _data(body), request.response.content_type or kind)


def _by_number(request: Request, status: int) -> Result:
    """A status alone: nginx's page, where it has one."""
    if status >= 300 or status in (201, 204):
        return status
    return request.respond(status, b"")


async def _async(parts: Iterator[Any]) -> AsyncIterator[Any]:
    """A plain generator; after some of its parts others have their turn."""
    try:
        for part in parts:
            yield part
            await sleep(0.0)
    finally:
        parts.close()  # type: ignore[attr-defined]


async def _stream(request: Request, parts: Any) -> Result:
    """The body part by part, as the client takes it."""
    async with aclosing(parts):
        async for part in parts:
            data = _data(part)
            if not request.head_sent and _head(request):
                return OK
            if data:
                request.send([data], flush=True)
            if request.pending() > _ROOM:
                status = await _room(request)
                if status is not None:
                    return status
            if request.aborted or request.output.client_state():
                return CLIENT_CLOSED
    if request.head_sent or not _head(request):
        request.send([], last=True)
    return OK


def _head(request: Request) -> bool:
    response = request.response
    response.status = response.status or 200
    response.content_type = response.content_type or b"text/plain; charset=utf-8"
    return request.send_head()


async def _room(request: Request) -> Result:
    """Wait until the client has taken most of it; a status where it does not."""
    fibre = current_fibre()
    assert fibre is not None
    before = request.on_client_event
    request.on_client_event = fibre.wake
    lane, timeout = request.connection.lane, request.location.core.send_timeout
    try:
        while request.pending() > _ROOM:
            if request.aborted or request.output.client_state():
                return CLIENT_CLOSED
            if not await park(lane.now + timeout):
                request.log("info", b"client timed out (110: Connection timed out) while sending to client")
                return _TIMED_OUT
    finally:
        request.on_client_event = before
    return None


# -- filters -----------------------------------------------------------------------------------------------------------


class PyFilter(BodyFilter):
    """py_body_filter: each part of the body goes through the function, `last` says whether it is the last one."""

    __slots__ = ("function", "request")

    def __init__(self, request: Request, function: Function) -> None:
        self.request = request
        self.function = function

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        request, function = self.request, self.function
        out: list[Piece] = []
        gathered: list[bytes] = []
        try:
            for piece in loaded(pieces):
                if isinstance(piece, Inserted):
                    out += self._through(b"".join(gathered), False) if gathered else []
                    gathered.clear()
                    out.append(piece.piece)
                elif piece:
                    gathered.append(piece)
            if gathered or last:
                out += self._through(b"".join(gathered), last)
        except OSError:
            raise  # of the file that is read
        except Exception as error:
            _log(request, function, error)
            request.abort()
            return []
        return out

    def _through(self, data: bytes, last: bool) -> list[Piece]:
        value = self.function.call(handle_of(self.request), data, last)
        made = b"" if value is None else _data(value)
        return [made] if made else []


def _head_filter(headers: Function | None, body: Function | None) -> Callable[[Request], BodyFilter | None] | None:
    if headers is None and body is None:
        return None

    def filter_head(request: Request) -> BodyFilter | None:
        response = request.response
        if headers is not None:
            try:
                headers.call(handle_of(request))
            except Exception as error:
                _log(request, headers, error)
                if not request.err_status:  # else it is our own page that it did not like
                    raise FilterFinalize(_FAILED) from None
        if body is None or request.header_only:
            return None
        response.clear_content_length()
        response.clear_accept_ranges()
        response.weaken_etag()
        return PyFilter(request, body)

    return filter_head


_WHERE: Final = EVERYWHERE | LIF | LIMIT_EXCEPT

module = HttpModule(
    name="py",
    main=MainConf,
    location=LocationConf,
    directives=(
        Directive("py_path", HTTP, at_least(1), set_path, "main"),
        Directive("py_import", HTTP, take(1, 2, 3), set_import, "main"),
        Directive("py_set", HTTP, take(2, 3), set_variable, "main"),
        Directive("py_access", EVERYWHERE | LIMIT_EXCEPT, take(1), _setter("access", waits=True)),
        Directive("py_content", LOCATION | LIF | LIMIT_EXCEPT, take(1), set_content),
        Directive("py_header_filter", _WHERE, take(1), _setter("header_filter", waits=False)),
        Directive("py_body_filter", _WHERE, take(1), _setter("body_filter", waits=False)),
    ),
    prepare=prepare,
    plan=plan,
)
