"""Machines for tests: network namespaces with addresses of their own, on two wires that a test can cut.

Clients and gateways are on the front wire, 10.77.0.0/24; gateways and the store on the back wire, 10.78.0.0/24.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest

_CLONE_NEWNET = 0x40000000
FRONT, BACK = "10.77.0", "10.78.0"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


@cache
def why_not() -> str:
    """Why no namespaces can be made here, or nothing."""
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    name = f"gw{os.getpid()}-try"
    try:
        _ip("netns", "add", name)
        try:
            _ip("-n", name, "link", "add", "bridge", "type", "bridge")
            with within(name):
                pass
        finally:
            _ip("netns", "del", name)
    except OSError as error:
        return f"network namespaces are not permitted: {error}"
    return ""


needs_namespaces = pytest.mark.skipif("why_not() != ''", reason="network namespaces are not permitted here")


@contextmanager
def within(name: str) -> Iterator[None]:
    """What this thread opens and starts meanwhile is in the namespace, and stays there."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path: int) -> None:
        if libc.setns(path, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns({name})")

    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        enter(there)
        try:
            yield
        finally:
            enter(here)
    finally:
        os.close(here)
        os.close(there)


class Network:
    """A hub with both wires, where clients are, and machines that hang on it."""

    def __init__(self) -> None:
        self.prefix = f"gw{os.getpid()}"
        self.hub = f"{self.prefix}-hub"
        self._made: list[str] = []
        try:
            self._add(self.hub)
            for wire, number in (("front", FRONT), ("back", BACK)):
                _ip("-n", self.hub, "link", "add", wire, "type", "bridge")
                _ip("-n", self.hub, "addr", "add", f"{number}.254/24", "dev", wire)
                _ip("-n", self.hub, "link", "set", wire, "up")
        except OSError:
            self.close()
            raise

    def _add(self, name: str) -> None:
        _ip("netns", "add", name)
        self._made.append(name)
        _ip("-n", name, "link", "set", "lo", "up")

    def machine(self, name: str, number: int, *wires: str) -> str:
        """Another machine, with the addresses 10.77.0.NUMBER and 10.78.0.NUMBER; its namespace."""
        namespace = f"{self.prefix}-{name}"
        self._add(namespace)
        for wire in wires or ("front", "back"):
            port = f"{name}-{wire}"
            _ip("-n", self.hub, "link", "add", port, "type", "veth", "peer", "name", wire, "netns", namespace)
            _ip("-n", self.hub, "link", "set", port, "master", wire)
            _ip("-n", self.hub, "link", "set", port, "up")
            address = f"{FRONT if wire == 'front' else BACK}.{number}/24"
            _ip("-n", namespace, "addr", "add", address, "dev", wire)
            _ip("-n", namespace, "link", "set", wire, "up")
        return namespace

    def cut(self, name: str, wire: str) -> None:
        """Nothing gets through any more, and nobody is told."""
        _ip("-n", self.hub, "link", "set", f"{name}-{wire}", "nomaster")

    def mend(self, name: str, wire: str) -> None:
        _ip("-n", self.hub, "link", "set", f"{name}-{wire}", "master", wire)

    def connect(self, host: str, port: int, timeout: float = 10.0) -> socket.socket:
        """A client's connection, from the hub."""
        with within(self.hub):
            return socket.create_connection((host, port), timeout)

    def close(self) -> None:
        while self._made:
            name = self._made.pop()
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20, check=False)

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
