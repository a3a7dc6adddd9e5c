"""The variables of the request, its connection and its response that every configuration has."""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import TYPE_CHECKING, Final

from gateway import NGINX_VERSION
from gateway._fast import uri
from gateway.core.variables import Getter, PrefixVariable, Variable, cached
from gateway.http import common_variables as common
from gateway.http import paths
from gateway.http.credentials import credentials
from gateway.http.tlv_variables import tlv

if TYPE_CHECKING:
    from gateway.http.request import Request

_STATUS_TEXT: Final = tuple(b"%03d" % status for status in range(1000))
_HOSTNAME: Final = socket.gethostname().lower().encode()


def _arg(name: str) -> Getter:
    wanted = name.encode()

    def get(request: Request) -> bytes | None:
        args = request.args
        return uri.args_get(args, wanted) if args else None

    return get


def _cookie(name: str) -> Getter:
    wanted = name.encode()

    def get(request: Request) -> bytes | None:
        values = request.head.get_all(b"cookie")
        return uri.cookie_get(values, wanted) if values else None

    return get


def _sent_http(name: str) -> Getter:
    wanted = name.replace("_", "-").encode()
    special = _SENT.get(name)
    if special is not None:
        return special

    def get(request: Request) -> bytes | None:
        values = [value for field, value in request.response.fields if field.lower() == wanted]
        return b", ".join(values) if values else None

    return get


def _sent_trailer(name: str) -> Getter:
    wanted = name.replace("_", "-").encode()

    def get(request: Request) -> bytes | None:
        values = [value for field, value in request.response.trailers or () if field.lower() == wanted]
        return b", ".join(values) if values else None

    return get


def _sent_connection(request: Request) -> bytes | None:
    if request.response.status == 101:
        return b"upgrade"
    return b"keep-alive" if request.keepalive else b"close"


def _sent_keep_alive(request: Request) -> bytes | None:
    timeout = request.location.core.keepalive_header
    return b"timeout=%d" % timeout if request.keepalive and timeout else None


def _sent_content_length(request: Request) -> bytes | None:
    length = request.response.content_length
    return b"%d" % length if length >= 0 else None


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


def _binary_remote_addr(request: Request) -> bytes | None:
    address = request.connection.remote()[0].decode("latin-1")
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except OSError:
        return address.encode("latin-1")


def _status(request: Request) -> bytes | None:
    status = request.log_status or request.err_status or request.response.status
    if status == 0:
        return b"009" if request.http_version == 9 else b"000"
    return _STATUS_TEXT[status] if status < 1000 else b"%d" % status


def _body_bytes_sent(request: Request) -> bytes | None:
    sent = request.bytes_sent() - request.head_size
    return b"%d" % sent if sent > 0 else b"0"


def _request_time(request: Request) -> bytes | None:
    elapsed = max(0.0, request.connection.lane.now - request.started)
    return b"%d.%03d" % (int(elapsed), int(elapsed * 1000) % 1000)


def _connection_time(request: Request) -> bytes | None:
    elapsed = max(0.0, request.connection.lane.now - request.connection.started)
    return b"%d.%03d" % (int(elapsed), int(elapsed * 1000) % 1000)


def _msec(request: Request) -> bytes | None:
    now = request.connection.lane.wall
    return b"%d.%03d" % (int(now), int(now * 1000) % 1000)


class _LocalTime:
    """The two forms of the local time, made once a second."""

    def __init__(self) -> None:
        self.second = -1
        self.local = b""
        self.iso = b""

    def at(self, second: int) -> _LocalTime:
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
    found = credentials(request)
    return found[0] if found is not None else None


def _request_length(request: Request) -> bytes | None:
    """Head and body; what is read of a body only to be dropped does not count, nor does a line that was refused."""
    main = request.main
    if not main.method:
        return b"0"
    return b"%d" % (request.head.length + (main.output.body_received() if main.body is not None else 0))


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
    line: bytes = request.main.head.request_line
    return line


_HTTP_FIXED: Final = ("host", "user_agent", "referer", "via", "x_forwarded_for", "cookie")
_SENT_FIXED: Final = (
    *("content_type", "content_length", "location", "last_modified", "connection", "keep_alive"),
    *("transfer_encoding", "cache_control", "link"),
)

VARIABLES: Final[tuple[Variable | PrefixVariable, ...]] = (
    Variable("args", common.args, set=_set_args, changeable=True),
    Variable("query_string", common.args),
    Variable("is_args", lambda r: b"?" if r.args else b""),
    Variable("uri", common.uri),
    Variable("document_uri", common.uri),
    Variable("request_uri", common.request_uri),
    Variable("request", _request_line),
    Variable("request_method", common.request_method),
    Variable("scheme", common.scheme),
    Variable("https", lambda r: b"on" if r.connection.scheme == b"https" else b""),
    Variable("server_protocol", common.server_protocol),
    Variable("host", common.host),
    Variable("request_port", common.request_port),
    Variable("is_request_port", lambda r: b":" if r.head.port > 0 else b""),
    Variable("hostname", lambda r: _HOSTNAME),
    Variable("server_name", common.server_name),
    Variable("server_addr", lambda r: r.connection.server_addr),
    Variable("server_port", common.server_port),
    Variable("remote_addr", common.remote_addr),
    Variable("remote_port", common.remote_port),
    Variable("binary_remote_addr", _binary_remote_addr),
    Variable("remote_user", _remote_user),
    Variable("content_length", common.content_length),
    Variable("content_type", common.content_type),
    Variable("document_root", common.document_root),
    Variable("realpath_root", _realpath_root),
    Variable("request_filename", _request_filename),
    Variable("request_body", _request_body),
    Variable("request_body_file", _request_body_file),
    Variable("request_completion", lambda r: b"OK" if r.complete else b""),
    Variable("request_id", cached("request_id", _request_id)),
    Variable("request_length", _request_length),
    Variable("request_time", _request_time),
    Variable("status", _status),
    Variable("bytes_sent", lambda r: b"%d" % r.bytes_sent()),
    Variable("body_bytes_sent", _body_bytes_sent),
    Variable("limit_rate", _limit_rate, set=_set_limit_rate, changeable=True),
    Variable("connection", lambda r: b"%d" % r.connection.number),
    Variable("connection_requests", lambda r: b"%d" % r.connection.requests),
    Variable("connection_time", _connection_time),
    Variable("pipe", lambda r: b"p" if r.pipelined else b"."),
    Variable("pid", lambda r: b"%d" % os.getpid()),
    Variable("msec", _msec),
    Variable("time_local", lambda r: local_time.at(int(r.connection.lane.wall)).local),
    Variable("time_iso8601", lambda r: local_time.at(int(r.connection.lane.wall)).iso),
    Variable("http3", lambda r: b""),  # of HTTP/3, which is not there yet
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
    Variable("http3", lambda request: b""),
    # of these families some are nginx's own variables: nobody may define them anew
    *(Variable(f"sent_http_{name}", _sent_http(name)) for name in _SENT_FIXED),
    *(Variable(f"http_{name}", common.http_field(name)) for name in _HTTP_FIXED),
    PrefixVariable("sent_http_", _sent_http),
    PrefixVariable("sent_trailer_", _sent_trailer),
    PrefixVariable("http_", common.http_field),
    PrefixVariable("arg_", _arg),
    PrefixVariable("cookie_", _cookie),
)
