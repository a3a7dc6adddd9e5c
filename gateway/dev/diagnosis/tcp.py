"""connect() to a TCP address failed: who listens near it, or what is in the way."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Hashable
from ipaddress import ip_address
from typing import Final

from gateway.dev.diagnosis import unix_sockets
from gateway.dev.diagnosis.accounts import user_name
from gateway.dev.diagnosis.failure import Failure, Family
from gateway.dev.diagnosis.listeners import TcpListener, tcp_listeners

# Ports that applications in Python listen on unless told otherwise.
_USUAL: Final = frozenset({3031, 5000, 8000, 8080, 8888, 9000, 9090})
_NEAR: Final = 10


def _key(failure: Failure) -> Hashable:
    return failure.peer, failure.errno


def _text(failure: Failure) -> str | None:
    if failure.peer.startswith("unix:"):
        return unix_sockets.why(failure.peer.removeprefix("unix:"), failure.errno)
    host, _, port = failure.peer.rpartition(":")
    if not port.isdigit():
        return None
    name = failure.exchange.upstream.name.decode("utf-8", "surrogateescape").partition(":")[0]
    return why(host.strip("[]"), int(port), failure.errno, name=name)


def why(host: str, port: int, code: int, *, name: str = "") -> str | None:
    """The cause behind an errno of connect(); None where there is nothing to add to its name."""
    if code == errno.ECONNREFUSED:
        return refused(host, port, name)
    if code in (errno.EACCES, errno.EPERM):
        return (
            "the system forbids the connection itself: SELinux (setsebool -P httpd_can_network_connect 1; "
            "ausearch -m avc -ts recent) or a firewall rule on outgoing connections"
        )
    if code in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return f"no way leads to {host} from here: the address is wrong, its machine is off, or there is no route to it"
    return None


def refused(host: str, port: int, name: str = "", listeners: list[TcpListener] | None = None) -> str:
    """Who listens on the port elsewhere, or on another port here."""
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not _is_ours(host):
        return f"{host} is there, and nobody listens on its port {port}; on that machine: ss -ltn"
    everywhere = tcp_listeners() if listeners is None else listeners
    parts = [f"nobody listens on {shown}"]
    same = [listener for listener in everywhere if listener.port == port]
    if same:
        parts.append(f"on port {port} there is {_list(same)}: write that address")
        if name == "localhost" and any(listener.host == "127.0.0.1" for listener in same):
            parts.append('the name "localhost" stands for 127.0.0.1 and ::1, so write 127.0.0.1')
    else:
        near = [
            listener
            for listener in everywhere
            if (listener.is_any or _is_ours(listener.host))
            and (abs(listener.port - port) <= _NEAR or listener.port in _USUAL)
        ]
        parts.append(f"the application is not running, or listens elsewhere{_others(near)}")
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        parts.append(f"in a container {host} is the container itself: another one is reached by its name")
    return "; ".join(parts)


def _others(near: list[TcpListener]) -> str:
    return f" (there is {_list(near[:4])})" if near else ""


def _list(listeners: list[TcpListener]) -> str:
    return ", ".join(f"{listener} of {user_name(listener.uid)}" for listener in listeners)


def _is_ours(host: str) -> bool:
    """Whether an address is of this machine, so that its listeners are those we can see."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return True
    # Only our own addresses can be bound.
    with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.bind((host, 0))
        except OSError:
            return False
        return True


FAMILY: Final = Family((b"connect() failed (", b"connect() to "), _key, _text)
