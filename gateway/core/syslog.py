"""Sending log lines to syslog (RFC 3164) over UDP or a unix datagram socket, as nginx's `syslog:` destinations."""

from __future__ import annotations

import errno as errno_codes
import os
import socket
import time
from typing import Final

from gateway.config.text import to_bytes
from gateway.core.logs import ALERT, ERROR, Log
from gateway.core.networks import plain_ipv4

FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv", "ftp", "ntp",
    "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
SEVERITIES: Final = ("emerg", "alert", "crit", "error", "warn", "notice", "info", "debug")

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DEFAULT_PORT: Final = 514
_MAX_TAG: Final = 32  # RFC 3164, 4.1.3

# nginx's tag is "nginx", and what users filter their syslog by: the same configuration keeps the same tag.
_DEFAULT_TAG: Final = "nginx"

# ngx_connection_error: these are ordinary ends of a peer, the rest are alerts.
_ORDINARY_ENDS: Final = frozenset(
    {
        errno_codes.ECONNRESET,
        errno_codes.EPIPE,
        errno_codes.ENOTCONN,
        errno_codes.ETIMEDOUT,
        errno_codes.ECONNREFUSED,
        errno_codes.ENETDOWN,
        errno_codes.ENETUNREACH,
        errno_codes.EHOSTDOWN,
        errno_codes.EHOSTUNREACH,
    }
)


class SyslogPeer:
    """A syslog server and the head of its messages; one socket, made on first use."""

    __slots__ = ("_busy", "_socket", "address", "facility", "family", "hostname", "log", "name", "severity", "tag")

    def __init__(
        self, name: str, family: int, address: tuple[str, int] | str, facility: int, severity: int, tag: str,
        hostname: bytes | None,
    ) -> None:
        self.name = name
        self.family = family
        self.address = address
        self.facility = facility
        self.severity = severity
        self.tag = tag.encode()
        self.hostname = hostname
        self.log: Log | None = None  # where failures to send are reported
        self._socket: socket.socket | None = None
        self._busy = False

    def send(self, message: bytes, severity: int | None = None) -> bool:
        """Send one message (without its newline); False when it was lost, which the log hears about."""
        if self._busy:
            return False  # the report of a failure came back to its own cause
        self._busy = True
        try:
            priority = self.facility * 8 + (self.severity if severity is None else severity)
            now = time.localtime()
            # Not strftime's %b: RFC 3164 wants English names in any locale.
            stamp = f"<{priority}>{_MONTHS[now.tm_mon - 1]} {now.tm_mday:2} {time.strftime('%H:%M:%S', now)} "
            host = b"" if self.hostname is None else self.hostname + b" "
            return self._send(stamp.encode() + host + self.tag + b": " + message)
        finally:
            self._busy = False

    def _send(self, packet: bytes) -> bool:
        if self._socket is None:
            peer = socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            try:
                peer.connect(self.address)
            except OSError as error:
                peer.close()
                self._complain(ALERT, "connect() failed", error)
                return False
            self._socket = peer
        try:
            self._socket.send(packet)
            return True
        except BlockingIOError:
            return False
        except OSError as error:
            self._complain(ERROR if error.errno in _ORDINARY_ENDS else ALERT, "send() failed", error)
            self.close()
            return False

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _complain(self, level: int, what: str, error: OSError) -> None:
        if self.log is not None:
            context = f" while logging to syslog, server: {self.name}"
            self.log.write(level, what, errno=error.errno or 0, context=context)


class SyslogSink:
    """An error log's destination that is a syslog server; a line's level is its severity."""

    __slots__ = ("form", "level", "peer")

    def __init__(self, peer: SyslogPeer, level: int) -> None:
        self.peer = peer
        self.form = ""
        self.level = level

    def write(self, level: int, line: bytes) -> None:
        self.peer.send(line[:-1], level - 1)


def parse(text: str, log: Log | None = None) -> SyslogPeer:
    """A peer from `server=…,facility=…,severity=…,tag=…,nohostname`; ValueError has nginx's message."""
    server: tuple[str, int, tuple[str, int] | str] | None = None
    facility: int | None = None
    severity: int | None = None
    tag: str | None = None
    hostname: bytes | None = os.uname().nodename.lower().encode()
    for word in text.split(","):
        key, equals, value = word.partition("=")
        if word == "nohostname":
            hostname = None
        elif key == "server" and equals:
            if server is not None:
                raise ValueError('duplicate syslog "server"')
            server = (value, *_address(value))
        elif key == "facility" and equals:
            if facility is not None:
                raise ValueError('duplicate syslog "facility"')
            if value not in FACILITIES:
                raise ValueError(f'unknown syslog facility "{value}"')
            facility = FACILITIES.index(value)
        elif key == "severity" and equals:
            if severity is not None:
                raise ValueError('duplicate syslog "severity"')
            if value not in SEVERITIES:
                raise ValueError(f'unknown syslog severity "{value}"')
            severity = SEVERITIES.index(value)
        elif key == "tag" and equals:
            if tag is not None:
                raise ValueError('duplicate syslog "tag"')
            if len(value) > _MAX_TAG:
                raise ValueError("syslog tag length exceeds 32")
            if not all(c.isascii() and (c.isalnum() or c == "_") for c in value):
                raise ValueError('syslog "tag" only allows alphanumeric characters and underscore')
            tag = value
        else:
            raise ValueError(f'unknown syslog parameter "{word}"')
    if server is None:
        raise ValueError("no syslog server specified")
    name, family, address = server
    peer = SyslogPeer(
        name,
        family,
        address,
        FACILITIES.index("local7") if facility is None else facility,
        SEVERITIES.index("info") if severity is None else severity,
        _DEFAULT_TAG if tag is None else tag,
        hostname,
    )
    peer.log = log
    return peer


def _address(text: str) -> tuple[int, tuple[str, int] | str]:
    if text.startswith("unix:"):
        path = text[5:]
        if not path:
            raise ValueError(f'no path in the unix domain socket in syslog server "{text}"')
        if "\0" in path:
            raise ValueError(f'NUL byte in the path of the unix domain socket in syslog server {text!r}')
        if len(path.encode("utf-8", "surrogateescape")) > 107:
            raise ValueError(f'too long path in the unix domain socket in syslog server "{text}"')
        return socket.AF_UNIX, path
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f'invalid host in syslog server "{text}"')
        port_text = rest[1:] if rest else None
    else:
        host, colon, rest = text.partition(":")
        port_text = rest if colon else None
    if not host:
        raise ValueError(f'no host in syslog server "{text}"')
    port = _DEFAULT_PORT
    if port_text is not None:
        if not (port_text.isascii() and port_text.isdigit() and 1 <= int(port_text) <= 65535):
            raise ValueError(f'invalid port in syslog server "{text}"')
        port = int(port_text)
    try:
        found = socket.getaddrinfo(plain_ipv4(to_bytes(host)) or host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        raise ValueError(f'host not found in syslog server "{text}"') from None
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))
