"""Listening sockets: opened, kept, closed."""

from __future__ import annotations

import errno
import gc
import os
import socket
from pathlib import Path

import pytest

from gateway.core.listening import ListenAddress
from gateway.process import sockets
from gateway.process.errors import CycleError
from tests.process.memory_log import memory_log
from tests.process.running import free_port


def tcp(port: int, **options: object) -> ListenAddress:
    return ListenAddress(socket.AF_INET, ("127.0.0.1", port), f"127.0.0.1:{port}", **options)  # type: ignore[arg-type]


def close(opened: list[sockets.OpenSocket]) -> None:
    for one in opened:
        one.socket.close()


def test_kept_by_address() -> None:
    log, lines = memory_log()
    kept, gone, new = free_port(), free_port(), free_port()
    old = sockets.open_all([tcp(kept), tcp(gone)], (), 1, log)
    following = sockets.open_all([tcp(new), tcp(kept, backlog=7)], old, 1, log)
    sockets.configure(following, log)
    sockets.close_unused(old, following, log)
    by_port = {one.address.address[1]: one for one in following}
    assert by_port[kept].socket is old[0].socket
    assert not by_port[kept].fresh
    assert by_port[new].fresh
    assert old[1].fd == -1
    assert lines == []
    close(following)


def test_options_are_set() -> None:
    log, lines = memory_log()
    address = tcp(
        free_port(), rcvbuf=9000, sndbuf=8000, keepalive=True, keepidle=11, keepintvl=12, keepcnt=3, deferred=True,
        fastopen=5,
    )  # fmt: skip
    (one,) = opened = sockets.open_all([address], (), 1, log)
    sockets.configure(opened, log)
    get = one.socket.getsockopt
    # The kernel doubles the buffers.
    assert get(socket.SOL_SOCKET, socket.SO_RCVBUF) == 18000
    assert get(socket.SOL_SOCKET, socket.SO_SNDBUF) == 16000
    assert get(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert get(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 11
    assert get(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 12
    assert get(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
    assert get(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) > 0
    assert get(socket.IPPROTO_TCP, socket.TCP_FASTOPEN) == 5
    again = sockets.open_all([tcp(address.address[1])], opened, 1, log)  # type: ignore[arg-type]
    sockets.configure(again, log)
    assert get(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) == 0
    assert lines == []
    close(again)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv6_with_and_without_ipv4() -> None:
    log, _ = memory_log()
    # Only a socket for both may be bound to an IPv4 address in IPv6's clothes.
    for host, only in (("::1", True), ("::ffff:127.0.0.1", False)):
        address = ListenAddress(socket.AF_INET6, (host, free_port()), f"[{host}]:x", ipv6only=only)
        (one,) = opened = sockets.open_all([address], (), 1, log)
        assert one.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == int(only)
        close(opened)


def test_reuseport_has_a_socket_for_each_worker() -> None:
    log, _ = memory_log()
    opened = sockets.open_all([tcp(free_port(), reuseport=True)], (), 3, log)
    assert [one.worker for one in opened] == [0, 1, 2]
    fewer = sockets.open_all([opened[0].address], opened, 2, log)
    sockets.close_unused(opened, fewer, log)
    assert [one.fd >= 0 for one in opened] == [True, True, False]
    close(fewer)


def test_multipath_beside_the_plain_socket() -> None:
    log, lines = memory_log()
    port = free_port()
    old = sockets.open_all([tcp(port)], (), 1, log)
    try:
        new = sockets.open_all([tcp(port, multipath=True)], old, 1, log)
    except CycleError:
        close(old)
        pytest.skip(f"no MPTCP: {lines}")
    assert new[0].socket.proto == socket.IPPROTO_MPTCP
    sockets.close_unused(old, new, log)
    assert old[0].fd == -1
    close(new)


def test_unix_socket_for_all_and_its_file(tmp_path: Path) -> None:
    log, lines = memory_log()
    path = f"{tmp_path}/s"
    address = ListenAddress(socket.AF_UNIX, path, f"unix:{path}")
    opened = sockets.open_all([address], (), 1, log)
    assert os.stat(path).st_mode & 0o777 == 0o666
    sockets.close_unused(opened, [], log)
    assert not os.path.exists(path)
    assert lines == [f"[warn] deleting socket {path}"]
    # -t leaves nothing behind.
    close(sockets.open_all([address], (), 1, log, testing=True))
    assert not os.path.exists(path)


def test_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_BETWEEN_TRIES_S", 0)
    log, lines = memory_log()
    free = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CycleError, match=rf"bind\(\) to 127.0.0.1:{port} failed .*: somebody else listens there"):
            sockets.open_all([tcp(free), tcp(port)], (), 1, log)
        assert lines == [
            f"[emerg] bind() to 127.0.0.1:{port} failed (98: Address already in use)",
            "[notice] try again to bind() after 500ms",
        ] * 5 + ["[emerg] still could not bind()"]
    # What had been opened is free again.
    close(sockets.open_all([tcp(free)], (), 1, log))


def test_not_ours_to_bind() -> None:
    log, lines = memory_log()
    with pytest.raises(CycleError):
        sockets.open_all([ListenAddress(socket.AF_INET, ("192.0.2.1", 80), "192.0.2.1:80")], (), 1, log)
    assert lines == ["[emerg] bind() to 192.0.2.1:80 failed (99: Cannot assign requested address)"]


def test_a_port_for_root_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def bind(self, address: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "socket", Refusing)
    log, lines = memory_log()
    with pytest.raises(CycleError, match=r"ports below 1024 .* listen on 8080"):
        sockets.open_all([ListenAddress(socket.AF_INET, ("127.0.0.1", 80), "127.0.0.1:80")], (), 1, log)
    assert lines[0] == "[emerg] bind() to 127.0.0.1:80 failed (13: Permission denied)"
    assert lines[1].startswith("[emerg] cause: ports below 1024")


def test_adopted() -> None:
    log, lines = memory_log()
    with socket.socket() as tcp_socket, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        tcp_socket.bind(("127.0.0.1", 0))
        tcp_socket.listen()
        port = tcp_socket.getsockname()[1]
        adopted = sockets.adopt([os.dup(tcp_socket.fileno()), os.dup(datagram.fileno()), 999], log)
    assert [one.address.text for one in adopted] == [f"127.0.0.1:{port}", "0.0.0.0:0"]
    close(adopted[1:])
    assert adopted[0].inherited
    assert not os.get_inheritable(adopted[0].fd)
    assert len(lines) == 1
    again = sockets.open_all([tcp(port)], adopted, 1, log)
    assert again[0].socket is adopted[0].socket
    close(again)


def test_a_descriptor_that_is_no_socket_of_ours_is_left_alone() -> None:
    log, lines = memory_log()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as netlink, socket.socket(socket.AF_INET) as plain:
        left = os.dup(netlink.fileno())
        (kept,) = sockets.adopt([left, os.dup(plain.fileno())], log)
        assert lines == [f"[crit] the inherited socket #{left} has an unsupported protocol family"]
        gc.collect()
        os.close(left)  # it is still open
        close([kept])
