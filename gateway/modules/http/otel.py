"""otel: a span of each traced request, for a collector by OTLP; the directives and variables of nginx's own module.

    otel_exporter { endpoint host:port; … }     in http: where spans go, and how (upstream/span_exporter.py)
    otel_trace on;                               or a variable that says on or 1: split_clients, $otel_parent_sampled
    otel_trace_context extract | inject | propagate | ignore;

As there: what is traced is decided in the rewrite phase of the first location, not again after an internal redirect or
a rewrite; attributes have the names of OpenTelemetry's conventions of 1.16. Other than there: the service that says no
name is unknown_service:gateway, a `tracestate` without a value is not sent on as an empty field, and what is no UTF-8
is replaced, since collectors refuse a batch for it.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import gateway
from gateway._fast.errors import HeadError
from gateway._fast.http1 import with_fields
from gateway._fast.span_writer import SpanWriter, key_of
from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import HTTP, LOCATION, SERVER, Command, Directive, enum_, string, take
from gateway.config.errors import ConfigError, Where
from gateway.config.text import to_bytes
from gateway.core.logs import LOG
from gateway.core.template import Template
from gateway.core.variables import Variable
from gateway.http.common_variables import server_protocol
from gateway.http.module import NOTHING, Contribution, Handler, HttpModule, Phase, Result
from gateway.http.setters import template, template_setting
from gateway.protocol import otlp
from gateway.serving.cycle import LATE_IMPORTS

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.config.parser import Statement
    from gateway.http.client import Client
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.upstream.span_exporter import Exporter

_EVERYWHERE: Final = HTTP | SERVER | LOCATION
_EXTRACT: Final = 1
_INJECT: Final = 2
_CONTEXTS: Final = {"ignore": 0, "extract": _EXTRACT, "inject": _INJECT, "propagate": _EXTRACT | _INJECT}
_PORT: Final = 4317  # OTLP's own
# Of an attribute that has a list of values: this is how OpenTelemetry writes fields down.
_LISTED: Final = (b"http.request.header.", b"http.response.header.")
# What gRPC takes as the name and as the value of a field.
_FIELD_NAME: Final = re.compile(r"[0-9a-z_.-]+")
_FIELD_VALUE: Final = re.compile(r"[ -~]+")
# traceparent (W3C Trace Context): version, trace, parent, flags.
_PARENT: Final = re.compile(rb"00-([0-9a-fA-F]{32})-([0-9a-fA-F]{16})-([0-9a-fA-F]{2})")
# Among a request's values, where it stays through internal redirects; no variable has a name like this.
_CONTEXT: Final = " otel"


@dataclass(slots=True)
class MainConf(Conf):
    exporter: Any = setting(None)  # _Wanted
    service: str = setting("unknown_service:gateway")
    resource: dict[Any, Any] = setting(factory=dict)
    traced: Any = setting(None)  # where the first otel_trace stands
    running: Any = setting(None)  # the Exporter


@dataclass(slots=True)
class LocationConf(Conf):
    trace: Template | None = setting(None)
    context: int = setting(0)
    name: Template | None = setting(None)
    attributes: tuple[tuple[bytes, Template], ...] = setting(())


# -- directives


class _Wanted:
    """What stands in `otel_exporter`."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.host = ""
        self.port = _PORT
        self.tls = False
        self.trusted: str | None = None
        self.fields: list[tuple[bytes, bytes]] = []
        self.numbers: dict[str, int] = {}
        self._directives: dict[str, tuple[Callable[[Statement], None], int]] = {
            "endpoint": (self._endpoint, 1),
            "trusted_certificate": (self._trusted, 1),
            "header": (self._header, 2),
            "interval": (self._number, 1),
            "batch_size": (self._number, 1),
            "batch_count": (self._number, 1),
        }

    def read(self, statement: Statement) -> None:
        name = statement.name
        if name not in self._directives:
            raise ConfigError(f'unknown directive "{name}" in "otel_exporter"', statement.where)
        take_it, count = self._directives[name]
        if len(statement.args) != count:
            words = f'invalid number of arguments in "{name}" directive of "otel_exporter"'
            raise ConfigError(words, statement.where)
        take_it(statement)

    def _refuse(self, statement: Statement, why: str) -> ConfigError:
        return ConfigError(f'"{statement.name}" directive of "otel_exporter" {why}', statement.where)

    def _endpoint(self, statement: Statement) -> None:
        if self.host:
            raise self._refuse(statement, "is duplicate")
        text = statement.args[0]
        scheme, mark, rest = text.partition("://")
        if mark and scheme.lower() in ("http", "https"):
            self.tls = scheme.lower() == "https"
            text = rest
        host, colon, port = text.rpartition(":")
        if not colon or port.endswith("]"):
            host, port = text, ""
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise self._refuse(statement, f'has an invalid port in "{statement.args[0]}"')
        self.host = host.removeprefix("[").removesuffix("]")
        self.port = int(port) if port else _PORT

    def _trusted(self, statement: Statement) -> None:
        path = self.command.loader.path(statement.args[0], conf=True)
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                self.trusted = file.read()
        except OSError as error:
            raise ConfigError(f'failed to open "{path}" ({error.errno}: {error.strerror})', statement.where) from None

    def _header(self, statement: Statement) -> None:
        name, value = statement.args[0].lower(), statement.args[1]
        if not _FIELD_NAME.fullmatch(name):
            raise self._refuse(statement, "has invalid header name")
        if not _FIELD_VALUE.fullmatch(value):
            raise self._refuse(statement, "has invalid header value")
        self.fields.append((to_bytes(name), to_bytes(value)))

    def _number(self, statement: Statement) -> None:
        name, text = statement.name, statement.args[0]
        if name in self.numbers:
            raise self._refuse(statement, "is duplicate")
        try:
            self.numbers[name] = units.parse_time_ms(text) if name == "interval" else units.parse_size(text)
        except ValueError:
            raise self._refuse(statement, "invalid value") from None
        if not self.numbers[name]:
            raise self._refuse(statement, "invalid value")

    def secured(self) -> ssl.SSLContext | None:
        """How to speak TLS. Errors: ssl.SSLError and ValueError for certificates that are none."""
        if not self.tls:
            return None
        if self.trusted is None:
            made = ssl.create_default_context()
        else:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            made.load_verify_locations(cadata=self.trusted)
        made.set_alpn_protocols(["h2"])
        return made


def set_exporter(conf: MainConf, command: Command) -> None:
    command.once(conf.exporter)
    wanted = _Wanted(command)
    for statement in command.lines():
        wanted.read(statement)
    if not wanted.host:
        command.fail('"otel_exporter" requires "endpoint"')
    conf.exporter = wanted


def set_resource(conf: MainConf, command: Command) -> None:
    if conf.resource is UNSET:
        conf.resource = {}
    conf.resource[command.args[0]] = command.args[1]


def set_trace(conf: LocationConf, command: Command) -> None:
    template_setting("trace")(conf, command)
    main: MainConf = command.scope.conf(module, "main")
    if main.traced is UNSET:
        main.traced = command.where


def set_attribute(conf: LocationConf, command: Command) -> None:
    before = () if conf.attributes is UNSET else conf.attributes
    conf.attributes = (*before, (to_bytes(command.args[0]), template(command, command.args[1])))


# -- what is made of them


def prepare(scope: Scope, loader: Loader) -> None:
    main: MainConf = scope.conf(module, "main")
    wanted: _Wanted | None = main.exporter
    if wanted is None:
        where: Where | None = main.traced
        if where is not None:
            raise ConfigError('"otel_exporter" block is missing', where)
        return
    from gateway.upstream.span_exporter import Exporter, Target

    try:
        tls = wanted.secured()
    except (ssl.SSLError, ValueError) as error:
        wanted.command.fail(f'"trusted_certificate" of "otel_exporter" has no certificate ({error})')
    target = Target(wanted.host, wanted.port, tls, tuple(wanted.fields))
    said = {"service.name": "unknown_service:gateway", **main.resource}
    if main.service != "unknown_service:gateway" or "service.name" not in main.resource:
        said["service.name"] = main.service
    source = otlp.origin(
        [(to_bytes(name), to_bytes(value)) for name, value in said.items()], b"gateway", gateway.__version__.encode()
    )
    numbers = wanted.numbers
    exporter = Exporter(
        target,
        source,
        loader.parts.get(LOG),
        interval_s=numbers.get("interval", 5000) / 1000,
        batch_size=numbers.get("batch_size", 512),
        batch_count=numbers.get("batch_count", 4),
    )
    main.running = exporter
    # what looking up a name and a first connection import
    loader.parts.get(LATE_IMPORTS).update(("encodings.idna", "ssl", "trio._threads", "trio._highlevel_open_tcp_stream"))
    scope.owner.on_worker_start.append(exporter.start)


# -- requests


def _new_context(request: Request, *, extract: bool) -> bytes:
    """What is kept of a request: whether it is traced, whether its parent was, its trace, its span, its parent's span
    (zeros: none), and the tracestate."""
    trace, parent, state, flags = b"", bytes(8), b"", 0
    if extract:
        found = _PARENT.fullmatch(request.head.get(b"traceparent") or b"")
        if found is not None:
            trace, parent = bytes.fromhex(found[1].decode()), bytes.fromhex(found[2].decode())
            flags = int(found[3], 16) & 1
            state = request.head.get(b"tracestate") or b""
    made = os.urandom(24)
    if not any(trace):
        trace = made[8:]
    return b"\0%c%b%b%b%b" % (flags, trace, made[:8], parent, state)


def _context(request: Request) -> bytes:
    """The present one, or a new one by what holds where the request is now."""
    values = request.values
    found = values.get(_CONTEXT)
    if found is None:
        conf: LocationConf = request.location.confs[module]
        found = values[_CONTEXT] = _new_context(request, extract=bool(conf.context & _EXTRACT))
    return found


def _inject(request: Request, context: bytes) -> Result:
    line = b"00-%b-%b-0%b" % (context[2:18].hex().encode(), context[18:26].hex().encode(), b"1" if context[0] else b"0")
    new = {b"traceparent": line, b"tracestate": context[34:]}
    fields = [field for field in request.head.fields() if field[0].lower() not in new]
    fields += [field for field in new.items() if field[1]]
    try:
        request.head = with_fields(request.head, fields)
    except HeadError as error:
        return error.status
    return None


def _start(conf: LocationConf) -> Handler:
    trace, propagation = conf.trace, conf.context

    def start(request: Request) -> Result:
        if request.internal:
            return None
        traced = trace is not None and trace(request) in (b"on", b"1")
        if not traced and not propagation:
            return None
        context = _context(request)
        if traced != bool(context[0]):
            context = request.values[_CONTEXT] = (b"\1" if traced else b"\0") + context[1:]
        return _inject(request, context) if propagation & _INJECT else None

    return start


def _finish(conf: LocationConf, location: Location, exporter: Exporter) -> Handler:
    regex = location.regex
    place = regex.pattern.encode("utf-8", "surrogateescape") if regex is not None else location.name
    own = [(key_of(name), value, name.startswith(_LISTED)) for name, value in conf.attributes]
    writer = _writer
    naming = conf.name

    def finish(request: Request) -> Result:
        context = request.values.get(_CONTEXT)
        if context is None or not context[0] or request.parent is not None:
            return None
        client: Client = request.connection
        end = client.lane.wall_time()
        took = max(0.0, client.lane.fresh() - request.started)
        end_ns = int(end * 1e9)
        status = request.log_status or request.err_status or request.response.status
        name = place if naming is None else naming(request)
        said = [(key, value(request), listed) for key, value, listed in own]  # they may be handlers of others
        writer.begin(
            context[2:18], context[18:26], context[26:34], context[34:], name, end_ns - int(took * 1e9), end_ns
        )
        _usual(writer, request, client, status)
        if place:
            writer.text(_ROUTE, place)
        for key, value, listed in said:
            writer.text(key, value, listed)
        if not exporter.add(writer.end(status >= 500)):
            _drop(request, exporter)
        return None

    return finish


_writer: Final = SpanWriter()
_METHOD, _TARGET, _SCHEME, _FLAVOR, _AGENT, _REQUEST_LENGTH, _RESPONSE_LENGTH, _STATUS, _ROUTE = map(key_of, (
    b"http.method", b"http.target", b"http.scheme", b"http.flavor", b"http.user_agent",
    b"http.request_content_length", b"http.response_content_length", b"http.status_code", b"http.route",
))  # fmt: skip
_HOST, _HOST_PORT, _PEER, _PEER_PORT = map(
    key_of, (b"net.host.name", b"net.host.port", b"net.sock.peer.addr", b"net.sock.peer.port")
)


def _usual(writer: SpanWriter, request: Request, client: Client, status: int) -> None:
    """What is said of each request."""
    head = request.head
    scheme = client.scheme
    text, number = writer.text, writer.number
    text(_METHOD, request.method)
    text(_TARGET, head.get_target())
    text(_SCHEME, scheme)
    protocol = server_protocol(request)
    if protocol is not None and len(protocol) > 5:
        text(_FLAVOR, protocol[5:])
    agent = head.user_agent
    if agent is not None:
        text(_AGENT, agent)
    sent = request.bytes_sent() - request.head_size
    number(_REQUEST_LENGTH, max(0, head.content_length))
    number(_RESPONSE_LENGTH, max(0, sent))
    if status:
        number(_STATUS, status)
    text(_HOST, request.server.server_name or request.host)
    port = client.local_address()[1]
    if port != (443 if scheme == b"https" else 80):
        number(_HOST_PORT, port)
    address, port = client.remote()
    text(_PEER, address)
    number(_PEER_PORT, port)


def _drop(request: Request, exporter: Exporter) -> None:
    """No room for a span: said once a second at most."""
    exporter.dropped += 1
    now = int(request.connection.lane.now)
    if now != exporter.dropped_at:
        exporter.dropped_at = now
        request.log("notice", b"OTel dropped records: %d" % exporter.dropped)


def plan(conf: LocationConf, location: Location) -> Contribution:
    main: MainConf = location.scope.conf(module, "main")
    exporter: Exporter | None = main.running
    handlers: dict[Phase, Any] = {}
    if conf.trace is not None or conf.context:
        handlers[Phase.REWRITE] = _start(conf)
    if exporter is not None and main.traced is not None:  # also where it is off: a traced request may end here
        handlers[Phase.LOG] = _finish(conf, location, exporter)
    return Contribution(handlers=handlers) if handlers else NOTHING


# -- variables


def _trace_id(request: Request) -> bytes | None:
    return _context(request)[2:18].hex().encode()


def _span_id(request: Request) -> bytes | None:
    return _context(request)[18:26].hex().encode()


def _parent_id(request: Request) -> bytes | None:
    parent = _context(request)[26:34]
    return parent.hex().encode() if any(parent) else None


def _parent_sampled(request: Request) -> bytes | None:
    return b"1" if _context(request)[1] else b"0"


module = HttpModule(
    name="otel",
    main=MainConf,
    location=LocationConf,
    directives=(
        Directive("otel_exporter", HTTP, take(0), set_exporter, level="main", block=True),
        Directive("otel_service_name", HTTP, take(1), string("service"), level="main"),
        Directive("otel_resource_attr", HTTP, take(2), set_resource, level="main"),
        Directive("otel_trace", _EVERYWHERE, take(1), set_trace),
        Directive("otel_trace_context", _EVERYWHERE, take(1), enum_("context", _CONTEXTS)),
        Directive("otel_span_name", _EVERYWHERE, take(1), template_setting("name")),
        Directive("otel_span_attr", _EVERYWHERE, take(2), set_attribute),
    ),
    variables=(
        Variable("otel_trace_id", _trace_id),
        Variable("otel_span_id", _span_id),
        Variable("otel_parent_id", _parent_id),
        Variable("otel_parent_sampled", _parent_sampled),
    ),
    prepare=prepare,
    plan=plan,
)
