"""Listening sockets of a cycle: opened, inherited, handed over at a reload (nginx's ngx_open_listening_sockets)."""

from __future__ import annotations

import contextlib
import dataclasses
import errno as errno_codes
import os
import socket
import time
from collections.abc import Iterable, Sequence
from typing import Final

from gateway.core.listening import ListenAddress, Listener, address_text
from gateway.core.logs import WARN, Log
from gateway.process.errors import CycleError

_IP_PKTINFO: Final = 8  # Linux's, which Python's socket does not name
_PRIVILEGED: Final = 1024  # Linux's, unless net.ipv4.ip_unprivileged_port_start says otherwise
_TRIES: Final = 5
_BETWEEN_TRIES_S: Final = 0.5


@dataclasses.dataclass(slots=True, eq=False)
class OpenSocket(Listener):
    """A listening socket in the master."""

    inherited: bool = False  # came open from an older binary or from the service manager
    fresh: bool = True  # opened by this cycle, so that a failed cycle closes it
    previous: ListenAddress | None = None  # the options that it had in the old cycle
    foreign: bool = False  # the service manager's: its file is not ours to delete


def open_all(
    wanted: Sequence[ListenAddress], old: Sequence[OpenSocket], workers: int, log: Log, *, testing: bool = False
) -> list[OpenSocket]:
    """Sockets for these addresses, taken from the old ones where an address is the same; CycleError after logging."""
    addresses = [
        (address, worker)
        for address in wanted
        for worker in (range(max(workers, 1)) if address.reuseport and not testing else (None,))
    ]
    spare = list(old)
    opened: list[OpenSocket] = []
    missing: list[tuple[ListenAddress, int | None]] = []
    beside: set[int] = set()  # addresses that get a new socket while the old one, of another protocol, is still there
    for address, worker in addresses:
        same = next((s for s in spare if s.address.key == address.key), None)
        if same is None:
            missing.append((address, worker))
            continue
        other_protocol = same.address.multipath != address.multipath
        if other_protocol or (address.reuseport and not same.address.reuseport):
            # The kernel lets further sockets in only when all of an address's sockets have it.
            _set(same.socket, socket.SOL_SOCKET, socket.SO_REUSEPORT, 1, "SO_REUSEPORT", address, log)
        if other_protocol:
            beside.add(id(address))
            missing.append((address, worker))
            continue
        spare.remove(same)
        opened.append(OpenSocket(address, same.socket, worker, same.inherited, False, same.address, same.foreign))
    try:
        for _attempt in range(_TRIES):
            failed = []
            for address, worker in missing:
                listening = _open(address, log, testing, id(address) in beside)
                if listening is not None:
                    opened.append(OpenSocket(address, listening, worker))
                elif not testing:
                    failed.append((address, worker))
            missing = failed
            if not missing:
                break
            log.notice("try again to bind() after 500ms")
            time.sleep(_BETWEEN_TRIES_S)
        else:
            log.emerg("still could not bind()")
            taken = ", ".join(dict.fromkeys(address.text for address, _ in missing))
            raise CycleError(f"bind() to {taken} failed (98: Address already in use): somebody else listens there")
    except CycleError:
        close_fresh(opened)
        raise
    return opened


def close_fresh(sockets: Iterable[OpenSocket]) -> None:
    """Take back what a failed cycle has opened."""
    for listener in sockets:
        if listener.fresh:
            listener.socket.close()
            if listener.address.family == socket.AF_UNIX and isinstance(listener.address.address, str):
                _unlink(listener.address.address)


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _open(address: ListenAddress, log: Log, testing: bool, beside: bool) -> socket.socket | None:
    """One socket, bound and listening; None when the address is in use, which may pass."""
    text = address.text
    try:
        protocol = socket.IPPROTO_MPTCP if address.multipath else 0
        kind = socket.SOCK_DGRAM if address.datagram else socket.SOCK_STREAM
        new = socket.socket(address.family, kind | socket.SOCK_NONBLOCK, protocol)
    except OSError as error:
        log.emerg(f"socket() {text} failed", errno=error.errno or 0)
        raise CycleError from None
    what = "setsockopt(SO_REUSEADDR)"
    try:
        if not address.datagram or not testing:  # one of datagrams would be bound beside those that serve
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if (address.reuseport or beside) and not testing:
            what = "setsockopt(SO_REUSEPORT)"
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.family == socket.AF_INET6:
            what = "setsockopt(IPV6_V6ONLY)"
            new.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.ipv6only))
    except OSError as error:
        log.emerg(f"{what} {text} failed", errno=error.errno or 0)
        new.close()
        raise CycleError from None
    what = f"bind() to {text} failed"
    try:
        new.bind(address.address)
        if address.family == socket.AF_UNIX and isinstance(address.address, str) and address.address[:1] != "\0":
            _open_to_all(address.address, log, testing)
        if not address.datagram:
            what = f"listen() to {text}, backlog {address.backlog} failed"
            new.listen(address.backlog)
    except OSError as error:
        in_use = error.errno == errno_codes.EADDRINUSE
        if not (in_use and testing):
            log.emerg(what, errno=error.errno or 0)
        new.close()
        if not in_use:
            cause = _cause(address, error)
            if cause:
                log.emerg(f"cause: {cause}")
            raise CycleError(f"{what} ({error.errno}: {error.strerror}){cause and '; '}{cause}") from None
        return None
    return new


def _cause(address: ListenAddress, error: OSError) -> str:
    """What the system will have meant."""
    port = address.address[1] if address.family != socket.AF_UNIX else 0
    if error.errno == errno_codes.EACCES and isinstance(port, int) and 0 < port < _PRIVILEGED:
        return (
            f"ports below {_PRIVILEGED} are for root, or for who has CAP_NET_BIND_SERVICE (systemd: "
            f"AmbientCapabilities=); for development listen on {port + 8000}"
        )
    return ""


def _open_to_all(path: str, log: Log, testing: bool) -> None:
    """nginx gives unix sockets mode 666, whatever the umask."""
    try:
        os.chmod(path, 0o666)
        if testing:
            os.unlink(path)
    except OSError as error:
        log.emerg(f'chmod() "{path}" failed', errno=error.errno or 0)


def _set(
    listening: socket.socket, level: int, option: int, value: int, name: str, address: ListenAddress, log: Log
) -> None:
    try:
        listening.setsockopt(level, option, value)
    except OSError as error:
        log.alert(f"setsockopt({name}, {value}) {address.text} failed, ignored", errno=error.errno or 0)


def configure(sockets: Iterable[OpenSocket], log: Log) -> None:
    """Set the options that may also change on a socket that is kept (ngx_configure_listening_sockets)."""
    for listener in sockets:
        address, listening, before = listener.address, listener.socket, listener.previous
        tcp = address.family != socket.AF_UNIX and not address.datagram
        if address.datagram:
            _tell_destination(listener, log)
        if address.rcvbuf is not None:
            _set(listening, socket.SOL_SOCKET, socket.SO_RCVBUF, address.rcvbuf, "SO_RCVBUF", address, log)
        if address.sndbuf is not None:
            _set(listening, socket.SOL_SOCKET, socket.SO_SNDBUF, address.sndbuf, "SO_SNDBUF", address, log)
        if address.keepalive is not None:
            value = int(address.keepalive)
            _set(listening, socket.SOL_SOCKET, socket.SO_KEEPALIVE, value, "SO_KEEPALIVE", address, log)
        for value, option, name in (
            (address.keepidle, socket.TCP_KEEPIDLE, "TCP_KEEPIDLE"),
            (address.keepintvl, socket.TCP_KEEPINTVL, "TCP_KEEPINTVL"),
            (address.keepcnt, socket.TCP_KEEPCNT, "TCP_KEEPCNT"),
        ):
            if value and tcp:
                _set(listening, socket.IPPROTO_TCP, option, value, name, address, log)
        if address.fastopen is not None and tcp:
            _set(listening, socket.IPPROTO_TCP, socket.TCP_FASTOPEN, address.fastopen, "TCP_FASTOPEN", address, log)
        if before is not None and before.backlog != address.backlog and not address.datagram:
            try:
                listening.listen(address.backlog)
            except OSError as error:
                log.alert(
                    f"listen() to {address.text}, backlog {address.backlog} failed, ignored", errno=error.errno or 0
                )
        was_deferred = before is not None and before.deferred
        if tcp and address.deferred != was_deferred:
            # One second: nginx cannot tell either how long a connection has been in the queue.
            value = int(address.deferred)
            _set(listening, socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, value, "TCP_DEFER_ACCEPT", address, log)


def _tell_destination(listener: OpenSocket, log: Log) -> None:
    """A wildcard socket of datagrams has to know where each was sent to: answers come from there."""
    address, listening = listener.address, listener.socket
    if address.family == socket.AF_INET and address.address[0] == "0.0.0.0":
        _set(listening, socket.IPPROTO_IP, _IP_PKTINFO, 1, "IP_PKTINFO", address, log)
    elif address.family == socket.AF_INET6 and address.address[0] == "::":
        _set(listening, socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO", address, log)


def close_unused(old: Iterable[OpenSocket], new: Iterable[OpenSocket], log: Log) -> None:
    """Close what the new cycle does not listen on any more; workers of the old cycle keep their copies."""
    kept = {id(listener.socket) for listener in new}
    for listener in old:
        if id(listener.socket) in kept:
            continue
        listener.socket.close()
        _delete_file(listener, log, announce=True)


def close_all(sockets: Iterable[OpenSocket], log: Log, *, delete_files: bool) -> None:
    """Close at the end of the master; a unix socket's file stays while another binary listens on it."""
    for listener in sockets:
        if listener.fd < 0:
            continue
        listener.socket.close()
        if delete_files:
            _delete_file(listener, log)


def _delete_file(listener: OpenSocket, log: Log, announce: bool = False) -> None:
    path = listener.address.address
    if listener.foreign:
        return
    if listener.address.family != socket.AF_UNIX or not isinstance(path, str) or path[:1] in ("", "\0"):
        return
    if announce:
        log.write(WARN, f"deleting socket {path}")
    try:
        os.unlink(path)
    except OSError as error:
        log.emerg(f"unlink() {path} failed", errno=error.errno or 0)


def adopt(fds: Iterable[int], log: Log, *, foreign: bool = False) -> list[OpenSocket]:
    """Sockets that came open into this process (ngx_set_inherited_sockets)."""
    adopted = []
    for fd in fds:
        try:
            inherited = socket.socket(fileno=fd)
            name = inherited.getsockname()
        except OSError as error:
            log.crit(f"getsockname() of the inherited socket #{fd} failed", errno=error.errno or 0)
            continue
        if inherited.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
            log.crit(f"the inherited socket #{fd} has an unsupported protocol family")
            inherited.detach()
            continue
        if inherited.type not in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            log.crit(f"the inherited socket #{fd} is neither a stream nor a datagram socket")
            inherited.detach()
            continue
        inherited.setblocking(False)
        inherited.set_inheritable(False)
        family = inherited.family
        if family == socket.AF_UNIX:
            address = ListenAddress(family, _path(name), address_text(family, name))
        else:
            address = ListenAddress(family, (name[0], name[1]), address_text(family, name))
            with contextlib.suppress(OSError):
                address.deferred = bool(inherited.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT))
        address.datagram = inherited.type == socket.SOCK_DGRAM
        address.multipath = inherited.proto == socket.IPPROTO_MPTCP
        address.reuseport = bool(inherited.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
        adopted.append(OpenSocket(address, inherited, None, True, False, None, foreign))
    return adopted


def _path(name: str | bytes) -> str:
    return name if isinstance(name, str) else os.fsdecode(name)
