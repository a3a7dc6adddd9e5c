"""The variables of the request, its connection and its response that every configuration has."""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Final

from gateway import NGINX_VERSION
from gateway._fast import uri
from gateway._fast.cut import decimal, thousandths
from gateway._fast.value import Value
from gateway.core.variables import Getter, PrefixVariable, Variable, acyclic, cached
from gateway.http import common_variables as common
from gateway.http import paths
from gateway.http.credentials import credentials
from gateway.http.module import Count
from gateway.serving.tlv_variables import tlv

if TYPE_CHECKING:
    from gateway.http.client import Client
    from gateway.http.request import Request

_STATUS_TEXT: Final = tuple(b"%03d" % status for status in range(1000))
_HOSTNAME: Final = socket.gethostname().lower().encode()


class _Arg(Value):
    """$arg_NAME."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()

    def value(self, request: Any) -> bytes | None:
        asked: Request = request
        args = asked.args
        return uri.args_get(args, self.name) if args else None


class _Cookie(Value):
    """$cookie_NAME."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()

    def value(self, request: Any) -> bytes | None:
        asked: Request = request
        values = asked.head.get_all(b"cookie")
        return uri.cookie_get(values, self.name) if values else None


class _SentField(Value):
    """$sent_http_NAME, where the response has no attribute for it."""

    def __init__(self, name: str) -> None:
        self.name = name.replace("_", "-").encode()

    def value(self, request: Any) -> bytes | None:
        asked: Request = request
        values = [value for field, value in asked.response.fields if field.lower() == self.name]
        return b", ".join(values) if values else None


def _sent_http(name: str) -> Getter:
    # found once, as with nginx: what stands in a rewrite, where nothing is sent yet, stays empty to the end
    return cached(f"sent_http_{name}", _SENT.get(name) or _SentField(name))


def _sent_trailer(name: str) -> Getter:
    wanted = name.replace("_", "-").encode()

    def get(request: Request) -> bytes | None:
        values = [value for field, value in request.response.trailers or () if field.lower() == wanted]
        return b", ".join(values) if values else None

    return cached(f"sent_trailer_{name}", get)


def _sent_connection(request: Request) -> bytes | None:
    if request.response.status == 101:
        return b"upgrade"
    return b"keep-alive" if _keeps(request) else b"close"


def _keeps(request: Request) -> bool:
    """As nginx tells it, which has HTTP/3's connections kept and HTTP/2's closed."""
    return request.keepalive or request.http_version >= 30


def _sent_keep_alive(request: Request) -> bytes | None:
    timeout = request.location.core.keepalive_header
    return b"timeout=%d" % timeout if timeout and _keeps(request) else None


def _sent_content_length(request: Request) -> bytes | None:
    length = request.response.content_length
    return decimal(length) if length >= 0 else None


_SENT: Final[dict[str, Getter]] = {
    "content_type": lambda r: r.response.full_content_type,
    "content_length": _sent_content_length,
    "location": lambda r: r.response.location,
    "last_modified": lambda r: r.response.last_modified_value,
    "connection": _sent_connection,
    "keep_alive": _sent_keep_alive,
    "transfer_encoding": lambda r: b"chunked" if r.chunked else None,
    "etag": lambda r: r.response.etag,
    "content_encoding": lambda r: r.response.content_encoding,
    "date": lambda r: r.response.date,
    "server": lambda r: r.response.server,
}


_MOST_ADDRESSES: Final = 4096
_addresses: Final[dict[bytes, bytes]] = {}  # as bytes: clients ask again and again


def _binary_remote_addr(request: Request) -> bytes | None:
    client: Client = request.connection
    text: bytes = client.remote()[0]
    packed: bytes | None = _addresses.get(text)
    if packed is None:
        if len(_addresses) >= _MOST_ADDRESSES:
            _addresses.clear()
        packed = _addresses[text] = _packed(text)
    return packed


def _packed(address: bytes) -> bytes:
    try:
        return socket.inet_pton(socket.AF_INET6 if b":" in address else socket.AF_INET, address.decode("latin-1"))
    except OSError:
        return address


def _status(request: Request) -> bytes | None:
    status = request.log_status or request.err_status or request.response.status
    if status == 0:
        return b"009" if request.http_version == 9 else b"000"
    return _STATUS_TEXT[status] if status < 1000 else b"%d" % status


def _body_bytes_sent(request: Request) -> bytes | None:
    sent = request.bytes_sent() - request.head_size
    return decimal(sent) if sent > 0 else b"0"


def _bytes_sent(request: Request) -> bytes | None:
    return decimal(request.bytes_sent())


def _request_time(request: Request) -> bytes | None:
    client: Client = request.connection
    elapsed: float = client.lane.fresh() - request.started
    return thousandths(elapsed if elapsed > 0 else 0.0)


def _connection_time(request: Request) -> bytes | None:
    elapsed: float = request.connection.lane.now - request.connection.started
    return thousandths(max(0.0, elapsed))


def _msec(request: Request) -> bytes | None:
    client: Client = request.connection
    return thousandths(client.lane.wall_time())


class _LocalTime:
    """The two forms of the local time, made once a second."""

    def __init__(self) -> None:
        self.second: int = -1
        self.local = b""
        self.iso = b""

    def at(self, second: Count) -> _LocalTime:
        if second != self.second:
            self.second = second
            t = time.localtime(second)
            zone = t.tm_gmtoff // 60
            sign = "-" if zone < 0 else "+"
            zone = abs(zone)
            offset = f"{sign}{zone // 60:02d}:{zone % 60:02d}"
            month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[t.tm_mon - 1]
            clock = f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}"
            self.local = f"{t.tm_mday:02d}/{month}/{t.tm_year}:{clock} {offset.replace(':', '')}".encode()
            self.iso = f"{t.tm_year}-{t.tm_mon:02d}-{t.tm_mday:02d}T{clock}{offset}".encode()
        return self


local_time: Final = _LocalTime()


def _time_local(request: Request) -> bytes | None:
    client: Client = request.connection
    times: _LocalTime = local_time
    return times.at(int(client.lane.wall_time())).local


def _time_iso8601(request: Request) -> bytes | None:
    client: Client = request.connection
    times: _LocalTime = local_time
    return times.at(int(client.lane.wall_time())).iso


def _request_body(request: Request) -> bytes | None:
    main = request.main
    body = main.body
    head = main.head
    if body is None and head.content_length == 0 and main.upstream is not None:
        return b""  # an exchange does not wait for a body that is empty
    if body is None or body.file is not None or body.given:
        return None
    return body.data() if body.size or head.content_length >= 0 or head.chunked else None


def _request_body_file(request: Request) -> bytes | None:
    body = request.main.body
    return body.file.path if body is not None and body.file is not None else None


def _remote_user(request: Request) -> bytes | None:
    head = request.head
    if head.get_authorization() is None and request.method != b"CONNECT":
        return None
    found = credentials(request)
    return found[0] if found is not None else None


def request_length(request: Request) -> Count:
    """Head and body; what is read of a body only to be dropped does not count, nor does a line that was refused."""
    main = request.get_main()
    if not main.method:
        return 0
    received = main.output.body_received() if main.body is not None else 0
    return request.head.get_length() + received


def _request_length(request: Request) -> bytes | None:
    # a subrequest has received nothing by itself: nginx counts 0 bytes for it
    return decimal(request_length(request) if request.parent is None else 0)


def _tcpinfo(index: int) -> Getter:
    """struct tcp_info: rtt, rttvar, snd_cwnd, rcv_space; offsets of Linux's include/uapi/linux/tcp.h."""

    def get(request: Request) -> bytes | None:
        try:
            with socket.socket(fileno=os.dup(request.connection.stream.fd)) as duplicate:
                info = duplicate.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        except OSError:
            return None
        words = struct.unpack_from("=24I", info, 8)
        return b"%d" % words[index]

    return get


def _realpath_root(request: Request) -> bytes | None:
    try:
        return os.path.realpath(paths.document_root(request), strict=True)
    except OSError as error:
        request.log("crit", b'realpath() "%s" failed' % paths.document_root(request), error)
        return None


def _request_filename(request: Request) -> bytes | None:
    try:
        return paths.map_uri_to_path(request, request.uri)
    except paths.NoPath:
        return None


def _set_args(request: Request, value: bytes) -> None:
    request.args = value
    request.valid_unparsed_uri = False


def _set_limit_rate(request: Request, value: bytes) -> None:
    from gateway.config.units import parse_size

    try:
        request.limit_rate = parse_size(value.decode("latin-1"))
    except ValueError:
        request.log("error", b'invalid $limit_rate "%s"' % value)


def _limit_rate(request: Request) -> bytes | None:
    rate = request.limit_rate
    if rate is None and not request.bytes_sent():
        rate = 0  # what the location says is looked at when something is sent
    if rate is None:
        core = request.location.core
        rate = core.limit_rate(request) if core.limit_rate is not None else 0
    return b"%d" % rate


def _request_id(request: Request) -> bytes | None:
    return os.urandom(16).hex().encode()


def _proxy_protocol(name: str) -> Getter:
    def get(request: Request) -> bytes | None:
        header = request.connection.proxy
        if header is None or not header.source:
            return None  # UNKNOWN, LOCAL: as if there were no header
        value = getattr(header, name)
        if value.__class__ is int:
            return b"%d" % value if value else b""
        return value  # type: ignore[no-any-return]

    return get


def _request_line(request: Request) -> bytes | None:
    main = request.get_main()
    return main.head.get_request_line()


def _is_args(request: Request) -> bytes | None:
    return b"?" if request.args else b""


def _https(request: Request) -> bytes | None:
    client: Client = request.connection
    return b"on" if client.scheme == b"https" else b""


def _server_addr(request: Request) -> bytes | None:
    address: bytes | None = request.connection.server_addr
    return address


def _connection(request: Request) -> bytes | None:
    client: Client = request.connection
    return decimal(client.number)


def _connection_requests(request: Request) -> bytes | None:
    client: Client = request.connection
    return decimal(client.requests)


def _pipe(request: Request) -> bytes | None:
    return b"p" if request.pipelined else b"."


_HTTP_FIXED: Final = ("host", "user_agent", "referer", "via", "x_forwarded_for", "cookie")
_SENT_FIXED: Final = (
    *("content_type", "content_length", "location", "last_modified", "connection", "keep_alive"),
    *("transfer_encoding", "cache_control", "link"),
)

VARIABLES: Final[tuple[Variable | PrefixVariable, ...]] = (
    Variable("args", common.args, set=_set_args, changeable=True),
    Variable("query_string", common.args),
    Variable("is_args", _is_args),
    Variable("uri", common.uri),
    Variable("document_uri", common.uri),
    Variable("request_uri", common.request_uri),
    Variable("request", _request_line),
    Variable("request_method", common.request_method),
    Variable("scheme", common.scheme),
    Variable("https", _https),
    Variable("server_protocol", common.server_protocol),
    Variable("host", common.host),
    Variable("request_port", common.request_port),
    Variable("is_request_port", lambda r: b":" if r.head.port > 0 else b""),
    Variable("hostname", lambda r: _HOSTNAME),
    Variable("server_name", common.server_name),
    Variable("server_addr", _server_addr),
    Variable("server_port", common.server_port),
    Variable("remote_addr", common.remote_addr),
    Variable("remote_port", common.remote_port),
    Variable("binary_remote_addr", _binary_remote_addr),
    Variable("remote_user", _remote_user),
    Variable("content_length", common.content_length),
    Variable("content_type", common.content_type),
    Variable("document_root", common.document_root),
    Variable("realpath_root", _realpath_root),
    Variable("request_filename", acyclic("request_filename", _request_filename)),  # `root` may name it
    Variable("request_body", cached("request_body", _request_body)),
    Variable("request_body_file", cached("request_body_file", _request_body_file)),
    Variable("request_completion", lambda r: b"OK" if r.complete else b""),
    Variable("request_id", cached("request_id", _request_id)),
    Variable("request_length", _request_length),
    Variable("request_time", _request_time),
    Variable("status", _status),
    Variable("bytes_sent", _bytes_sent),
    Variable("body_bytes_sent", _body_bytes_sent),
    Variable("limit_rate", _limit_rate, set=_set_limit_rate, changeable=True),
    Variable("connection", _connection),
    Variable("connection_requests", _connection_requests),
    Variable("connection_time", _connection_time),
    Variable("pipe", _pipe),
    Variable("pid", lambda r: b"%d" % os.getpid()),
    Variable("msec", _msec),
    Variable("time_local", _time_local),
    Variable("time_iso8601", _time_iso8601),
    Variable("nginx_version", lambda r: NGINX_VERSION.encode()),
    Variable("tcpinfo_rtt", _tcpinfo(15)),
    Variable("tcpinfo_rttvar", _tcpinfo(16)),
    Variable("tcpinfo_snd_cwnd", _tcpinfo(18)),
    Variable("tcpinfo_rcv_space", _tcpinfo(22)),
    Variable("proxy_protocol_addr", _proxy_protocol("source")),
    Variable("proxy_protocol_port", _proxy_protocol("source_port")),
    Variable("proxy_protocol_server_addr", _proxy_protocol("destination")),
    Variable("proxy_protocol_server_port", _proxy_protocol("destination_port")),
    PrefixVariable("proxy_protocol_tlv_", tlv),
    # of these families some are nginx's own variables: nobody may define them anew
    *(Variable(f"sent_http_{name}", _sent_http(name)) for name in _SENT_FIXED),
    *(Variable(f"http_{name}", common.http_field(name)) for name in _HTTP_FIXED),
    PrefixVariable("sent_http_", _sent_http),
    PrefixVariable("sent_trailer_", _sent_trailer),
    PrefixVariable("http_", common.http_field),
    PrefixVariable("arg_", _Arg),
    PrefixVariable("cookie_", _Cookie),
)
